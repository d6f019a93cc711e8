//! Connections through a running proxy, with real sockets on the loopback interface.

mod apply;
mod edge;
mod peers;
mod tcp;
mod tls;
mod udp;
