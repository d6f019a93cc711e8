//! The function itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portway_api::{ObjectKey, Snapshot};
use portway_config::Configuration;

use crate::context::{Context, Output};
use crate::finding::Finding;
use crate::options::Options;
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

/// Translates all objects at one moment.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    translate_knowing(snapshot, options, &mut KnownCertificates::default())
}

/// As [`translate`], with the same result, but reads no certificate again that the translation before has read. `known`
/// is what that one left there, and holds afterwards what this one has read.
pub fn translate_knowing(
    snapshot: &Snapshot,
    options: &Options,
    known: &mut KnownCertificates,
) -> Translation {
    let context = Context::new(snapshot, options, std::mem::take(known));
    let mut out = Output::default();
    let mut gateways = gateway::views(&context, &mut out);
    route::translate_routes(&context, &mut gateways, &mut out);
    gateway::finish(&context, gateways, &mut out);
    let Output { configurations, statuses, mut findings } = out;
    findings.sort();
    findings.dedup();
    let next_change = context.next_change();
    *known = context.tls.into_known();
    Translation { configurations, statuses, findings, next_change }
}
