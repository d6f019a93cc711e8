//! The options of `portway controller`.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = CONTROLLER_HELP)]
pub(crate) struct ControllerArgs {
    /// The image that the proxies of each Gateway run
    #[arg(long, env = "PORTWAY_IMAGE", value_name = "IMAGE")]
    pub(crate) image: String,

    /// When the image of the proxies is pulled
    #[arg(long, value_name = "POLICY", default_value = "IfNotPresent", value_parser = ["Always", "IfNotPresent", "Never"])]
    pub(crate) image_pull_policy: String,

    /// Namespace of this controller
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: String,

    /// Name of the pod of this controller
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: String,

    /// Address of the pod of this controller
    #[arg(long, env = "POD_IP", value_name = "ADDR")]
    pub(crate) pod_ip: IpAddr,

    /// Name of the Service by which proxies find the controller that leads
    #[arg(long, value_name = "NAME", default_value = "portway-controller")]
    pub(crate) service: String,

    /// ServiceAccount of the node agents, in this controller's namespace; without it there are none
    #[arg(long, value_name = "NAME")]
    pub(crate) agent_service_account: Option<String>,

    /// Controller name that GatewayClasses ask for; may be repeated
    ///
    /// Another implementation's name takes its GatewayClasses over as they are; that implementation must not run then.
    #[arg(long = "controller-name", value_name = "NAME", default_value = portway_translate::options::CONTROLLER_NAME)]
    pub(crate) controller_names: Vec<String>,

    /// Address on which proxies are given their configuration
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:18000")]
    pub(crate) stream_bind: SocketAddr,

    /// Address for /healthz, /readyz and /metrics
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19901")]
    pub(crate) admin: SocketAddr,

    /// Proxies in front of each Gateway whose X-Forwarded-For entries are believed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) trusted_hops: u8,
}

const CONTROLLER_HELP: &str = "\
It runs as a Deployment, made by the Helm chart in deploy/. Several may run: one leads, the others are
ready to follow at once. Access to the API server is what the pod's ServiceAccount gives, or, outside
of a cluster, what KUBECONFIG names.

Exit status:
  0  stopped by a signal
  1  could not start: the message tells why
  2  wrong use of the command line";
