//! Names, contents and versions of resources, as they travel.
//!
//! A name is the JSON of the structured key: names joined by a separator could meet. A content is the JSON of the
//! value. Fields that are added to a type later are left out where they hold their default, so that an older
//! receiver takes every resource that does not use them.

use std::fmt;
use std::io;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use portway_config::NamespacedName;
use portway_config::configuration::Settings;
use portway_config::wire::{WireCertificate, WireTrustBundle};
use prost::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Resource, ResourceKey, ResourceType};
use crate::message::Payload;

/// Bytes of the hash that make a version: enough that no two contents meet.
const VERSION_BYTES: usize = 16;

/// Version of a resource: a hash of its content, so that it is the same after a restart of the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub Arc<str>);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a resource cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not of this form.
    #[error("{path}: {message}")]
    Malformed {
        /// The field.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// It says more than this build of Portway understands.
    #[error("{path}: unknown field; this proxy is of an older version than the controller")]
    UnknownField {
        /// The field.
        path: String,
    },
    /// It is not what its name says.
    #[error("its content is that of another resource, {0}")]
    OtherKey(ResourceKey),
}

impl DecodeError {
    /// Whether what could not be read is a part that protects: then the version before must not serve on, for it
    /// may let in what the new one keeps out.
    pub fn concerns_protection(&self, kind: ResourceType) -> bool {
        let path = match self {
            _ if matches!(kind, ResourceType::Certificate | ResourceType::TrustBundle) => return true,
            Self::Malformed { path, .. } | Self::UnknownField { path } => path,
            Self::OtherKey(_) => return false,
        };
        path.contains("client_validation") || path.contains("ExternalAuth")
    }
}

/// Settings, which do not carry a key themselves.
#[derive(Serialize, Deserialize)]
struct WireSettings {
    gateway: NamespacedName,
    #[serde(default)]
    settings: Settings,
}

impl ResourceKey {
    /// Its name on the stream.
    pub fn name(&self) -> String {
        let json = match self {
            Self::Settings(key) => serde_json::to_string(key),
            Self::TrustBundle(key) => serde_json::to_string(key),
            Self::Certificate(key) => serde_json::to_string(key),
            Self::Endpoints(key) => serde_json::to_string(key),
            Self::Backend(key) => serde_json::to_string(key),
            Self::Listener(key) => serde_json::to_string(key),
            Self::Route(key) => serde_json::to_string(key),
            Self::Exposure(key) => serde_json::to_string(key),
            Self::PolicyNamespace(key) | Self::ClusterNetworkPolicy(key) => serde_json::to_string(key),
            Self::PolicyPod(key) | Self::GatewayProxies(key) | Self::NetworkPolicy(key) => {
                serde_json::to_string(key)
            }
        };
        // Keys are made of structs, enums and strings, which JSON always has a form for.
        json.unwrap_or_default()
    }

    /// The key of a name on the stream.
    ///
    /// # Errors
    ///
    /// The name is not of this form.
    pub fn of_name(kind: ResourceType, name: &str) -> Result<Self, DecodeError> {
        let name = name.as_bytes();
        Ok(match kind {
            ResourceType::Settings => Self::Settings(strict(name)?),
            ResourceType::TrustBundle => Self::TrustBundle(strict(name)?),
            ResourceType::Certificate => Self::Certificate(strict(name)?),
            ResourceType::Endpoints => Self::Endpoints(strict(name)?),
            ResourceType::Backend => Self::Backend(strict(name)?),
            ResourceType::Listener => Self::Listener(strict(name)?),
            ResourceType::Route => Self::Route(strict(name)?),
            ResourceType::Exposure => Self::Exposure(strict(name)?),
            ResourceType::PolicyNamespace => Self::PolicyNamespace(strict(name)?),
            ResourceType::PolicyPod => Self::PolicyPod(strict(name)?),
            ResourceType::GatewayProxies => Self::GatewayProxies(strict(name)?),
            ResourceType::NetworkPolicy => Self::NetworkPolicy(strict(name)?),
            ResourceType::ClusterNetworkPolicy => Self::ClusterNetworkPolicy(strict(name)?),
        })
    }
}

