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

/// Whether a body broke off because it is not framed as HTTP/1.1 asks for (a chunk without a size, say), and not because
/// whoever sends it has gone away.
pub(crate) fn is_malformed(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput};

    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| matches!(error.kind(), InvalidData | InvalidInput))
}

/// What a body can fail with.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
