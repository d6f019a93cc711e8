//! `portway controller`: Kubernetes' side of Portway.

mod admin;

use portway_controller::{ControllerOptions, StartError};
use tokio::sync::watch;

use crate::cli::ControllerArgs;
use crate::standalone::signals::Signals;

/// Why a controller could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot listen on --admin {address}: {error}")]
    Admin { address: std::net::SocketAddr, error: std::io::Error },
    #[error("the system gives no thread: {0}")]
    Threads(std::io::Error),
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs until a signal asks to end.
///
/// # Errors
///
/// It could not start.
pub(crate) fn run(args: ControllerArgs) -> Result<(), Error> {
    // Translation has threads of its own; the rest is waiting.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Threads)?;
    runtime.block_on(serve(args))
}

async fn serve(args: ControllerArgs) -> Result<(), Error> {
    let mut signals = Signals::listen().map_err(Error::Signals)?;
    let (health, told) = watch::channel(None);
    let address = args.admin;
    let admin = admin::serve(address, told).map_err(|error| Error::Admin { address, error })?;
    let (stop, stopped) = watch::channel(false);
    let controller =
        portway_controller::run(options(args), stopped, |it| drop(health.send_replace(Some(it))));
    let mut controller = std::pin::pin!(controller);
    let result = tokio::select! {
        result = &mut controller => result,
        () = signals.stop() => {
            tracing::info!("ending; another controller takes over");
            stop.send_replace(true);
            controller.await
        }
    };
    admin.abort();
    result?;
    Ok(())
}

fn options(args: ControllerArgs) -> ControllerOptions {
    ControllerOptions {
        namespace: args.namespace,
        pod: args.pod_name,
        pod_ip: args.pod_ip,
        controller_names: args.controller_names.into_iter().collect(),
        stream_bind: args.stream_bind,
        image: args.image,
        image_pull_policy: args.image_pull_policy,
        trusted_hops: args.trusted_hops,
        service: args.service,
        agent_service_account: args.agent_service_account,
    }
}
