//! How TLS ends at a listener: its certificates, and the validation of clients.

use portway_config::ListenerProtocol;
use portway_config::key::CertificateKey;
use portway_config::listener::TlsTermination;

use super::view::{ListenerView, Protocol};
use crate::context::{Context, Output};
use crate::finding::{FindingCode, Severity};
use crate::frontend_validation::FrontendValidation;
use crate::reason::Reason;
use crate::tls::certificate::name_covers;
use crate::tls::{BrokenRefKind, CheckedCertificate, reference};

/// The protocol with its TLS settings, unless the listener cannot be served.
pub(crate) fn protocol(
    context: &Context<'_>,
    listener: &mut ListenerView<'_>,
    frontend: &FrontendValidation,
    out: &mut Output,
) -> Option<ListenerProtocol> {
    let protocol = listener.protocol?;
    // Certificates are looked at in any case: who mends a conflict wants no second surprise.
    let certificates = match protocol {
        Protocol::Https | Protocol::TlsTerminate => certificates(context, listener, out),
        _ => Vec::new(),
    };
    let client_validation = match protocol {
        Protocol::Https => frontend.apply(listener, out),
        Protocol::TlsTerminate => {
            frontend.note_unvalidated(listener, out);
            None
        }
        _ => None,
    };
    let usable = listener.accepted && (!certificates.is_empty() || !is_terminated(protocol));
    let termination = TlsTermination { certificates, client_validation };
    usable.then_some(match protocol {
        Protocol::Http => ListenerProtocol::Http,
        Protocol::Https => ListenerProtocol::Https(termination),
        Protocol::TlsTerminate => ListenerProtocol::TlsTerminate(termination),
        Protocol::TlsPassthrough => ListenerProtocol::TlsPassthrough,
        Protocol::Tcp => ListenerProtocol::Tcp,
        Protocol::Udp => ListenerProtocol::Udp,
    })
}

fn is_terminated(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Https | Protocol::TlsTerminate)
}

/// The certificates that can be served, in the order of the listener. Each one that cannot is an
/// unresolved reference; the others are served all the same.
fn certificates(
    context: &Context<'_>,
    listener: &mut ListenerView<'_>,
    out: &mut Output,
) -> Vec<CertificateKey> {
    let references = listener.spec.tls.iter().flat_map(|tls| &tls.certificate_refs);
    let from = listener.owner.referrer();
    let mut found = Vec::new();
    for (index, it) in references.enumerate() {
        let field = format!("tls.certificateRefs[{index}]");
        match reference::certificate(context, from, it) {
            Ok(certificate) => {
                note_expiry(context, listener, &field, &certificate, out);
                found.push(certificate);
            }
            Err(broken) => {
                let reason = match broken.kind {
                    BrokenRefKind::NotPermitted => Reason::RefNotPermitted,
                    _ => Reason::InvalidCertificateRef,
                };
                let error = listener.error(broken.kind.code(), &field, broken.message.as_str());
                let error = broken.complete(error);
                listener.unresolved(reason, error, out);
            }
        }
    }
    note_uncovered(listener, &found, out);
    found.into_iter().map(|it| it.certificate.key.clone()).collect()
}

fn note_expiry(
    context: &Context<'_>,
    listener: &ListenerView<'_>,
    field: &str,
    certificate: &CheckedCertificate,
    out: &mut Output,
) {
    if let Some(objection) = context.objection(&certificate.validity) {
        let message = format!("the certificate of Secret {} {objection}", certificate.certificate.key.0);
        let finding = listener.error(FindingCode::CertificateExpired, field, message);
        out.find(finding.with_help("renew it: it is served, but clients refuse it"));
    }
}

/// A hostname that no certificate covers: clients will refuse, though the API finds nothing wrong.
fn note_uncovered(listener: &ListenerView<'_>, certificates: &[CheckedCertificate], out: &mut Output) {
    let Some(host) = listener.spec.hostname().filter(|_| !certificates.is_empty() && listener.claims) else {
        return;
    };
    let mut names = certificates.iter().flat_map(|it| &it.certificate.dns_names);
    if names.any(|name| name_covers(name, host) || below(host, name)) {
        return;
    }
    let message = format!("no certificate of the listener is for `{host}`, so clients will refuse it");
    let finding =
        listener.finding(Severity::Warning, FindingCode::InvalidCertificate, "tls.certificateRefs", message);
    out.find(finding.with_help("add a certificate for the hostname"));
}

/// Whether `name` is below the wildcard `host`: certificates of single names serve a listener for all of them.
fn below(host: &str, name: &str) -> bool {
    host.strip_prefix('*').is_some_and(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}
