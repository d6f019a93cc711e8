//! Workers, listening sockets and connections, down to the point where requests begin.

/// Tells a connection that it should end when its current requests have.
#[derive(Clone, Debug)]
pub struct DrainSignal {}

impl DrainSignal {
    /// Waits until the connection should end. Never returns while it need not.
    pub async fn drained(&mut self) {
        std::future::pending().await
    }
}
