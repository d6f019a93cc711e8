//! The L7 data plane: it accepts connections and serves requests as a [`Snapshot`] says.
//!
//! The order of a request, with the names that the modules have:
//!
//! | step | module |
//! | --- | --- |
//! | accept | [`connection`] |
//! | TLS | [`tls`], [`connection`] |
//! | decode | [`http`], by hyper |
//! | normalise | [`http`] |
//! | match | `portway-route` |
//! | listener filters, auth, rate limit, route filters | [`http`] |
//! | choose backend | [`http`] |
//! | choose endpoint, connect, forward | [`upstream`] |
//! | respond | [`http`] |
//! | record | [`observe`] |
//!
//! A worker is a thread with a single-threaded runtime. Each has its own listening sockets
//! (`SO_REUSEPORT`) and its own connection pools, so that a request never leaves its thread. One
//! immutable [`Snapshot`] serves a request from its beginning to its end.

pub mod connection;
pub mod http;
pub mod limits;
pub mod observe;
pub mod proxy;
pub mod reason;
pub mod snapshot;
pub mod tls;
pub mod upstream;
pub mod worker;

pub use proxy::Proxy;
pub use snapshot::Snapshot;
