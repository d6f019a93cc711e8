//! Endpoints that no manifest gives: of `--endpoint` and of demo backends.
//!
//! Both become EndpointSlices in the snapshot, so that translation needs to know of neither.

mod mirror;
mod option;
mod replace;
mod slice;

pub(crate) use self::option::{EndpointOption, Host};
pub(crate) use self::replace::{has_endpoints, replace};
pub(crate) use self::slice::{Replica, slice};