impl Resource {
    /// Hash of the content.
    pub fn version(&self) -> Version {
        let mut hash = Hash(Context::new(&SHA256));
        self.write(&mut hash);
        let digest = hash.0.finish();
        let bytes = digest.as_ref().iter().take(VERSION_BYTES);
        Version(bytes.map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The content.
    pub fn encode(&self) -> Bytes {
        let mut json = Vec::new();
        self.write(&mut json);
        Payload { json: json.into() }.encode_to_vec().into()
    }

    /// Reads a content.
    ///
    /// # Errors
    ///
    /// It is not of this form, or says more than this build understands.
    pub fn decode(kind: ResourceType, content: Bytes) -> Result<Self, DecodeError> {
        let payload = Payload::decode(content)
            .map_err(|error| DecodeError::Malformed { path: ".".to_owned(), message: error.to_string() })?;
        let json = &payload.json;
        Ok(match kind {
            ResourceType::Settings => {
                let WireSettings { gateway, settings } = strict(json)?;
                Self::Settings(gateway, settings)
            }
            ResourceType::TrustBundle => Self::TrustBundle(Arc::new(strict::<WireTrustBundle>(json)?.into())),
            ResourceType::Certificate => Self::Certificate(Arc::new(strict::<WireCertificate>(json)?.into())),
            ResourceType::Endpoints => Self::Endpoints(Arc::new(strict(json)?)),
            ResourceType::Backend => Self::Backend(Arc::new(strict(json)?)),
            ResourceType::Listener => Self::Listener(Arc::new(strict(json)?)),
            ResourceType::Route => Self::Route(Arc::new(strict(json)?)),
            ResourceType::Exposure => Self::Exposure(Arc::new(strict(json)?)),
            ResourceType::PolicyNamespace => Self::PolicyNamespace(Arc::new(strict(json)?)),
            ResourceType::PolicyPod => Self::PolicyPod(Arc::new(strict(json)?)),
            ResourceType::GatewayProxies => Self::GatewayProxies(Arc::new(strict(json)?)),
            ResourceType::NetworkPolicy => Self::NetworkPolicy(Arc::new(strict(json)?)),
            ResourceType::ClusterNetworkPolicy => Self::ClusterNetworkPolicy(Arc::new(strict(json)?)),
        })
    }

    fn write(&self, to: impl io::Write) {
        let written = match self {
            Self::Settings(gateway, settings) => serde_json::to_writer(
                to,
                &WireSettings { gateway: gateway.clone(), settings: settings.clone() },
            ),
            Self::TrustBundle(it) => serde_json::to_writer(to, &WireTrustBundle::from(&**it)),
            Self::Certificate(it) => serde_json::to_writer(to, &WireCertificate::from(&**it)),
            Self::Endpoints(it) => serde_json::to_writer(to, it),
            Self::Backend(it) => serde_json::to_writer(to, it),
            Self::Listener(it) => serde_json::to_writer(to, it),
            Self::Route(it) => serde_json::to_writer(to, it),
            Self::Exposure(it) => serde_json::to_writer(to, it),
            Self::PolicyNamespace(it) => serde_json::to_writer(to, it),
            Self::PolicyPod(it) => serde_json::to_writer(to, it),
            Self::GatewayProxies(it) => serde_json::to_writer(to, it),
            Self::NetworkPolicy(it) => serde_json::to_writer(to, it),
            Self::ClusterNetworkPolicy(it) => serde_json::to_writer(to, it),
        };
        // Memory and hashes take all that is written, and configurations have no map with structured keys,
        // the one thing that JSON has no form for.
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

struct Hash(Context);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads JSON and refuses what it does not know: an unknown field may be one that protects.
fn strict<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let mut unknown = None;
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| path.to_string());
    };
    let mut json = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let value = {
        let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
        T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note))
    };
    let malformed =
        |path: String, error: serde_json::Error| DecodeError::Malformed { path, message: error.to_string() };
    let value = value.map_err(|error| malformed(track.path().to_string(), error))?;
    json.end().map_err(|error| malformed(".".to_owned(), error))?;
    match unknown {
        Some(path) => Err(DecodeError::UnknownField { path }),
        None => Ok(value),
    }
}
