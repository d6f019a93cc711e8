//! Which PortwayParameters a Gateway is run with: those of its class, and its own over them (GEP-1867).

use portway_api::portway_parameters::PortwayParametersSpec;
use portway_api::resource::PORTWAY_GROUP;
use portway_api::{Gateway, GatewayClass, ObjectKey, PortwayParameters, Snapshot, Spec};

use crate::finding::{FindingCode, kind_of_group};

/// Why a reference leads to no parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: FindingCode,
    /// Below the reference; may be empty.
    pub(crate) field: &'static str,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// The parameters that a Gateway is run with: its own over those of its class, field by field. A reference that leads
/// nowhere counts as none; where there is one the Gateway is not accepted.
pub fn merged(snapshot: &Snapshot, gateway: &Gateway) -> PortwayParametersSpec {
    let class = snapshot.gateway_classes.get(&gateway.spec.gateway_class_name);
    let of_class = class.and_then(|class| of_class(snapshot, class).ok().flatten());
    let own = of_gateway(snapshot, gateway).ok().flatten();
    let spec =
        |parameters: Option<&PortwayParameters>| parameters.map(|it| it.spec.clone()).unwrap_or_default();
    spec(own).over(spec(of_class))
}

/// Those that a GatewayClass refers to.
pub(crate) fn of_class<'a>(
    snapshot: &'a Snapshot,
    class: &GatewayClass,
) -> Result<Option<&'a PortwayParameters>, Fault> {
    let Some(reference) = &class.spec.parameters_ref else { return Ok(None) };
    check_kind(&reference.group, &reference.kind)?;
    let Some(namespace) = &reference.namespace else {
        return Err(Fault {
            code: FindingCode::InvalidValue,
            field: ".namespace",
            message: "PortwayParameters are in namespaces, and none is named".to_owned(),
            help: "name the namespace",
        });
    };
    find(snapshot, &ObjectKey::new(namespace.as_str(), reference.name.as_str())).map(Some)
}

/// Those that a Gateway refers to.
pub(crate) fn of_gateway<'a>(
    snapshot: &'a Snapshot,
    gateway: &Gateway,
) -> Result<Option<&'a PortwayParameters>, Fault> {
    let reference = gateway.spec.infrastructure.as_ref().and_then(|it| it.parameters_ref.as_ref());
    let Some(reference) = reference else { return Ok(None) };
    check_kind(&reference.group, &reference.kind)?;
    find(snapshot, &ObjectKey::new(gateway.namespace(), reference.name.as_str())).map(Some)
}

fn check_kind(group: &str, kind: &str) -> Result<(), Fault> {
    if group == PORTWAY_GROUP && kind == PortwayParametersSpec::KIND {
        return Ok(());
    }
    Err(Fault {
        code: FindingCode::InvalidKind,
        field: "",
        message: format!("{} is not a kind of parameters that Portway has", kind_of_group(kind, group)),
        help: "refer to PortwayParameters of portway.dev, or remove the reference",
    })
}

fn find<'a>(snapshot: &'a Snapshot, key: &ObjectKey) -> Result<&'a PortwayParameters, Fault> {
    snapshot.portway_parameters.get(key).map(|it| &**it).ok_or_else(|| Fault {
        code: FindingCode::ReferenceNotFound,
        field: "",
        message: format!("PortwayParameters {key} does not exist"),
        help: "create it, or remove the reference",
    })
}
