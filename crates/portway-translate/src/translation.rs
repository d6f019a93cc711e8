//! The function itself.

use std::collections::BTreeMap;

use portway_api::{ObjectKey, Snapshot};
use portway_config::Configuration;

use crate::finding::Finding;
use crate::options::Options;
use crate::status::Statuses;

/// What translation yields.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// One configuration for each Gateway that is ours and accepted.
    pub configurations: BTreeMap<ObjectKey, Configuration>,
    /// The status of every object.
    pub statuses: Statuses,
    /// What is worth telling a person, sorted.
    pub findings: Vec<Finding>,
}

/// Translates all objects at one moment.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    let _ = (snapshot, options);
    Translation::default()
}
