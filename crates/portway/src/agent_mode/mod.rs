//! `portway agent`: the kernel data plane of a node, for TCPRoutes and UDPRoutes of all Gateways of a cluster.

mod announce;
mod cluster;
mod flows;
mod policy;
mod run;

use std::path::Path;
use std::process::ExitCode;

use portway_ebpf::{KernelError, pin};

pub(crate) use self::announce::{AnnouncedAddress, Seen};
pub(crate) use self::flows::At;
pub(crate) use self::policy::{GuardedPod, Guarding, PolicyReport};
use crate::cli::{AgentArgs, AgentCommand, StatusArgs};
use crate::output;

/// As clap ends where the command line is wrong.
const WRONG_USE: u8 = 2;

pub(crate) fn run(args: AgentArgs) -> ExitCode {
    let result = match (args.command, args.serve.zip(args.stream)) {
        (Some(AgentCommand::Status { admin, output }), _) => {
            return crate::status::run(&StatusArgs { admin, output });
        }
        (Some(AgentCommand::Flows(args)), _) => flows::run(&args),
        (Some(AgentCommand::Remove { pins }), _) => remove(&pins)
            .map(|was_there| {
                let told = if was_there { "removed" } else { "nothing was there" };
                output::print(&format!("{}: {told}\n", pins.display()));
            })
            .map_err(|error| error.to_string()),
        (None, Some((args, stream))) => run::run(args, stream).map_err(|error| error.to_string()),
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

/// Takes away programs and maps, those of network policy among them.
fn remove(pins: &Path) -> Result<bool, KernelError> {
    let of_policy = pin::remove(&policy::pins_beside(pins), false)?;
    Ok(pin::remove(pins, false)? || of_policy)
}
