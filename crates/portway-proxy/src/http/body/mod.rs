//! Bodies on their way through: counted, timed, copied where a feature needs it.

mod request;

pub use self::request::RequestBody;

/// What a body can fail with.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
