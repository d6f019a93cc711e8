//! The backends of a Gateway, compiled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::{BackendKey, Configuration, EndpointAddress, Endpoints};
use portway_shared_map::{SharedMap, SharedSlots};

use super::pin::Pin;
use super::tls::{ClientTls, TlsRefused};

/// The backends of one Gateway, with their endpoints and TLS settings, compiled.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    pub(crate) ids: SharedMap<BackendKey, BackendId>,
    list: SharedSlots<Arc<Backend>>,
}

/// Index of a backend in [`Backends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackendId(pub u32);

/// One backend of a snapshot.
#[derive(Debug)]
pub struct Backend {
    /// Key.
    pub key: BackendKey,
    /// Stays the same for as long as key and TLS settings do: what the pools know a backend by.
    pub(super) identity: u64,
    /// Grows with each change of the endpoints.
    pub(super) generation: u64,
    pub(super) tls: Tls,
    /// Endpoints that new requests may go to.
    pub(super) endpoints: Vec<EndpointAddress>,
    pub(super) pins: OnceLock<Vec<Pin>>,
    /// What the above was compiled from.
    source: Source,
}

#[derive(Clone, Debug)]
struct Source {
    tls: BackendTls,
    endpoints: Option<Arc<Endpoints>>,
}

/// TLS towards a backend, compiled.
#[derive(Clone, Debug)]
pub(super) enum Tls {
    Plain,
    With(ClientTls),
    Refused(TlsRefused),
}

static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Backends {
    /// Compiles the backends of a configuration. What stays the same as in `previous` is shared with it, and a backend
    /// that was there keeps its index.
    pub fn compile(configuration: &Configuration, previous: Option<&Self>) -> Self {
        let mut backends = previous.cloned().unwrap_or_default();
        let gone = backends.ids.keys().filter(|key| !configuration.backends.contains_key(*key));
        for key in gone.cloned().collect::<Vec<_>>() {
            backends.remove(&key);
        }
        for (key, source) in &configuration.backends {
            backends.put(key, source, configuration);
        }
        backends
    }

    /// The same, given the configuration that this was compiled from: looks at no more than what is different.
    pub(crate) fn recompile(&self, before: &Configuration, after: &Configuration) -> Self {
        // Any TLS settings may be made of them.
        let is_material_same = before.certificates.replaced(&after.certificates).next().is_none()
            && before.trust_bundles.replaced(&after.trust_bundles).next().is_none();
        if !is_material_same {
            return Self::compile(after, Some(self));
        }
        let mut backends = self.clone();
        for it in before.backends.replaced(&after.backends) {
            match it.after {
                Some(source) => backends.put(it.key, source, after),
                None => backends.remove(it.key),
            }
        }
        for it in before.endpoints.replaced(&after.endpoints) {
            for protocol in BackendProtocol::ALL {
                let key = BackendKey { endpoints: it.key.clone(), protocol };
                if let Some(source) = after.backends.get(&key) {
                    backends.put(&key, source, after);
                }
            }
        }
        backends
    }

    fn put(&mut self, key: &BackendKey, source: &portway_config::Backend, configuration: &Configuration) {
        let source = Source {
            tls: source.tls.clone(),
            endpoints: configuration.endpoints.get(&key.endpoints).cloned(),
        };
        let id = self.id(key);
        let old = id.and_then(|id| self.get(id)).cloned();
        // Certificates may change without their keys changing, so TLS is always compiled anew
        // and compared by what it was compiled from.
        let backend = match old {
            Some(old) if old.is_from(&source) && !old.tls.is_tls() => return,
            old => Arc::new(Backend::compile(key.clone(), source, configuration, old.as_deref())),
        };
        match id {
            Some(id) => self.list.set(id.0, Some(backend)),
            None => {
                self.ids.insert(key.clone(), BackendId(self.list.insert(backend)));
            }
        }
    }

    fn remove(&mut self, key: &BackendKey) {
        if let Some(id) = self.ids.remove(key) {
            self.list.remove(id.0);
        }
    }

    /// The backend with this key.
    pub fn id(&self, key: &BackendKey) -> Option<BackendId> {
        self.ids.get(key).copied()
    }

    /// The backend itself.
    pub fn get(&self, id: BackendId) -> Option<&Arc<Backend>> {
        self.list.get(id.0 as usize)
    }
}

impl Tls {
    fn is_tls(&self) -> bool {
        matches!(self, Self::With(_))
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain, Self::Plain) => true,
            (Self::With(a), Self::With(b)) => a.same(b),
            (Self::Refused(a), Self::Refused(b)) => a == b,
            _ => false,
        }
    }
}

impl Backend {
    fn compile(key: BackendKey, source: Source, configuration: &Configuration, old: Option<&Self>) -> Self {
        let tls = compile_tls(&key, &source.tls, configuration);
        let endpoints = usable(source.endpoints.as_deref());
        let identity = match old {
            Some(old) if old.tls.same(&tls) => old.identity,
            _ => next(),
        };
        let generation = match old {
            Some(old) if old.identity == identity && old.endpoints == endpoints => old.generation,
            _ => next(),
        };
        // A pool that goes on keeps its TLS sessions, too.
        let tls = match old {
            Some(old) if old.identity == identity => old.tls.clone(),
            _ => tls,
        };
        Self { key, identity, generation, tls, endpoints, pins: OnceLock::new(), source }
    }

    fn is_from(&self, source: &Source) -> bool {
        self.source.tls == source.tls && self.source.endpoints == source.endpoints
    }

    /// Number of endpoints that new requests may go to.
    pub fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_tls()
    }
}

fn compile_tls(key: &BackendKey, tls: &BackendTls, configuration: &Configuration) -> Tls {
    match tls {
        BackendTls::Plain => Tls::Plain,
        BackendTls::Refused(fault) => {
            Tls::Refused(TlsRefused { message: fault.message.clone(), reason: fault.reason })
        }
        BackendTls::Tls(settings) => {
            let alpn: &[&[u8]] = match key.protocol {
                BackendProtocol::Http1 => &[b"http/1.1"],
                BackendProtocol::Http2 => &[b"h2"],
                BackendProtocol::Tcp | BackendProtocol::Udp => &[],
            };
            ClientTls::compile(settings, alpn, configuration).map_or_else(Tls::Refused, Tls::With)
        }
    }
}

/// Terminating endpoints are used only when no endpoint is ready (KEP-1669).
fn usable(endpoints: Option<&Endpoints>) -> Vec<EndpointAddress> {
    let all = endpoints.map(|it| it.endpoints.as_slice()).unwrap_or_default();
    let in_state = |state| all.iter().filter(move |it| it.state == state).map(|it| it.address.clone());
    let ready: Vec<_> = in_state(EndpointState::Ready).collect();
    if ready.is_empty() { in_state(EndpointState::Terminating).collect() } else { ready }
}
