//! Demo backends: small servers in the place of the replicas of Deployments.
//!
//! For each Service whose selector fits the pods of a Deployment, each replica of that Deployment becomes a server
//! on a free port of the loopback interface. They stay over changes of the manifests; more or fewer replicas start
//! or stop some.

mod answer;
mod command;
mod selection;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portway_api::core::Deployment;
use portway_api::{Object, ObjectKey, Snapshot};

pub(crate) use self::command::run;
use self::selection::{Selection, selections};
use self::server::{Server, ServerThread};
use crate::endpoints::{Host, Replica, has_endpoints, slice};

/// Replicas of one Deployment at most: who writes 1,000 replicas does not mean 1,000 servers on a laptop.
const MAX_REPLICAS: usize = 10;

/// Servers at most.
const MAX_SERVERS: usize = 500;

/// The demo backends of this process.
#[derive(Debug, Default)]
pub(crate) struct DemoBackends {
    /// Started with the first server.
    thread: Option<ServerThread>,
    /// The replicas of each Deployment.
    servers: BTreeMap<ObjectKey, Vec<Server>>,
}

impl DemoBackends {
    /// Starts and stops servers so that they fit the manifests, and adds their addresses to the snapshot as
    /// EndpointSlices. Returns what stands in the way, as sentences.
    ///
    /// Services that manifests give endpoints of keep those.
    pub(crate) fn serve(&mut self, snapshot: &mut Snapshot) -> Vec<String> {
        let selections: Vec<_> = selections(snapshot)
            .into_iter()
            .filter(|selection| !has_endpoints(snapshot, &ObjectKey::of(&selection.service.metadata)))
            .collect();
        let mut told = self.fit(&selections);
        let mut slices = Vec::new();
        for Selection { service, ports, deployment, .. } in &selections {
            for (server, number) in self.servers.get(deployment).into_iter().flatten().zip(1..) {
                let suffix = format!("demo-{}-{number}", deployment.name);
                let host = Host::Address(Ipv4Addr::LOCALHOST.into());
                let replica = Replica { suffix: &suffix, host: &host, port: server.port() };
                slices.push(slice(service, ports, replica));
            }
        }
        for slice in slices {
            snapshot.insert(Object::EndpointSlice(Arc::new(slice)));
        }
        told.sort();
        told.dedup();
        told
    }

    /// The addresses of the servers of each Deployment.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&ObjectKey, Vec<SocketAddr>)> {
        let address = |server: &Server| SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        self.servers
            .iter()
            .filter(|(_, servers)| !servers.is_empty())
            .map(move |(deployment, servers)| (deployment, servers.iter().map(address).collect()))
    }

    /// Starts and stops servers.
    fn fit(&mut self, selections: &[Selection]) -> Vec<String> {
        self.servers.retain(|deployment, _| selections.iter().any(|it| it.deployment == *deployment));
        let mut told = Vec::new();
        for Selection { deployment, replicas, .. } in selections {
            if *replicas > MAX_REPLICAS {
                told.push(format!(
                    "Deployment {deployment} has {replicas} replicas; {MAX_REPLICAS} demo backends stand for them"
                ));
            }
            if let Err(error) = self.fit_one(deployment, (*replicas).min(MAX_REPLICAS)) {
                told.push(format!("cannot start a demo backend for Deployment {deployment}: {error}"));
            }
        }
        told
    }

    fn fit_one(&mut self, deployment: &ObjectKey, replicas: usize) -> io::Result<()> {
        let elsewhere: usize = self.servers.iter().filter(|it| it.0 != deployment).map(|it| it.1.len()).sum();
        let servers = self.servers.entry(deployment.clone()).or_default();
        servers.truncate(replicas);
        while servers.len() < replicas {
            if elsewhere + servers.len() >= MAX_SERVERS {
                return Err(io::Error::other(format!("there are {MAX_SERVERS} already")));
            }
            let thread = match &self.thread {
                Some(thread) => thread,
                None => self.thread.insert(ServerThread::start()?),
            };
            servers.push(thread.serve(answer::pod_name(deployment, servers.len()))?);
        }
        Ok(())
    }
}

/// Replicas that a Deployment asks for.
fn replicas(deployment: &Deployment) -> usize {
    let replicas = deployment.spec.replicas.unwrap_or(1);
    usize::try_from(replicas).unwrap_or_default()
}

#[cfg(test)]
mod tests;
