//! The listeners of all Gateways of a cluster, on one of its nodes.

use std::net::SocketAddr;

use portway_config::{Configuration, Exposure, Listener, NamespacedName};
use portway_ebpf::service::ServiceAddress;
use portway_route::Router;

use super::super::machine::Machine;
use super::super::nodes::Nodes;
use super::super::path::{ClientAddress, ListenerPath, Path, Reason};
use super::super::plan::{PlannedBackend, plan, plan_proxies};
use super::{Decision, Terms, Whose, service, socket, transport};

/// What a node knows.
#[derive(Clone, Copy)]
pub(in super::super) struct Node<'a> {
    pub(in super::super) machine: &'a Machine,
    pub(in super::super) terms: &'a Terms,
    /// All of the cluster.
    pub(in super::super) nodes: &'a Nodes,
}

/// What is behind a listener, by either way.
struct Plans {
    direct: Result<Vec<PlannedBackend>, Reason>,
    /// None where nobody has told of proxies.
    proxies: Option<Result<Vec<PlannedBackend>, Reason>>,
}

impl Decision {
    /// Adds the listeners of a node, at the addresses of their Gateways, which are no machine's own.
    pub(in super::super) fn add_exposed(
        &mut self,
        configuration: &Configuration,
        router: &Router,
        node: Node<'_>,
    ) {
        self.nodes = node.machine.links.values().copied().collect();
        for exposure in configuration.exposures.values() {
            let Some(listener) = configuration.listeners.get(&exposure.listener) else {
                continue;
            };
            let plans = Plans {
                direct: plan(configuration, router, listener),
                proxies: exposure.proxies.as_ref().map(|it| plan_proxies(configuration, it)),
            };
            for address in &exposure.addresses {
                let address = SocketAddr::new(*address, listener.port);
                self.add_exposure(exposure, listener, &plans, address, node);
            }
        }
    }

    /// The kernel takes packets to endpoints, if it can; else to the Gateway's proxies, if it can; else they are for the node's
    /// own stack.
    fn add_exposure(
        &mut self,
        exposure: &Exposure,
        listener: &Listener,
        plans: &Plans,
        address: SocketAddr,
        Node { machine, terms, nodes }: Node<'_>,
    ) {
        let serve = |backends: &Result<Vec<PlannedBackend>, Reason>| {
            let backends = backends.as_ref().map_err(Reason::clone)?;
            service(backends, address.ip(), machine, terms, nodes)
        };
        let whose = Whose { gateway: &exposure.gateway, listener };
        let reason = match serve(&plans.direct) {
            Ok((service, reason)) => {
                self.serve(whose, address, service, machine);
                let at = ServiceAddress { transport: transport(listener), address };
                self.through.insert(at, exposure.gateway.clone());
                return self.tell(listener, socket(listener), address, &reason);
            }
            Err(reason) => reason,
        };
        match plans.proxies.as_ref().map(serve) {
            Some(Ok((service, to_proxies))) => {
                self.serve(whose, address, service, machine);
                self.tell_of_proxies(listener, address, &reason, &to_proxies);
            }
            // Why not to the proxies says more than why not past them.
            Some(Err(reason)) => self.tell(listener, socket(listener), address, &reason),
            None => self.tell(listener, socket(listener), address, &reason),
        }
    }

    /// Has the backends know which Gateway their clients come through: a number for each. To proxies, clients are clients.
    pub(in super::super) fn number_gateways(&mut self, number: impl Fn(&NamespacedName) -> u32) {
        for (at, gateway) in &self.through {
            if let Some(service) = self.services.get_mut(at) {
                service.gateway = number(gateway);
            }
        }
    }

    fn tell_of_proxies(
        &mut self,
        listener: &Listener,
        address: SocketAddr,
        reason: &Reason,
        to_proxies: &Reason,
    ) {
        let client_address = to_proxies.client_address();
        let seen = match client_address {
            Some(ClientAddress::Hidden) => {
                format!(
                    "of the Gateway's proxies, to which the kernel takes packets, {}",
                    to_proxies.message()
                )
            }
            _ => {
                "the kernel takes packets to the Gateway's proxies, which see the client's address".to_owned()
            }
        };
        self.paths.push(ListenerPath {
            listener: listener.key.to_string(),
            key: Some(listener.key.clone()),
            transport: socket(listener).to_string(),
            address,
            path: Path::KernelToProxy,
            client_address,
            reason: reason.code().to_owned(),
            message: format!("{}; {seen}", reason.message()),
        });
    }
}

#[cfg(test)]
mod tests;
