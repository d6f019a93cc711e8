//! The responses that bring a proxy to a revision.

use std::collections::{BTreeMap, VecDeque};

use portway_config::Revision;

use crate::message::{Any, DeltaDiscoveryResponse, XdsResource};
use crate::publisher::Changes;
use crate::resource::{Resource, ResourceType, Version};

/// The responses that bring a proxy to a revision, each of one type, made one by one as they are sent. Only
/// together do they make sense, which their field `more` tells. There is at least one: that nothing has changed
/// is worth telling a proxy that has just connected.
#[derive(Debug)]
pub(super) struct Group {
    revision: Revision,
    changed: VecDeque<(Version, Resource)>,
    removed: BTreeMap<&'static str, Vec<String>>,
    /// Bytes of resources after which another response begins.
    response_bytes: usize,
    is_begun: bool,
}

impl Group {
    pub(super) fn new(changes: Changes, response_bytes: usize) -> Self {
        let mut removed = BTreeMap::<_, Vec<_>>::new();
        for (type_url, name) in changes.removed {
            removed.entry(type_url).or_default().push(name);
        }
        let changed = changes.changed.into();
        Self { revision: changes.revision, changed, removed, response_bytes, is_begun: false }
    }
}

impl Iterator for Group {
    type Item = DeltaDiscoveryResponse;

    /// The next response, without its nonce.
    fn next(&mut self) -> Option<DeltaDiscoveryResponse> {
        let url = |resource: &Resource| resource.key().resource_type().url();
        let type_url = match (self.changed.front(), self.removed.keys().next()) {
            (Some((_, resource)), _) => url(resource),
            (None, Some(removed)) => removed,
            (None, None) if self.is_begun => return None,
            (None, None) => ResourceType::Settings.url(),
        };
        self.is_begun = true;
        let mut resources = Vec::new();
        let mut bytes = 0;
        while bytes < self.response_bytes
            && let Some((version, resource)) = self.changed.pop_front_if(|it| url(&it.1) == type_url)
        {
            let value = resource.encode();
            bytes += value.len();
            resources.push(XdsResource {
                version: version.0.to_string(),
                resource: Some(Any { type_url: type_url.to_owned(), value }),
                name: resource.key().name(),
            });
        }
        Some(DeltaDiscoveryResponse {
            system_version_info: self.revision.to_string(),
            resources,
            type_url: type_url.to_owned(),
            nonce: String::new(),
            removed_resources: self.removed.remove(type_url).unwrap_or_default(),
            more: !(self.changed.is_empty() && self.removed.is_empty()),
        })
    }
}
