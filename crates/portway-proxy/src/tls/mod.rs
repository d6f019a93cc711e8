//! TLS towards clients: certificates by server name, client validation.

/// TLS settings of one listener.
#[derive(Debug)]
pub struct ListenerTls {}
