//! The explanation for people.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};

use super::report::{BackendReport, GatewayReport, PathReport, Place, Reason, Report, WinnerReport};
use crate::kernel_path::{ListenerPath, Path};

const TITLE: Ansi = Ansi::new().bold();
const GOOD: Ansi = AnsiColor::Green.on_default().bold();
const BAD: Ansi = AnsiColor::Red.on_default().bold();
const DIM: Ansi = Ansi::new().dimmed();

/// Of a long list, this many are told and the rest is counted; JSON has them all.
const LISTED: usize = 50;

pub(super) fn render(report: &Report) -> String {
    let mut text = Text::default();
    let request = &report.request;
    let method = if request.stream().is_some() { String::new() } else { format!("{} ", request.method) };
    text.line(format_args!("{TITLE}{method}{}{TITLE:#}", request.url()));
    for (name, value) in &request.headers {
        text.line(format_args!("  {name}: {value}"));
    }
    if request.scheme == "https" {
        let name = request.server_name.as_deref().unwrap_or("none");
        text.line(format_args!("  {DIM}server name: {name}{DIM:#}"));
    }
    if report.gateways.is_empty() {
        let ports: Vec<_> = report.ports.iter().map(ToString::to_string).collect();
        let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
        text.line(format_args!(
            "\n{BAD}No Gateway serves port {}{BAD:#}; ports that are served: {ports}.",
            request.port
        ));
    }
    report.gateways.iter().for_each(|gateway| push_gateway(&mut text, gateway));
    if !report.not_attached.is_empty() {
        text.line(format_args!("\n{TITLE}Routes that are not attached{TITLE:#}"));
        text.list(&report.not_attached, |text, issue| {
            let position = issue.position.as_ref().map(ToString::to_string).unwrap_or_default();
            text.line(format_args!(
                "  {} {DIM}{position}{DIM:#}",
                issue.object.as_deref().unwrap_or_default()
            ));
            text.line(format_args!("    {}", issue.message));
        });
    }
    push_reasons(&mut text, "", "Not served", &report.not_served);
    if report.counts.errors > 0 {
        text.line(format_args!("\nThe manifests have {}; `portway check` tells of them.", report.counts));
    }
    text.0
}

fn push_gateway(text: &mut Text, report: &GatewayReport) {
    text.line(format_args!("\n{TITLE}{}{TITLE:#}{}", report.gateway.name, At(&report.gateway)));
    let style = if report.winner.is_some() { GOOD } else { BAD };
    text.line(format_args!("  {style}{}{style:#}", report.answer));
    if let Some(listener) = &report.listener {
        text.line(format_args!("    at       {}{}", listener.name, At(listener)));
    }
    match (&report.paths, &report.path) {
        (Some(paths), _) => push_paths(text, paths),
        (None, Some(PathReport { path, message, .. })) => {
            text.line(format_args!("    through  the {}: {message}", path.as_str()));
        }
        (None, None) => {}
    }
    if let Some(winner) = &report.winner {
        push_winner(text, winner);
    }
    push_reasons(text, "  ", "Other rules", &report.losers);
    push_reasons(text, "  ", "Other listeners", &report.other_listeners);
}

/// What the one tells who serves the listener.
fn push_paths(text: &mut Text, paths: &[ListenerPath]) {
    if paths.is_empty() {
        text.line(format_args!(
            "    through  unknown: who was asked by --admin tells nothing of this listener"
        ));
    }
    for ListenerPath { transport, address, path, reason, message, .. } in paths {
        let who = match path {
            Path::Kernel => "the kernel",
            Path::KernelToProxy => "the kernel to the proxies",
            Path::Proxy => "the proxy",
        };
        text.line(format_args!("    through  {who}, at {transport} {address} ({reason}): {message}"));
    }
}

fn push_winner(text: &mut Text, winner: &WinnerReport) {
    text.line(format_args!("    by       {}{}", winner.place.name, At(&winner.place)));
    text.line(format_args!("    matches  {}", winner.conditions));
    winner.filters.iter().zip(1..).for_each(|(filter, number)| {
        let label = if number == 1 { "filters" } else { "" };
        text.line(format_args!("    {label:8} {number}. {filter}"));
    });
    for setting in &winner.settings {
        text.line(format_args!("    with     {setting}"));
    }
    if let Some(fault) = &winner.fault {
        text.line(format_args!("    {BAD}refused{BAD:#}  every request is answered 500: {fault}"));
    }
    winner.backends.iter().for_each(|backend| push_backend(text, backend));
}

fn push_backend(text: &mut Text, backend: &BackendReport) {
    let endpoints = match backend.endpoints.as_slice() {
        [] => "no endpoints in the manifests".to_owned(),
        endpoints => endpoints.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    let (name, weight, percent) = (&backend.backend, backend.weight, backend.percent);
    text.line(format_args!("    to       {name}, weight {weight} ({percent:.0} %): {endpoints}"));
    for filter in &backend.filters {
        text.line(format_args!("               filter: {filter}"));
    }
}

fn push_reasons(text: &mut Text, indent: &str, title: &str, reasons: &[Reason]) {
    if reasons.is_empty() {
        return;
    }
    text.line(format_args!("\n{indent}{TITLE}{title}{TITLE:#}"));
    text.list(reasons, |text, Reason { place, reason }| {
        text.line(format_args!("{indent}  {}{}", place.name, At(place)));
        text.line(format_args!("{indent}    {reason}"));
    });
}

/// Where something is written, behind its name.
struct At<'a>(&'a Place);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.position.as_ref().map_or(Ok(()), |position| write!(f, "  {DIM}{position}{DIM:#}"))
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn list<T>(&mut self, items: &[T], tell: impl Fn(&mut Self, &T)) {
        items.iter().take(LISTED).for_each(|item| tell(self, item));
        if let Some(more) = items.len().checked_sub(LISTED).filter(|more| *more > 0) {
            self.line(format_args!("    … and {more} more (--output json has all)"));
        }
    }
}
