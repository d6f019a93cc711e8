//! The function itself.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use portway_api::{ObjectKey, Snapshot};
use portway_config::Configuration;
use portway_route::Router;

use crate::context::{Context, Output};
use crate::finding::Finding;
use crate::frame::Frame;
use crate::options::Options;
use crate::route::RouteMemory;
use crate::status::Statuses;
use crate::tls::KnownCertificates;
use crate::{gateway, route};

/// What translation yields.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// One configuration for each Gateway that is ours and accepted.
    pub configurations: BTreeMap<ObjectKey, Configuration>,
    /// The status of every object.
    pub statuses: Statuses,
    /// What is worth telling a person, sorted.
    pub findings: Vec<Finding>,
    /// When the result becomes another by the time alone: a certificate begins or ends to be valid. Translate again
    /// then.
    pub next_change: Option<Timestamp>,
}

/// What a translation leaves for the next: what it was made from, and what came of it, part by part. It saves work and
/// changes no result.
#[derive(Default)]
pub struct Memory {
    certificates: KnownCertificates,
    frame: Option<Frame>,
    routes: RouteMemory,
}

impl Memory {
    /// The routes of a Gateway as the translation has compiled them, to find rules that never match; absent for a Gateway
    /// without routes. Whoever serves the Gateway from here need not compile them once more.
    pub fn router(&self, gateway: &ObjectKey) -> Option<&Router> {
        self.routes.router(gateway)
    }
}

/// Nothing of it: it has Secrets.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// Translates all objects at one moment.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    translate_remembering(snapshot, options, &mut Memory::default())
}

/// As [`translate`], with the same result, but does again only what has another result than in the translation before, which
/// left `memory` there. Objects that are shared between the two snapshots are taken for unchanged without a look.
///
/// One difference there is: a condition that has changed carries the moment of the translation that changed it, and that may be an
/// earlier one, the result of which nobody has written yet.
pub fn translate_remembering(snapshot: &Snapshot, options: &Options, memory: &mut Memory) -> Translation {
    let context = Context::new(snapshot, options, std::mem::take(&mut memory.certificates));
    let mut out = Output::default();
    let mut gateways = gateway::views(&context, &mut out);
    if !memory.frame.as_ref().is_some_and(|frame| frame.holds(snapshot, options)) {
        memory.routes.expect_anything();
    }
    route::translate_routes(&context, &mut gateways, &mut memory.routes, &mut out);
    gateway::finish(&context, gateways, &mut out);
    let Output { configurations, statuses, mut findings } = out;
    findings.sort();
    findings.dedup();
    let next_change = context.next_change();
    memory.certificates = context.tls.into_known();
    memory.frame = Some(Frame::new(snapshot, options, next_change));
    Translation { configurations, statuses, findings, next_change }
}
