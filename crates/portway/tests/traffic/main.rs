//! Traffic of clients and servers that no one here wrote, through a running `portway run`.
//!
//! The clients are curl, h2load, openssl, h2spec, and Python's gRPC and WebSocket libraries (`peers/`).
//! They come with `make setup`; where one is missing, the tests that need it fail.

#![cfg(test)]

mod backends;
mod changes;
mod early_answers;
mod external_auth;
mod gateway;
mod grpc;
mod h2spec;
mod http;
mod manifests;
mod peer;
#[path = "../running/mod.rs"]
mod running;
mod sessions;
mod tls;
mod websocket;
