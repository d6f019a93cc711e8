//! The loop of the controller, in parts that do not wait for one another.
//!
//! | part | follows | does |
//! | --- | --- | --- |
//! | [`translation`] | the objects | translates, publishes to the proxies; endpoints by a short path |
//! | [`agents`] | what is translated | puts together what node agents are told |
//! | [`agents_standing`] | what node agents say | tells it in the conditions of listeners |
//! | [`statuses`] | what is published, what the proxies say | writes statuses |
//! | [`provisioning`] | what is published | brings up and down what serves a Gateway |
//! | [`policies`] | pods and NetworkPolicies | tells of policies that do not do what they seem to |
//! | [`events`] | what is found | tells it where `kubectl describe` shows it |

pub(crate) mod agents;
mod agents_standing;
pub(crate) mod data_plane;
pub(crate) mod events;
pub(crate) mod policies;
pub(crate) mod provisioning;
pub(crate) mod statuses;
mod transition_times;
pub(crate) mod translation;
