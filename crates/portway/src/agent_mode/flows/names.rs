//! The names of listeners, which the maps do not have.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use portway_ebpf::pinned::SeenFlow;
use portway_ebpf::service::Transport;

use crate::kernel_path::ListenerPath;
use crate::status;

/// Names by transport and address, as the agent knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    listeners: BTreeMap<(u8, SocketAddr), Vec<String>>,
    /// Why there are none.
    missing: Option<String>,
}

impl Names {
    /// Those that the agent tells of. Without it there are none.
    pub(super) fn ask(admin: SocketAddr) -> Self {
        match status::fetch(admin) {
            Ok(document) => Self::of(&document.paths),
            Err(error) => Self {
                missing: Some(format!(
                    "listeners are shown by the numbers of their services, since no agent tells their names at {admin}: {error}"
                )),
                ..Self::default()
            },
        }
    }

    pub(super) fn of(paths: &[ListenerPath]) -> Self {
        let mut listeners: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for path in paths {
            let transport = if path.transport == "UDP" { Transport::Udp } else { Transport::Tcp };
            let names = listeners.entry((transport.protocol(), path.address)).or_default();
            names.push(path.listener.clone());
        }
        Self { listeners, missing: None }
    }

    /// Listeners that share a port are one to the kernel: all their names.
    pub(super) fn listener(&self, flow: &SeenFlow) -> Option<String> {
        Some(self.listeners.get(&(flow.protocol, flow.listener))?.join(", "))
    }

    pub(super) fn has(&self, flow: &SeenFlow) -> bool {
        self.listeners.contains_key(&(flow.protocol, flow.listener))
    }

    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}
