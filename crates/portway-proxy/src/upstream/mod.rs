//! Backends: balancing, connection pools, connecting, draining.
//!
//! [`Backends`] is part of a snapshot: immutable, shared by all workers. [`Pools`] belongs to one
//! worker: it holds the connections, counts and failures of every backend that the worker has used.
//! A backend of a snapshot finds its pool by an identity that survives new snapshots for as long as
//! key and TLS settings stay the same, so that a change elsewhere closes no connection.

mod backend_pool;
mod backends;
mod body;
mod connect;
mod endpoint_pool;
mod error;
mod http1;
mod http2;
mod pin;
mod pools;
mod resolve;
mod retry_budget;
mod small_copy;
mod stream;
mod tls;

pub use backends::{Backend, BackendId, Backends};
pub use body::{RequestBody, UpstreamBody};
pub use connect::ConnectedStream;
pub use error::UpstreamError;
pub(crate) use error::in_full;
pub use pin::Pin;
pub use pools::{Encrypted, Pools, Sent, Wanted};
pub use stream::UpstreamStream;

#[cfg(test)]
mod tests;
