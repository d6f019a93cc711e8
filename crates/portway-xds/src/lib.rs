//! The configuration stream: incremental xDS with Portway's own resource types.
//!
//! The controller publishes with a [`Publisher`] and serves with [`serve`]; a proxy receives with a [`Client`].
//! `docs/configuration-stream.md` describes what is on the wire.

pub mod client;
pub mod limits;
pub mod message;
pub mod publisher;
pub mod refusal;
pub mod resource;
pub mod server;

pub use client::{Client, ClientOptions, Report, Update};
pub use limits::Limits;
pub use publisher::{Acknowledgements, Publisher};
pub use refusal::Refusal;
pub use resource::{Resource, ResourceKey, ResourceType};
pub use server::{Authenticate, AuthenticationError, Identity, Server, ServerTls, serve};
