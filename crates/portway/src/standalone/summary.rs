//! What `portway run` tells when it has started.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style as Ansi};
use portway_config::{Configuration, Listener, ListenerKey, ListenerProtocol, Route};
use portway_proxy::snapshot::GatewaySnapshot;

use super::{Published, Report, try_it};
use crate::demo_backend::DemoBackends;
use crate::issue::{self, Counts, Style};
use crate::kernel_path::{ListenerPath, Path};
use crate::wording::counted;

/// Of a long list, this many are told and the rest is counted.
const LISTED: usize = 10;

/// Commands to try.
const COMMANDS: usize = 5;

const TITLE: Ansi = Ansi::new().bold();
const COMMAND: Ansi = AnsiColor::Green.on_default();
const DIM: Ansi = Ansi::new().dimmed();

/// What has started, where, with which problems, and how to try it.
pub(super) fn of(
    report: &Report,
    demo_backends: Option<&DemoBackends>,
    paths: &[ListenerPath],
    admin: SocketAddr,
) -> String {
    let mut text = Text::default();
    let (files, objects) = (counted(report.files, "file"), counted(report.objects, "object"));
    text.line(format_args!("{TITLE}Portway {}{TITLE:#}: {files}, {objects}", env!("CARGO_PKG_VERSION")));
    let published = &report.published;
    if published.gateways.is_empty() {
        text.line(format_args!("\nThere is no Gateway to serve; waiting for one."));
    }
    text.list(&published.gateways, "Gateway", "", |text, gateway| {
        push_gateway(text, published, paths, gateway);
    });
    push_demo_backends(&mut text, demo_backends);
    push_problems(&mut text, published);
    push_commands(&mut text, published);
    text.line(format_args!(
        "\n{TITLE}Watch it{TITLE:#}\n  portway status{}\n  http://{admin}/metrics, /config, /status, /readyz",
        if admin.to_string() == crate::cli::DEFAULT_ADMIN {
            String::new()
        } else {
            format!(" --admin {admin}")
        }
    ));
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// Tells the first items of a list, and how many more there are.
    fn list<T>(&mut self, items: &[T], word: &str, indent: &str, tell: impl Fn(&mut Self, &T)) {
        items.iter().take(LISTED).for_each(|item| tell(self, item));
        if let Some(more) = items.len().checked_sub(LISTED).filter(|more| *more > 0) {
            self.line(format_args!("{indent}… and {}", counted(more, &format!("more {word}"))));
        }
    }
}

fn push_gateway(text: &mut Text, published: &Published, paths: &[ListenerPath], gateway: &GatewaySnapshot) {
    let configuration = &gateway.configuration;
    text.line(format_args!("\n{TITLE}Gateway {}{TITLE:#}", configuration.gateway));
    let mut listeners: Vec<_> = configuration.listeners.values().collect();
    listeners.sort_by_key(|it| (it.port, it.hostname.clone()));
    if listeners.is_empty() {
        text.line(format_args!("  no listener is served"));
    }
    text.list(&listeners, "listener", "  ", |text, listener| {
        let addresses = published.addresses(gateway, listener);
        push_listener(text, configuration, listener, &addresses);
        push_paths(text, listener, paths);
    });
}

fn push_listener(text: &mut Text, configuration: &Configuration, listener: &Listener, at: &[SocketAddr]) {
    let protocol = match listener.protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https(_) => "HTTPS",
        ListenerProtocol::TlsTerminate(_) | ListenerProtocol::TlsPassthrough => "TLS",
        ListenerProtocol::Tcp => "TCP",
        ListenerProtocol::Udp => "UDP",
    };
    let at: Vec<_> = at.iter().map(ToString::to_string).collect();
    let at = if at.is_empty() { "not open".to_owned() } else { format!("at {}", at.join(", ")) };
    let (key, port) = (&listener.key, listener.port);
    let name = name_within(configuration, key);
    // Where nothing says a hostname, there is none to match.
    let hostname = match listener.protocol {
        ListenerProtocol::Tcp | ListenerProtocol::Udp => String::new(),
        _ => format!(", hostname {}", listener.hostname),
    };
    text.line(format_args!("  listener {name}: {protocol} port {port} {at}{hostname}"));
    let routes: Vec<_> = configuration
        .routes
        .values()
        .filter(|it| it.attachments.iter().any(|it| it.listener == *key))
        .collect();
    if routes.is_empty() {
        text.line(format_args!("    {DIM}no route{DIM:#}"));
    }
    text.list(&routes, "route", "    ", |text, route| push_route(text, route, key));
}

/// By whom a TCP or UDP listener is served; addresses that are served alike in one line.
fn push_paths(text: &mut Text, listener: &Listener, paths: &[ListenerPath]) {
    let name = listener.key.to_string();
    let mut told: Vec<_> =
        paths.iter().filter(|it| it.listener == name).map(|it| (it.path, it.message.as_str())).collect();
    told.dedup();
    for (path, message) in told {
        let by = if path == Path::Kernel { "the kernel" } else { "the proxy" };
        text.line(format_args!("    {DIM}by {by}: {message}{DIM:#}"));
    }
}

/// The name of a listener as one who knows the Gateway writes it.
fn name_within(configuration: &Configuration, key: &ListenerKey) -> String {
    match &key.parent {
        portway_config::ListenerParent::Gateway(name) if *name == configuration.gateway => {
            key.name.to_string()
        }
        _ => key.to_string(),
    }
}

fn push_route(text: &mut Text, route: &Route, listener: &ListenerKey) {
    let attachments = route.attachments.iter().filter(|it| it.listener == *listener);
    let hostnames: Vec<_> = attachments.flat_map(|it| &it.hostnames).map(ToString::to_string).collect();
    let told = hostnames.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if hostnames.len() > LISTED { ", …" } else { "" };
    text.line(format_args!("    {} for {told}{more}", route.key));
}

fn push_demo_backends(text: &mut Text, demo_backends: Option<&DemoBackends>) {
    let servers: Vec<_> = demo_backends.into_iter().flat_map(DemoBackends::addresses).collect();
    if servers.is_empty() {
        return;
    }
    text.line(format_args!("\n{TITLE}Demo backends{TITLE:#}"));
    text.list(&servers, "Deployment", "  ", |text, (deployment, addresses)| {
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        text.line(format_args!("  Deployment {deployment}: {}", addresses.join(", ")));
    });
}

fn push_problems(text: &mut Text, published: &Published) {
    let issues = published.all_issues();
    if !issues.is_empty() {
        text.line(format_args!("\n{TITLE}{}{TITLE:#}", Counts::of(&issues)));
        text.0.push_str(&issue::render(&issues, Style { indent: "  " }));
    }
}

fn push_commands(text: &mut Text, published: &Published) {
    let of_gateway = published.gateways.iter().flat_map(|gateway| {
        let configuration = &gateway.configuration;
        let of_listener = move |listener| {
            try_it::commands(configuration, listener, &published.addresses(gateway, listener))
        };
        configuration.listeners.values().flat_map(move |listener| of_listener(listener))
    });
    let commands: Vec<_> = of_gateway.take(COMMANDS).collect();
    if !commands.is_empty() {
        text.line(format_args!("\n{TITLE}Try it{TITLE:#}"));
        commands.iter().for_each(|command| text.line(format_args!("  {COMMAND}{command}{COMMAND:#}")));
    }
}
