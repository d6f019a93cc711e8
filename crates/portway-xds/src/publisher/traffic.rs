//! How much has gone over all streams since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;

use crate::message::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use crate::resource::ResourceType;

/// How much has gone over all streams since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    admitted: AtomicU64,
    turned_away: AtomicU64,
    /// In the order of [`ResourceType::ALL`].
    by_type: [TypeCounters; ResourceType::ALL.len()],
}

#[derive(Debug, Default)]
struct TypeCounters {
    resources: AtomicU64,
    bytes: AtomicU64,
    nacks: AtomicU64,
}

/// The same, of one type of resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeTraffic {
    /// Resources that were sent.
    pub resources: u64,
    /// Bytes of the messages about the type.
    pub bytes: u64,
    /// Answers of proxies that refuse a resource of the type.
    pub nacks: u64,
}

impl Traffic {
    /// Streams that were let in.
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Streams that were turned away.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// What went over them of one type.
    pub fn of(&self, kind: ResourceType) -> TypeTraffic {
        let Some(counters) = self.counters(kind.url()) else { return TypeTraffic::default() };
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TypeTraffic {
            resources: load(&counters.resources),
            bytes: load(&counters.bytes),
            nacks: load(&counters.nacks),
        }
    }

    pub(crate) fn note_admission(&self, is_admitted: bool) {
        let counter = if is_admitted { &self.admitted } else { &self.turned_away };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_response(&self, response: &DeltaDiscoveryResponse) {
        let Some(counters) = self.counters(&response.type_url) else { return };
        counters.resources.fetch_add(response.resources.len() as u64, Ordering::Relaxed);
        counters.bytes.fetch_add(response.encoded_len() as u64, Ordering::Relaxed);
    }

    /// An answer to a response.
    pub(crate) fn note_answer(&self, request: &DeltaDiscoveryRequest) {
        if request.error_detail.is_some()
            && let Some(counters) = self.counters(&request.type_url)
        {
            counters.nacks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counters(&self, url: &str) -> Option<&TypeCounters> {
        let index = ResourceType::ALL.iter().position(|it| it.url() == url)?;
        self.by_type.get(index)
    }
}
