//! GatewayClasses: which are ours, and whether we accept them.

use std::collections::BTreeMap;

use portway_api::GatewayClass;
use portway_api::object::ObjectRef;

use crate::context::{Context, Output};
use crate::feature;
use crate::finding::{Finding, FindingCode, Severity, kind_of_group};
use crate::reason::{ConditionType, Reason};

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
    // There is no kind of parameters yet, so each reference is one to an unsupported kind.
    let accepted = class.spec.parameters_ref.is_none();
    if let Some(parameters) = &class.spec.parameters_ref {
        let error = Finding::new(
            Severity::Error,
            FindingCode::InvalidKind,
            ObjectRef::cluster("GatewayClass", class.name()),
            "spec.parametersRef",
            format!(
                "{} is not a kind of parameters that Portway has",
                kind_of_group(&parameters.kind, &parameters.group)
            ),
        )
        .with_help("remove the reference");
        conditions.set(ConditionType::Accepted, false, Reason::InvalidParameters, error.sentence());
        out.find(error);
    } else {
        let message = format!("Portway serves the Gateways of this class as {}.", class.spec.controller_name);
        conditions.set(ConditionType::Accepted, true, Reason::Accepted, message);
    }
    conditions.set(
        ConditionType::SupportedVersion,
        true,
        Reason::SupportedVersion,
        "Portway supports Gateway API v1.7.0.",
    );
    let previous = class.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let status = out.statuses.gateway_classes.entry(class.name().to_owned()).or_default();
    status.conditions = conditions.finish(previous);
    status.supported_features = feature::supported();
    ClassView { class, accepted }
}
