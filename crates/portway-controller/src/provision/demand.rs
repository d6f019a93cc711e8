//! What a Gateway asks for, as far as it decides what is provisioned.

use std::collections::{BTreeMap, BTreeSet};

use portway_api::Gateway;
use portway_api::portway_parameters::PortwayParametersSpec;

use super::naming;
use super::port::ServedPort;
use crate::address::ServiceAddressing;

/// What a Gateway asks for, as far as it decides what is provisioned.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The Gateway.
    pub gateway: &'a Gateway,
    /// Its parameters over those of its class.
    pub parameters: &'a PortwayParametersSpec,
    /// The ports of all its listeners that are served.
    pub ports: &'a BTreeSet<ServedPort>,
    /// What its addresses ask of the Service.
    pub addressing: &'a ServiceAddressing,
}

impl Demand<'_> {
    /// The name of everything that is provisioned.
    pub(super) fn name(&self) -> String {
        naming::name(self.gateway.name(), &self.gateway.spec.gateway_class_name)
    }

    /// The annotations of everything that is provisioned.
    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        self.gateway.spec.infrastructure.as_ref().map(|it| it.annotations.clone()).unwrap_or_default()
    }

    pub(super) fn uses_host_network(&self) -> bool {
        self.parameters.host_network.unwrap_or_default()
    }
}
