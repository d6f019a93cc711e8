//! Validation of client certificates, which a Gateway sets for all HTTPS listeners of a port (GEP-91).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use portway_api::Gateway;
use portway_api::gateway::{FrontendTlsValidation, FrontendValidationMode, TlsConfig};
use portway_api::object::ObjectRef;
use portway_api::resource::{GATEWAY_GROUP, Spec};
use portway_config::listener::{ClientValidation, ClientValidationMode};

use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::{ListenerView, Owner};
use crate::reason::{ConditionType, Reason};
use crate::reference_grant::Referrer;
use crate::tls::{BrokenRefKind, reference};

/// What a Gateway asks of its clients.
#[derive(Debug, Default)]
pub(crate) struct FrontendValidation {
    default: Option<Checked>,
    /// `None` where a port is exempt from the default.
    ports: BTreeMap<u16, Option<Checked>>,
}

/// One setting, with what is wrong with it.
#[derive(Debug)]
struct Checked {
    validation: ClientValidation,
    faults: Vec<(Reason, Finding)>,
}

impl Checked {
    /// A setting that lets nobody in.
    fn unusable() -> Self {
        let validation = ClientValidation { trust: Vec::new(), mode: ClientValidationMode::AllowValidOnly };
        Self { validation, faults: Vec::new() }
    }
}

impl FrontendValidation {
    /// Reads `spec.tls.frontend` and resolves its references.
    pub(crate) fn read(context: &Context<'_>, gateway: &Gateway, out: &mut Output) -> Self {
        let Some(frontend) = gateway.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref()) else {
            return Self::default();
        };
        let mut it = Self {
            default: check(context, gateway, &frontend.default, "spec.tls.frontend.default", out),
            ports: BTreeMap::new(),
        };
        for (index, entry) in frontend.per_port.iter().enumerate() {
            let field = format!("spec.tls.frontend.perPort[{index}]");
            let checked = check(context, gateway, &entry.tls, &format!("{field}.tls"), out);
            if let Err((message, help)) = it.add(entry.port, checked) {
                let code = FindingCode::InvalidValue;
                let error = finding(gateway, Severity::Error, code, format!("{field}.port"), message);
                out.find(error.with_help(help));
            }
        }
        it
    }

    /// Adds the setting of a port. Where there is one already, nobody can tell which is meant: the
    /// port is closed rather than open by mistake.
    fn add(&mut self, port: i32, checked: Option<Checked>) -> Result<(), (String, &'static str)> {
        let valid = u16::try_from(port).ok().filter(|it| *it != 0);
        let port = valid.ok_or_else(|| (format!("{port} is not a port"), "use a number from 1 to 65535"))?;
        match self.ports.entry(port) {
            Entry::Vacant(vacant) => {
                vacant.insert(checked);
                Ok(())
            }
            Entry::Occupied(mut occupied) => {
                occupied.insert(Some(Checked::unusable()));
                Err((
                    format!("port {port} is set twice, so no client is let in"),
                    "leave one setting for each port",
                ))
            }
        }
    }

    /// Whether clients without a valid certificate are let through somewhere.
    pub(crate) fn is_insecure(&self) -> bool {
        let all = self.default.iter().chain(self.ports.values().flatten());
        all.map(|it| it.validation.mode).any(|mode| mode == ClientValidationMode::AllowInsecureFallback)
    }

    fn on_port(&self, port: u16) -> Option<&Checked> {
        self.ports.get(&port).map_or(self.default.as_ref(), Option::as_ref)
    }

    /// What an HTTPS listener asks of its clients. References that lead to nothing are the listener's
    /// too; where none is left, it is refused: it must not fall back to asking nothing.
    pub(crate) fn apply(
        &self,
        listener: &mut ListenerView<'_>,
        out: &mut Output,
    ) -> Option<ClientValidation> {
        let checked = self.on_port(listener.port)?;
        // What the Gateway refers to is not for the owners of ListenerSets to know.
        let is_own = matches!(listener.owner, Owner::Gateway(_));
        for (reason, fault) in &checked.faults {
            let text = if is_own { fault.sentence() } else { FOREIGN_FAULT.to_owned() };
            listener.conditions.fail(ConditionType::ResolvedRefs, *reason, text);
        }
        if checked.validation.trust.is_empty() {
            let error = listener
                .error(
                    FindingCode::InvalidCertificate,
                    "",
                    "no trust anchor to validate clients by is usable",
                )
                .with_help("mend `spec.tls.frontend` of the Gateway");
            listener.refuse(Reason::NoValidCACertificate, error, out);
            return None;
        }
        Some(checked.validation.clone())
    }

    /// Validation is for HTTPS; who ends plain TLS on such a port may think otherwise.
    pub(crate) fn note_unvalidated(&self, listener: &ListenerView<'_>, out: &mut Output) {
        if self.on_port(listener.port).is_some() {
            let message = format!(
                "the Gateway validates clients of port {}, but for HTTPS listeners only; this one takes all",
                listener.port
            );
            out.find(listener.finding(Severity::Warning, FindingCode::NoEffect, "protocol", message));
        }
    }
}

const FOREIGN_FAULT: &str =
    "A reference in the Gateway's settings for client certificates is broken; its owner must mend it.";

fn check(
    context: &Context<'_>,
    gateway: &Gateway,
    tls: &TlsConfig,
    field: &str,
    out: &mut Output,
) -> Option<Checked> {
    let validation: &FrontendTlsValidation = tls.validation.as_ref()?;
    let from = Referrer {
        group: GATEWAY_GROUP,
        kind: portway_api::gateway::GatewaySpec::KIND,
        namespace: gateway.namespace(),
    };
    let mode = match validation.mode {
        FrontendValidationMode::AllowValidOnly => ClientValidationMode::AllowValidOnly,
        FrontendValidationMode::AllowInsecureFallback => ClientValidationMode::AllowInsecureFallback,
    };
    let mut checked =
        Checked { validation: ClientValidation { trust: Vec::new(), mode }, faults: Vec::new() };
    for (index, it) in validation.ca_certificate_refs.iter().enumerate() {
        let field = format!("{field}.validation.caCertificateRefs[{index}]");
        match reference::trust(context, from, it) {
            Ok(bundle) => {
                for objection in context.objections(&bundle) {
                    let message = format!("{} {}: {objection}", it.kind, it.name);
                    let warning = finding(
                        gateway,
                        Severity::Warning,
                        FindingCode::CertificateExpired,
                        field.clone(),
                        message,
                    );
                    out.find(warning.with_help("renew it: certificates that it signed are refused"));
                }
                checked.validation.trust.push(bundle.bundle.key.clone());
            }
            Err(broken) => {
                let reason = match broken.kind {
                    BrokenRefKind::Kind => Reason::InvalidCACertificateKind,
                    BrokenRefKind::NotPermitted => Reason::RefNotPermitted,
                    _ => Reason::InvalidCACertificateRef,
                };
                let (code, message) = (broken.kind.code(), broken.message.clone());
                let error = broken.complete(finding(gateway, Severity::Error, code, field, message));
                out.find(error.clone());
                checked.faults.push((reason, error));
            }
        }
    }
    Some(checked)
}

fn finding(
    gateway: &Gateway,
    severity: Severity,
    code: FindingCode,
    field: String,
    message: String,
) -> Finding {
    Finding::new(severity, code, ObjectRef::of(gateway), field, message)
}
