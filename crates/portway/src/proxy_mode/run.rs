//! The life of `portway proxy`: start, follow the controller, drain.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portway_config::NamespacedName;
use portway_proxy::Proxy;
use portway_proxy::observe::{ObserveOptions, Observer};
use portway_proxy::proxy::ProxyOptions;
use portway_xds::{Client, ClientOptions, Limits};
use tokio::time::{Instant, sleep, sleep_until};

use super::compile::Addresses;
use super::error::StartError;
use super::serve::ServedGateway;
use crate::admin::{AdminServer, AdminState};
use crate::cli::{ProxyArgs, StreamArgs};
use crate::standalone::signals::{Asked, Signals};
use crate::standalone::{OPEN_AGAIN, drain};

/// How long there must be no update before memory is given back, which takes milliseconds.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(2);

/// How many resources must have come by then. What a few have taken, the next few take again.
const GIVE_BACK_FROM: usize = 100;

/// Serves until a signal asks to end.
///
/// # Errors
///
/// It could not start.
pub(crate) fn run(args: ProxyArgs) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    runtime.block_on(serve(args))
}

async fn serve(args: ProxyArgs) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let options = ObserveOptions { log: args.access_log.format(), route_metrics: args.route_metrics };
    let observer = Arc::new(Observer::new(options, Box::new(io::stdout())));
    let state = Arc::new(AdminState::new(Arc::clone(&observer)));
    let admin = AdminServer::start(args.admin, Arc::clone(&state))
        .map_err(|error| StartError::Admin { address: args.admin, error })?;
    let mut options = ProxyOptions::default();
    options.workers = args.workers.map_or(options.workers, usize::from);
    let proxy = Proxy::start(options, &observer).map_err(StartError::Threads)?;
    let addresses = Addresses { bind: addresses(&args.bind), admin_port: admin.address().port() };
    tracing::info!(
        "proxy of Gateway {}, controlled by {}; http://{}/ answers questions",
        args.gateway,
        args.stream.controller,
        admin.address()
    );
    let (delay, grace) = (args.drain_delay, args.drain_timeout);
    let mut gateway = ServedGateway::new(proxy, addresses, Arc::clone(&state));
    let mut client = Client::start(client_options(args.stream, args.gateway, args.state_dir));

    follow(&mut client, &mut gateway, stop(&mut signals)).await;
    state.drain();
    tracing::info!("not ready any more; serving on for {delay:?}");
    let is_over = Instant::now() + delay;
    let ended_early = tokio::select! {
        () = follow(&mut client, &mut gateway, sleep_until(is_over)) => false,
        () = signals.stop() => true,
    };
    client.stop().await;
    let proxy = gateway.into_proxy();
    let has_ended = if ended_early {
        proxy.shutdown();
        true
    } else {
        drain(proxy, &mut signals, grace, &state).await
    };
    admin.stop();
    drop(state);
    // The last lines of the access log. All others who hold on to it have ended, unless connections were cut.
    if let Some(observer) = Arc::into_inner(observer).filter(|_| has_ended) {
        observer.finish();
    }
    Ok(())
}

/// Serves what the controller says until `end` resolves.
async fn follow(client: &mut Client, gateway: &mut ServedGateway, end: impl Future<Output = ()>) {
    let mut end = std::pin::pin!(end);
    loop {
        let report = tokio::select! {
            update = client.next() => {
                gateway.apply(update, Timestamp::now()).await
            }
            // Reading and compiling takes several times the memory of what comes of it.
            () = sleep(GIVE_BACK_AFTER), if gateway.read() >= GIVE_BACK_FROM => {
                gateway.forget_read();
                portway_allocator::give_back();
                continue;
            }
            () = sleep(OPEN_AGAIN), if gateway.has_refused_sockets() => gateway.open_again().await,
            () = &mut end => return,
        };
        client.report(report);
    }
}

/// Waits for a signal that asks to end. There is nothing to look at again.
async fn stop(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// By default all addresses: those of IPv6, which take IPv4 along, unless the system is without IPv6.
fn addresses(bind: &[IpAddr]) -> Vec<IpAddr> {
    if !bind.is_empty() {
        return bind.to_vec();
    }
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    vec![if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }]
}

/// How the configuration of a Gateway is followed. With a state directory, it is kept there.
pub(crate) fn client_options(
    stream: StreamArgs,
    gateway: NamespacedName,
    state_dir: Option<PathBuf>,
) -> ClientOptions {
    ClientOptions {
        gateway,
        // The pods that the controller makes have it; elsewhere the host's name is good enough for a log.
        pod: ["POD_NAME", "HOSTNAME"].iter().find_map(|it| std::env::var(it).ok()).unwrap_or_default(),
        controller: stream.controller,
        ca_file: stream.controller_ca,
        token_file: stream.token_file,
        state_dir,
        random: Box::new(random),
        limits: Limits::default(),
    }
}

/// At least 0 and less than 1.
fn random() -> f64 {
    // Each RandomState has keys of its own; 32 bits have an exact form in f64.
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
