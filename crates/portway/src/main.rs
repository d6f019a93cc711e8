//! The command `portway`.

mod check;
mod cli;
mod demo_backend;
mod endpoints;
mod issue;
mod object_name;
mod offline;
mod output;
mod shell;
mod wording;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Run(_) | Command::Explain(_) | Command::Status(_) => {
            output::print_error("error: this command is not there yet\n");
            ExitCode::FAILURE
        }
        Command::Completions { shell } => {
            shell::completions(shell);
            ExitCode::SUCCESS
        }
        Command::Man { directory } => match shell::man(directory.as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::print_error(&format!("error: cannot write the man pages: {error}\n"));
                ExitCode::FAILURE
            }
        },
    }
}
