//! `portway status`, and the document that it shows.

mod client;
mod document;
mod table;

use std::net::SocketAddr;
use std::process::ExitCode;

pub(crate) use self::client::fetch;
pub(crate) use self::document::StatusDocument;
use crate::cli::{Output, StatusArgs};
use crate::output;

pub(crate) fn run(args: &StatusArgs) -> ExitCode {
    let document = match fetch(args.admin) {
        Ok(document) => document,
        Err(error) => {
            output::print_error(&unreachable(args.admin, &error));
            return ExitCode::from(2);
        }
    };
    output::print(&match args.output {
        Output::Text => table::render(&document, table::terminal_width()),
        Output::Json => output::json(&document),
    });
    ExitCode::from(u8::from(!document.is_well()))
}

fn unreachable(admin: SocketAddr, error: &client::FetchError) -> String {
    format!(
        "error: cannot ask the Portway at {admin}: {error}\n  help: start it with `portway run`, or pass the address \
         that it was given as --admin\n"
    )
}
