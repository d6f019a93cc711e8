//! The certificate that a Gateway shows to backends (GEP-3155).

use crate::context::{Context, Output};
use crate::finding::FindingCode;
use crate::listener::{GatewayView, Owner};
use crate::reason::{ConditionType, Reason};
use crate::tls::{BrokenRefKind, reference};

const FIELD: &str = "spec.tls.backend.clientCertificateRef";

/// Resolves `spec.tls.backend.clientCertificateRef`. Where it cannot be used, backends see no
/// certificate, and those that ask for one refuse; the Gateway is accepted all the same.
pub(super) fn resolve(context: &Context<'_>, view: &mut GatewayView<'_>, out: &mut Output) {
    let backend = view.gateway.spec.tls.as_ref().and_then(|tls| tls.backend.as_ref());
    let Some(it) = backend.and_then(|it| it.client_certificate_ref.as_ref()) else { return };
    match reference::certificate(context, Owner::Gateway(view.gateway).referrer(), it) {
        Ok(certificate) => {
            if let Some(objection) = context.objection(&certificate.validity) {
                let message =
                    format!("the certificate of Secret {} {objection}", certificate.certificate.key.0);
                let error = super::error(view.gateway, FindingCode::CertificateExpired, FIELD, message);
                out.find(error.with_help("renew it: it is shown to backends, but they refuse it"));
            }
            view.client_certificate = Some(certificate.certificate.key.clone());
        }
        Err(broken) => {
            let reason = match broken.kind {
                BrokenRefKind::NotPermitted => Reason::RefNotPermitted,
                _ => Reason::InvalidClientCertificateRef,
            };
            let error = super::error(view.gateway, broken.kind.code(), FIELD, broken.message.as_str());
            let error = broken.complete(error);
            view.conditions.fail(ConditionType::ResolvedRefs, reason, error.sentence());
            out.find(error);
        }
    }
}
