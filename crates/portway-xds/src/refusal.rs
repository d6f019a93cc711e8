//! Resources that a proxy refuses, and how it says so.

use prost::Message;

use crate::limits::Limits;
use crate::message::{Any, RefusedResource, RpcStatus};
use crate::resource::{ResourceKey, ResourceType};

const TYPE_URL: &str = "type.googleapis.com/portway.config.v1.RefusedResource";

/// `INVALID_ARGUMENT` of gRPC.
const INVALID_ARGUMENT: i32 = 3;

/// A resource that a proxy refuses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The resource.
    pub key: ResourceKey,
    /// Why, for people. No secret is in it.
    pub message: String,
}

impl Refusal {
    /// Refuses `key`, because of `message`.
    pub fn new(key: ResourceKey, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

/// A refusal by name: of a type or with a name that the receiver does not understand, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamedRefusal {
    pub(crate) type_url: String,
    pub(crate) name: String,
    pub(crate) message: String,
}

impl From<&Refusal> for NamedRefusal {
    fn from(refusal: &Refusal) -> Self {
        let type_url = refusal.key.resource_type().url().to_owned();
        Self { type_url, name: refusal.key.name(), message: refusal.message.clone() }
    }
}

impl NamedRefusal {
    pub(crate) fn typed(&self) -> Option<Refusal> {
        let kind = ResourceType::of_url(&self.type_url)?;
        let key = ResourceKey::of_name(kind, &self.name).ok()?;
        Some(Refusal { key, message: self.message.clone() })
    }
}

/// What a request says of refused resources; None where there is none.
pub(crate) fn to_status(refusals: &[&NamedRefusal], limits: &Limits) -> Option<RpcStatus> {
    let first = refusals.first()?;
    let more = refusals.len().saturating_sub(limits.refusals);
    let message = match (refusals.len(), more) {
        (1, _) => format!("{}: {}", first.name, shortened(&first.message, limits)),
        (count, 0) => format!("{count} resources are refused"),
        (count, more) => format!("{count} resources are refused, of which {more} are not listed"),
    };
    let details = refusals.iter().take(limits.refusals).map(|refusal| {
        let refused = RefusedResource {
            type_url: refusal.type_url.clone(),
            name: refusal.name.clone(),
            message: shortened(&refusal.message, limits).to_owned(),
        };
        Any { type_url: TYPE_URL.to_owned(), value: refused.encode_to_vec().into() }
    });
    Some(RpcStatus { code: INVALID_ARGUMENT, message, details: details.collect() })
}

/// What a request says of refused resources. Details of other types are passed over.
pub(crate) fn from_status(status: &RpcStatus, limits: &Limits) -> Vec<Refusal> {
    let details = status.details.iter().take(limits.refusals).filter(|it| it.type_url == TYPE_URL);
    let refused = details.filter_map(|it| RefusedResource::decode(it.value.clone()).ok());
    let named = refused.map(|it| NamedRefusal {
        type_url: it.type_url,
        name: it.name,
        message: shortened(&it.message, limits).to_owned(),
    });
    named.filter_map(|it| it.typed()).collect()
}

fn shortened<'a>(message: &'a str, limits: &Limits) -> &'a str {
    message.get(..message.floor_char_boundary(limits.refusal_bytes)).unwrap_or(message)
}
