//! GatewayClasses: which are ours, and whether we accept them.

use std::collections::BTreeMap;

use portway_api::GatewayClass;
use portway_api::object::ObjectRef;

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
    conditions.set(
        ConditionType::SupportedVersion,
        true,
        Reason::SupportedVersion,
        "Portway supports Gateway API v1.7.0.",
    );
    let previous = class.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let status = out.statuses.gateway_classes.entry(class.name().to_owned()).or_default();
    status.conditions = conditions.finish(previous);
    status.supported_features = feature::supported(context.options.cluster.is_some());
    ClassView { class, accepted }
}
