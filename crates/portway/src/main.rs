//! The command `portway`.

mod admin;
mod agent_mode;
mod check;
mod cli;
mod controller_mode;
mod demo_backend;
mod endpoints;
mod explain;
mod issue;
mod kernel_path;
mod live;
mod log;
mod object_name;
mod offline;
mod output;
mod proxy_mode;
mod shell;
mod standalone;
mod status;
mod watch;
mod wording;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: portway_allocator::Allocator = portway_allocator::Allocator;

fn main() -> ExitCode {
    let Cli { command, log_level } = Cli::parse();
    if let Err(error) = log::start(log_level.as_deref()) {
        return failure("--log-level", error);
    }
    match command {
        Command::Run(args) => {
            standalone::run(args).map_or_else(|error| failure("cannot start", error), |()| ExitCode::SUCCESS)
        }
        Command::Proxy(args) => {
            proxy_mode::run(args).map_or_else(|error| failure("cannot start", error), |()| ExitCode::SUCCESS)
        }
        Command::Agent(args) => agent_mode::run(args),
        Command::Controller(args) => controller_mode::run(args)
            .map_or_else(|error| failure("cannot start", error), |()| ExitCode::SUCCESS),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Status(args) => status::run(&args),
        Command::DemoBackend(args) => demo_backend::run(&args)
            .map_or_else(|error| failure("cannot serve", error), |()| ExitCode::SUCCESS),
        Command::Completions { shell } => {
            shell::completions(shell);
            ExitCode::SUCCESS
        }
        Command::Man { directory } => shell::man(directory.as_deref())
            .map_or_else(|error| failure("cannot write the man pages", error), |()| ExitCode::SUCCESS),
    }
}

fn failure(what: &str, error: impl Display) -> ExitCode {
    output::print_error(&format!("error: {what}: {error}\n"));
    ExitCode::FAILURE
}
