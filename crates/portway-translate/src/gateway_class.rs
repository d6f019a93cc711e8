//! GatewayClasses: which are ours, and whether we accept them.

use std::collections::BTreeMap;

use portway_api::GatewayClass;
use portway_api::object::ObjectRef;

use crate::condition::Conditions;
use crate::context::{Context, Output};
use crate::finding::{Finding, Severity};
use crate::reason::{ConditionType, Reason};
use crate::{feature, parameters};

/// A class of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassView<'a> {
    /// The object.
    pub(crate) class: &'a GatewayClass,
    /// Whether its Gateways are served.
    pub(crate) accepted: bool,
}

/// Our classes by name, with their statuses written.
pub(crate) fn translate<'a>(context: &Context<'a>, out: &mut Output) -> BTreeMap<&'a str, ClassView<'a>> {
    let ours = context
        .snapshot
        .gateway_classes
        .iter()
        .filter(|(_, class)| context.options.controllers.include(&class.spec.controller_name));
    ours.map(|(name, class)| (name.as_str(), accept(context, class, out))).collect()
}

fn accept<'a>(context: &Context<'a>, class: &'a GatewayClass, out: &mut Output) -> ClassView<'a> {
    let mut conditions = context.conditions(class.generation());
    let parameters = parameters::of_class(context.snapshot, class);
    let accepted = parameters.is_ok();
    if let Err(fault) = parameters {
        let error = Finding::new(
            Severity::Error,
            fault.code,
            ObjectRef::cluster("GatewayClass", class.name()),
            format!("spec.parametersRef{}", fault.field),
            fault.message,
        )
        .with_help(fault.help);
        conditions.set(ConditionType::Accepted, false, Reason::InvalidParameters, error.sentence());
        out.find(error);
    } else {
        let message = format!("Portway serves the Gateways of this class as {}.", class.spec.controller_name);
        conditions.set(ConditionType::Accepted, true, Reason::Accepted, message);
    }
    supported_version(context, &mut conditions);
    let previous = class.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let status = out.statuses.gateway_classes.entry(class.name().to_owned()).or_default();
    status.conditions = conditions.finish(previous);
    status.supported_features = feature::supported(context.options.cluster.as_ref());
    ClassView { class, accepted }
}

/// The release of the Gateway API that Portway is made for.
const SUPPORTED: &str = "v1.7.0";

/// Whether the CRDs are of a release that we know. Of another we serve what we know all the same: "best effort" (`apis/v1`,
/// GatewayClassReasonUnsupportedVersion).
fn supported_version(context: &Context<'_>, conditions: &mut Conditions) {
    let versions = context.options.cluster.iter().flat_map(|it| &it.bundle_versions);
    let unknown: Vec<_> = versions.filter(|it| !is_supported(it)).map(String::as_str).collect();
    if unknown.is_empty() {
        let message = format!("Portway supports Gateway API {SUPPORTED}.");
        conditions.set(ConditionType::SupportedVersion, true, Reason::SupportedVersion, message);
    } else {
        let message = format!(
            "CRDs of Gateway API {} are installed; Portway is made for {SUPPORTED}, and serves what it knows of them.",
            unknown.join(", ")
        );
        conditions.set(ConditionType::SupportedVersion, false, Reason::UnsupportedVersion, message);
    }
}

/// Every release of `v1` adds to the one before; so all up to ours are known.
fn is_supported(version: &str) -> bool {
    let minor = |it: &str| it.strip_prefix("v1.")?.split(['.', '-']).next()?.parse::<u32>().ok();
    minor(version).is_some_and(|it| Some(it) <= minor(SUPPORTED))
}

#[cfg(test)]
mod tests {
    use super::is_supported;

    #[test]
    fn releases_up_to_ours_are_known() {
        for known in ["v1.7.0", "v1.7.1", "v1.0.0", "v1.7.0-rc.1"] {
            assert!(is_supported(known), "{known}");
        }
        for unknown in ["v1.8.0", "v2.0.0", "v0.8.1", "main", ""] {
            assert!(!is_supported(unknown), "{unknown}");
        }
    }
}
