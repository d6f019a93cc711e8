//! Drives hyper's connection to its end: asks it to end when the worker drains or its time is up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use hyper::server::conn::{http1, http2};
use tokio::time::{Sleep, sleep};

use super::ClientConnection;
use super::watchdog::{Expired, Watchdog};
use crate::connection::DrainSignal;

/// A connection of hyper's that can be asked to end.
pub(super) trait Served: Future<Output = hyper::Result<()>> {
    /// `Connection: close` with the next response, or GOAWAY.
    fn end_gracefully(self: Pin<&mut Self>);
}

impl<I, S, B> Served for http1::UpgradeableConnection<I, S>
where
    Self: Future<Output = hyper::Result<()>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<super::super::body::BodyError>,
    B: hyper::body::Body + 'static,
    B::Error: Into<super::super::body::BodyError>,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Served for http2::Connection<I, S, E>
where
    Self: Future<Output = hyper::Result<()>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<super::super::body::BodyError>,
    B: hyper::body::Body + 'static,
    B::Error: Into<super::super::body::BodyError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection until it has ended, by itself or because it should.
pub(super) async fn drive<C: Served>(
    mut served: Pin<Box<C>>,
    connection: &ClientConnection,
    mut drain: DrainSignal,
) -> hyper::Result<()> {
    let mut drained = pin!(drain.drained());
    let mut watchdog = Watchdog::new(connection);
    let mut draining = false;
    let mut farewell: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = served.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            if connection.poll_unread(context) {
                continue;
            }
            if !draining && drained.as_mut().poll(context).is_ready() {
                draining = true;
                served.as_mut().end_gracefully();
                continue;
            }
            if let Some(farewell) = &mut farewell {
                return farewell.as_mut().poll(context).map(Ok);
            }
            match watchdog.poll(context, connection) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Expired::Head) => return Poll::Ready(Ok(())),
                Poll::Ready(Expired::Idle) => {
                    served.as_mut().end_gracefully();
                    farewell = Some(Box::pin(sleep(connection.worker.limits.farewell_timeout)));
                }
            }
        }
    })
    .await
}
