//! Bodies on their way through: counted, timed, copied where a feature needs it.

mod idle;
mod replay;
mod request;
mod response;
mod tee;

pub(crate) use self::replay::Replay;
pub use self::request::RequestBody;
pub(crate) use self::request::Unreadable;
pub(crate) use self::response::{ResponseBody, Until};

/// What a body can fail with.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
