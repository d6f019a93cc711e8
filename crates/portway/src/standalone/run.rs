//! The life of `portway run`: start, follow changes, drain.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portway_config::Revision;
use portway_proxy::Proxy;
use portway_proxy::observe::{ObserveOptions, Observer};
use portway_proxy::proxy::ProxyOptions;
use portway_translate::Memory;

use super::error::StartError;
use super::signals::{Asked, Signals};
use super::stage::Settings;
use super::{Report, Standalone, clock, summary};
use crate::admin::{AdminServer, AdminState};
use crate::cli::RunArgs;
use crate::demo_backend::DemoBackends;
use crate::issue::{self, Style};
use crate::kernel_path::KernelPath;
use crate::live::LiveManifests;
use crate::output;
use crate::watch::Watch;
use crate::wording::counted;

/// How often to try again to open a socket that the system refused: whoever has the port may have left.
pub(crate) const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Serves until a signal asks to end.
///
/// # Errors
///
/// It could not start.
pub(crate) fn run(args: RunArgs) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    runtime.block_on(serve(args))
}

async fn serve(args: RunArgs) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let observer = Arc::new(Observer::new(observe_options(&args), Box::new(io::stdout())));
    let kernel_path = KernelPath::new(args.ebpf, args.routed_back.clone(), args.drain_timeout);
    let state = Arc::new(AdminState::new(Arc::clone(&observer)).with_kernel_path(kernel_path.clone()));
    let admin = AdminServer::start(args.admin, Arc::clone(&state))
        .map_err(|error| StartError::Admin { address: args.admin, error })?;
    let grace = args.drain_timeout;
    let mut standalone = standalone(args, kernel_path.clone(), Arc::clone(&state), &observer)?;
    // Before the first reading, so that no change is missed.
    let mut watch = Watch::new(standalone.manifests.paths());

    let report = tokio::select! {
        report = standalone.read(Timestamp::now()) => report,
        () = signals.stop() => return Ok(()),
    };
    if let Some(report) = report {
        refuse_to_start(&report)?;
        if let Some(why) = kernel_path.failure() {
            return Err(StartError::Ebpf(why));
        }
        output::print_error(&summary::of(
            &report,
            standalone.demo_backends.as_ref(),
            &kernel_path.paths(),
            admin.address(),
        ));
    }

    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            () = watch.changed() => Asked::Reload,
            () = tokio::time::sleep(OPEN_AGAIN), if standalone.has_refused_sockets() => {
                standalone.open_again(Timestamp::now()).await;
                continue;
            }
            // It never ends by itself.
            () = kernel_path.attend() => continue,
            () = clock::wait_until(standalone.next_change, Timestamp::now) => {
                standalone.translate_again(Timestamp::now()).await;
                continue;
            }
        };
        match asked {
            Asked::Reload => standalone.reload().await,
            Asked::Stop => break,
        }
    }
    let Standalone { proxy, admin: shared_state, .. } = standalone;
    kernel_path.stop();
    let deadline = tokio::time::Instant::now() + grace;
    // What is left in place would live to the end of this function, and the observer with it.
    drop(shared_state);
    let has_drained = drain(proxy, &mut signals, grace, &state).await;
    if has_drained {
        drain_kernel(&kernel_path, &mut signals, deadline).await;
    }
    admin.stop();
    drop(state);
    // The last lines of the access log. All others who hold on to it have ended, unless connections were cut.
    if let Some(observer) = Arc::into_inner(observer).filter(|_| has_drained) {
        observer.finish();
    }
    Ok(())
}

fn observe_options(args: &RunArgs) -> ObserveOptions {
    ObserveOptions { log: args.access_log.format(), route_metrics: args.route_metrics }
}

fn standalone(
    args: RunArgs,
    kernel_path: KernelPath,
    admin: Arc<AdminState>,
    observer: &Arc<Observer>,
) -> Result<Standalone, StartError> {
    let mut options = ProxyOptions::default();
    options.workers = args.workers.map_or(options.workers, usize::from);
    let proxy = Proxy::start(options, observer).map_err(StartError::Threads)?;
    Ok(Standalone {
        manifests: LiveManifests::new(args.manifests.paths),
        demo_backends: args.demo_backends.then(DemoBackends::default),
        settings: Settings {
            bind: args.bind,
            port_offset: args.port_offset,
            trusted_hops: args.trusted_hops,
            endpoints: args.endpoints,
        },
        proxy,
        revision: Revision::default(),
        since: Timestamp::UNIX_EPOCH,
        gateways: Vec::new(),
        memory: Memory::default(),
        next_change: None,
        refused_sockets: Vec::new(),
        kernel_path,
        admin,
    })
}

/// Where nothing of what was asked for can be had, it is better to end than to wait: whoever started this is there
/// to see it.
fn refuse_to_start(report: &Report) -> Result<(), StartError> {
    let published = &report.published;
    let error = if report.files == 0 && !published.refused.is_empty() {
        StartError::NothingToRead
    } else {
        let wanted = published.gateways.iter().map(|it| it.configuration.listeners.len()).sum::<usize>();
        if wanted == 0 || !published.open_sockets().is_empty() {
            return Ok(());
        }
        StartError::NoSocket
    };
    output::print_error(&issue::render(&published.all_issues(), Style::default()));
    Err(error)
}

impl Standalone {
    async fn reload(&mut self) {
        let revision = self.revision;
        match self.read(Timestamp::now()).await {
            None => tracing::debug!("no file has changed"),
            Some(_) if self.revision == revision => {
                tracing::info!(%revision, "files have changed; what is served is the same");
            }
            Some(_) => {}
        }
    }
}

/// Lets the connections that the kernel serves end, until the deadline or another signal: they end with the process.
async fn drain_kernel(kernel_path: &KernelPath, signals: &mut Signals, deadline: tokio::time::Instant) {
    tokio::select! {
        () = kernel_path.drained() => {}
        () = tokio::time::sleep_until(deadline) => {
            tracing::warn!("connections that the kernel serves have not ended in time; cut");
        }
        () = signals.stop() => tracing::warn!("connections that the kernel serves are cut"),
    }
}

/// Lets requests under way end, until `grace` is over or another signal comes. Returns whether the workers have ended.
pub(crate) async fn drain(proxy: Proxy, signals: &mut Signals, grace: Duration, state: &AdminState) -> bool {
    state.drain();
    tracing::info!("draining for at most {grace:?}; another signal ends at once");
    tokio::select! {
        drained = proxy.drain(grace) => match drained.cut {
            0 => tracing::info!("all connections have ended"),
            cut => tracing::warn!("{} had not ended within {grace:?}; cut", counted(cut, "connection")),
        },
        () = signals.stop() => {
            tracing::warn!("connections are cut");
            // The workers are still waiting for connections to end. They end with the process.
            return false;
        }
    }
    proxy.shutdown();
    true
}
