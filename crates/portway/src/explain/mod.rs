//! `portway explain`: who would serve a request, and why nobody else.

mod report;
mod request;
mod text;
mod unserved;
mod words;

use std::net::SocketAddr;
use std::process::ExitCode;

use jiff::Timestamp;

use self::report::Report;
use self::request::ExplainedRequest;
use crate::cli::{AskedRequest, ExplainArgs, Output};
use crate::issue::{self, Style};
use crate::kernel_path::ListenerPath;
use crate::offline::Offline;
use crate::{output, status};

/// What ends `explain` with a status of 2: what was asked for cannot be read.
const UNREADABLE: u8 = 2;

pub(crate) fn run(args: &ExplainArgs) -> ExitCode {
    let asked = match args.asked() {
        Ok(asked) => asked,
        Err(error) => error.exit(),
    };
    match explain(args, &asked) {
        Ok(report) => {
            output::print(&match asked.output {
                Output::Text => text::render(&report),
                Output::Json => output::json(&report),
            });
            ExitCode::from(u8::from(!report.is_served()))
        }
        Err(message) => {
            output::print_error(&message);
            ExitCode::from(UNREADABLE)
        }
    }
}

/// Who takes what comes to each listener, as the one tells who serves it.
fn paths(admin: SocketAddr) -> Result<Vec<ListenerPath>, String> {
    let document = status::fetch(admin);
    document.map(|it| it.paths).map_err(|error| {
        format!(
            "error: cannot ask the Portway at {admin}: {error}\n  help: --admin is that of `portway run` or of a node's agent; \
             without it, the manifests alone are asked\n"
        )
    })
}

/// The explanation, or why there is none.
fn explain(args: &ExplainArgs, asked: &AskedRequest) -> Result<Report, String> {
    let request = ExplainedRequest::read(asked).map_err(|error| format!("error: {error}\n"))?;
    let mut offline = Offline::read(&args.manifests.paths, Timestamp::now());
    if offline.objects == 0 {
        offline.issues.sort();
        let issues = issue::render(&offline.issues, Style::default());
        return Err(format!("{issues}error: there is no object to ask\n"));
    }
    let paths = asked.admin.map(paths).transpose()?;
    Ok(Report::of(&offline, &request, paths.as_deref()))
}
