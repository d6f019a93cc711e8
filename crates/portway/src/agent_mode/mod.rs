//! `portway agent`: the kernel data plane of a node, for TCPRoutes and UDPRoutes of all Gateways of a cluster.

mod announce;
mod cluster;
mod run;

use std::process::ExitCode;

pub(crate) use self::announce::{AnnouncedAddress, Seen};
use crate::cli::{AgentArgs, AgentCommand, StatusArgs};
use crate::output;

/// As clap ends where the command line is wrong.
const WRONG_USE: u8 = 2;

pub(crate) fn run(args: AgentArgs) -> ExitCode {
    let result = match (args.command, args.serve) {
        (Some(AgentCommand::Status { admin, output }), _) => {
            return crate::status::run(&StatusArgs { admin, output });
        }
        (Some(AgentCommand::Remove { pins }), _) => portway_ebpf::pin::remove(&pins, false)
            .map(|was_there| {
                let told = if was_there { "removed" } else { "nothing was there" };
                output::print(&format!("{}: {told}\n", pins.display()));
            })
            .map_err(|error| error.to_string()),
        (None, Some(args)) => run::run(args).map_err(|error| error.to_string()),
        (None, None) => {
            output::print_error(
                "error: --controller and --node-address are needed; see `portway agent --help`\n",
            );
            return ExitCode::from(WRONG_USE);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            output::print_error(&format!("error: {message}\n"));
            ExitCode::FAILURE
        }
    }
}
