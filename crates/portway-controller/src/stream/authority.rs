//! The certificate authority of the stream: made once, kept in a Secret, shared by all controllers.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Error};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::limits::{AUTHORITY_VALIDITY, CERTIFICATE_VALIDITY, CLOCK_SKEW};
use crate::options::AUTHORITY_SECRET;

/// The entries of the Secret.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The authority.
pub struct Authority {
    /// Its certificate in PEM, which proxies are given.
    pub certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate of the server and its key, in PEM.
#[derive(Clone)]
pub struct ServerCertificate {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The API server did not give or take the Secret; to try again may help.
    #[error("the Secret {namespace}/{AUTHORITY_SECRET} cannot be read or made: {error}")]
    Secret {
        /// Of the controller.
        namespace: String,
        /// Why.
        error: Box<Error>,
    },
    /// Somebody has changed the Secret.
    #[error(
        "the Secret {namespace}/{AUTHORITY_SECRET} holds no usable authority: {error}; delete it, and it is made anew"
    )]
    Content {
        /// Of the controller.
        namespace: String,
        /// What is wrong with it.
        error: String,
    },
}

impl Authority {
    /// Reads the authority, and makes it if nobody has.
    ///
    /// # Errors
    ///
    /// See [`AuthorityError`].
    pub async fn load(client: Client, namespace: &str) -> Result<Self, AuthorityError> {
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let refused =
            |error| AuthorityError::Secret { namespace: namespace.to_owned(), error: Box::new(error) };
        let content = |error: String| AuthorityError::Content { namespace: namespace.to_owned(), error };
        let mut found = api.get_opt(AUTHORITY_SECRET).await.map_err(refused)?;
        if found.is_none() {
            let new = make(Timestamp::now()).map_err(|error| content(error.to_string()))?;
            found = match api.create(&PostParams::default(), &secret(&new)).await {
                Ok(made) => Some(made),
                // Another controller was faster; its authority is as good.
                Err(Error::Api(status)) if status.code == 409 => {
                    api.get_opt(AUTHORITY_SECRET).await.map_err(refused)?
                }
                Err(error) => return Err(refused(error)),
            };
        }
        let data = found.and_then(|it| it.data).unwrap_or_default();
        let text = |name: &str| {
            let bytes = data.get(name).ok_or_else(|| content(format!("it has no {name}")))?;
            String::from_utf8(bytes.0.clone()).map_err(|_| content(format!("{name} is not PEM")))
        };
        let (certificate, key) = (text(CERTIFICATE)?, text(KEY)?);
        Self::from_pem(certificate, &key).map_err(|error| content(error.to_string()))
    }

    fn from_pem(certificate: String, key: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(key)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)?;
        Ok(Self { certificate, issuer })
    }

    /// A certificate for a server with these names.
    ///
    /// # Errors
    ///
    /// A name is not one that a certificate can hold.
    pub fn issue(&self, names: Vec<String>, now: Timestamp) -> Result<ServerCertificate, rcgen::Error> {
        let mut parameters = CertificateParams::new(names)?;
        validity(&mut parameters, now, CERTIFICATE_VALIDITY);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn make(now: Timestamp) -> Result<ServerCertificate, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "Portway configuration stream");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut parameters, now, AUTHORITY_VALIDITY);
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(ServerCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn validity(parameters: &mut CertificateParams, now: Timestamp, validity: Duration) {
    let now = std::time::SystemTime::from(now);
    parameters.not_before = (now - CLOCK_SKEW).into();
    parameters.not_after = (now + validity).into();
}

fn secret(new: &ServerCertificate) -> Secret {
    let entry = |name: &str, pem: &str| (name.to_owned(), ByteString(pem.as_bytes().to_vec()));
    Secret {
        metadata: ObjectMeta { name: Some(AUTHORITY_SECRET.to_owned()), ..ObjectMeta::default() },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some([entry(CERTIFICATE, &new.certificate), entry(KEY, &new.key)].into()),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CERTIFICATE_RENEWAL;

    #[test]
    fn what_it_issues_chains_to_it_and_has_the_names() {
        let made = make(Timestamp::UNIX_EPOCH).unwrap();
        let authority = Authority::from_pem(made.certificate, &made.key).unwrap();
        let issued = authority
            .issue(vec!["a.b.svc".to_owned(), "10.0.0.1".to_owned()], Timestamp::UNIX_EPOCH)
            .unwrap();
        assert!(KeyPair::from_pem(&issued.key).is_ok());
        assert!(
            issued.certificate.contains("BEGIN CERTIFICATE") && issued.certificate != authority.certificate
        );
    }

    /// A proxy whose clock is behind the controller's by less than that believes it all the same, and so does one whose
    /// clock is ahead: what is issued is renewed long before its end.
    #[test]
    fn clocks_may_differ_by_as_much_as_the_validity_begins_earlier() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut parameters = CertificateParams::default();
        validity(&mut parameters, now, CERTIFICATE_VALIDITY);
        let seconds = |it: Duration| i64::try_from(it.as_secs()).unwrap();
        let (begin, end) = (parameters.not_before.unix_timestamp(), parameters.not_after.unix_timestamp());
        assert_eq!(begin, now.as_second() - seconds(CLOCK_SKEW));
        assert_eq!(end, now.as_second() + seconds(CERTIFICATE_VALIDITY));
        assert!(CERTIFICATE_RENEWAL + CLOCK_SKEW < CERTIFICATE_VALIDITY);
    }
}
