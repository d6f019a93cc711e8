//! Bodies on their way through: counted, timed, copied where a feature needs it.

mod idle;
mod request;
mod response;

pub use self::request::RequestBody;
pub(crate) use self::response::{ResponseBody, Until};

/// What a body can fail with.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
