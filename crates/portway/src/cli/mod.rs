//! The command line: what can be asked, and how it is explained.

mod agent;
mod controller;
mod explain;
mod proxy;
mod run;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

pub(crate) use self::agent::{AgentArgs, AgentCommand, AgentServeArgs, FlowsArgs, Switch};
pub(crate) use self::controller::ControllerArgs;
pub(crate) use self::explain::{AskedRequest, ExplainArgs};
pub(crate) use self::proxy::ProxyArgs;
pub(crate) use self::run::{AccessLog, RunArgs};
pub(crate) use self::stream::StreamArgs;

/// Where a running Portway answers questions about itself, unless it is told otherwise.
pub(crate) const DEFAULT_ADMIN: &str = "127.0.0.1:9900";

/// Serve Kubernetes Gateway API manifests, and ask what they mean.
#[derive(Debug, Parser)]
#[command(
    name = "portway",
    version,
    max_term_width = 100,
    styles = STYLES,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What the process says about itself on standard error: off, error, warn, info, debug, trace, or
    /// directives such as `info,portway_proxy=debug`; by default what RUST_LOG says, else `info`
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve manifests, and follow their changes
    Run(RunArgs),
    /// Serve one Gateway as a controller says; what runs in the pods that it makes
    Proxy(ProxyArgs),
    /// Control a cluster: watch its objects, write statuses, run proxies for its Gateways
    Controller(ControllerArgs),
    /// Serve TCPRoutes and UDPRoutes on a node of a cluster by eBPF, or ask the agent that does
    Agent(AgentArgs),
    /// Find every problem in manifests, with file, line and field
    Check(CheckArgs),
    /// Tell who would serve a request, and why nobody else
    Explain(ExplainArgs),
    /// Show what a running Portway says of every object
    Status(StatusArgs),
    /// Serve the page of a demo backend: the stand-in for a container in test clusters
    #[command(hide = true)]
    DemoBackend(DemoBackendArgs),
    /// Print the completions for a shell
    #[command(after_help = "Example:\n  portway completions bash > /etc/bash_completion.d/portway")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page, or write those of all commands to a directory
    #[command(after_help = "Example:\n  portway man | man -l -")]
    Man {
        /// Write one page for each command here
        #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoBackendArgs {
    /// Where to listen; may be repeated
    #[arg(long, value_name = "ADDR:PORT", required = true)]
    pub(crate) bind: Vec<SocketAddr>,
}

/// The manifests that a command works on.
#[derive(Debug, Args)]
pub(crate) struct Manifests {
    /// Files and directories with manifests in YAML or JSON; `-` is standard input
    ///
    /// Of a directory, all files below it that end in .yaml, .yml or .json are read, apart from those whose
    /// names begin with a dot.
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) manifests: Manifests,

    /// Form of the answer
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(crate) struct StatusArgs {
    /// The admin address of the running Portway
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_ADMIN)]
    pub(crate) admin: SocketAddr,

    /// Form of the answer
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[value(alias = "table")]
    Text,
    /// For scripts; its form is documented and stable
    Json,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  portway run examples/my-app --demo-backends --port-offset 8000
  portway check examples/my-app
  portway explain examples/my-app -- GET http://myapp.example.com/cart
  portway status

`portway COMMAND --help` tells more of a command.";

const CHECK_HELP: &str = "\
Exit status:
  0  nothing to say, or notes alone
  1  warnings
  2  errors

Examples:
  portway check manifests/
  kustomize build | portway check -
  portway check manifests/ --output json | jq -r '.problems[].message'";

const STATUS_HELP: &str = "\
Exit status:
  0  every object is as its author wants it
  1  some object is not, or a changed file was refused
  2  no running Portway answers

Examples:
  portway status
  portway status --admin 127.0.0.1:9901 --output json";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::explain::RequestArgs;
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        RequestArgs::command().debug_assert();
    }
}
