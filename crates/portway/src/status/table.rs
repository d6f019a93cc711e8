//! The status as a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style as Ansi};
use portway_api::core::Condition;

use super::document::{ObjectStatus, PartStatus, Role, StatusDocument, is_good};
use crate::agent_mode::{AnnouncedAddress, GuardedPod, PolicyReport};
use crate::issue::{self, Counts, Style};
use crate::kernel_path::{KernelReport, ListenerPath, MapReport, Path};
use crate::live::RefusedFile;
use crate::wording::{counted, wrapped};

const TITLE: Ansi = Ansi::new().bold();
const GOOD: Ansi = AnsiColor::Green.on_default();
const BAD: Ansi = AnsiColor::Red.on_default().bold();

const HEADINGS: [&str; 3] = ["CONDITION", "STATUS", "REASON"];

/// Width where there is no terminal.
const DEFAULT_WIDTH: usize = 100;

/// The columns that a message gets at least.
const MIN_MESSAGE: usize = 30;

/// The width of the terminal.
pub(super) fn terminal_width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0.into()))
        .unwrap_or(DEFAULT_WIDTH)
}

/// The document as text.
pub(super) fn render(document: &StatusDocument, width: usize) -> String {
    let mut text = String::new();
    let since = document.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
    push(&mut text, format_args!("Portway {}, revision {}{since}\n", document.version, document.revision));
    for file in &document.refused_files {
        push_refused(&mut text, file);
    }
    if !document.objects.is_empty() {
        let table = Table::for_all(&document.objects, width);
        table.push_row(&mut text, "OBJECT", TITLE, HEADINGS, "");
        document.objects.iter().for_each(|object| table.push_object(&mut text, object));
    }
    if !document.paths.is_empty() {
        push(&mut text, format_args!("\n{TITLE}Served by{TITLE:#}\n"));
        document.paths.iter().for_each(|path| push_path(&mut text, path));
    }
    if let Some(kernel) = &document.kernel {
        push_kernel(&mut text, kernel);
    }
    if !document.announced.is_empty() {
        push(&mut text, format_args!("\n{TITLE}Announced by{TITLE:#}\n"));
        document.announced.iter().for_each(|address| push_announced(&mut text, address));
    }
    if let Some(policy) = &document.policy {
        push_policy(&mut text, policy);
    }
    if !document.problems.is_empty() {
        push(&mut text, format_args!("\n{TITLE}{}{TITLE:#}\n", Counts::of(&document.problems)));
        text.push_str(&issue::render(&document.problems, Style { indent: "  " }));
    }
    text
}

fn push_path(text: &mut String, path: &ListenerPath) {
    let ListenerPath { listener, transport, address, reason, message, .. } = path;
    let by = match path.path {
        Path::Kernel => "by the kernel",
        Path::KernelToProxy => "by the proxies",
        Path::Proxy => "by the proxy",
    };
    push(text, format_args!("  {listener} at {transport} {address}: {by} ({reason}): {message}\n"));
}

fn push_announced(text: &mut String, announced: &AnnouncedAddress) {
    let AnnouncedAddress { address, node, is_here, transitions } = announced;
    let node = match node {
        Some(node) if *is_here => format!("this node, {node}"),
        Some(node) => format!("the node {node}"),
        None => "no node was heard yet".to_owned(),
    };
    push(text, format_args!("  {address}: {node}; taken {}\n", counted(*transitions as usize, "time")));
}

fn push_policy(text: &mut String, policy: &PolicyReport) {
    let PolicyReport { pods, interfaces, problems, drops } = policy;
    push(text, format_args!("\n{TITLE}Network policy{TITLE:#}\n"));
    for problem in problems {
        push(text, format_args!("  {BAD}{problem}{BAD:#}\n"));
    }
    pods.iter().for_each(|pod| push_guarded(text, pod));
    push(text, format_args!("  without a known pod: {}\n", interfaces.join(", ")));
    push_drops(text, drops);
}

fn push_guarded(text: &mut String, pod: &GuardedPod) {
    let GuardedPod { pod, interface, isolated, rehearsed, problem } = pod;
    let interface = interface.as_ref().map(|it| format!(" at {it}")).unwrap_or_default();
    let selected = if isolated.is_empty() { "open".to_owned() } else { isolated.join(" and ") };
    let rehearsed = if rehearsed.is_empty() {
        String::new()
    } else {
        format!("; rehearsed: {}", rehearsed.join(" and "))
    };
    match problem {
        None => push(text, format_args!("  {pod}{interface}: {selected}{rehearsed}\n")),
        Some(why) => {
            push(text, format_args!("  {pod}{interface}: {BAD}reached by its node alone{BAD:#}: {why}\n"));
        }
    }
}

fn push_drops(text: &mut String, drops: &BTreeMap<String, u64>) {
    let drops: Vec<_> = drops
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if !drops.is_empty() {
        push(text, format_args!("  packets dropped: {}\n", drops.join(", ")));
    }
}

fn push_kernel(text: &mut String, kernel: &KernelReport) {
    let KernelReport { programs, interfaces, services, endpoints, draining, flows, new_flows, maps, drops } =
        kernel;
    push(text, format_args!("\n{TITLE}Kernel{TITLE:#}\n"));
    push(text, format_args!("  programs: {}; attached to: {}\n", programs.join(", "), interfaces.join(", ")));
    push(
        text,
        format_args!("  addresses served: {services}; endpoints: {endpoints}, of which {draining} drain\n"),
    );
    push(text, format_args!("  entries of flows: {flows} established, {new_flows} new\n"));
    let fill = |(map, it): (&String, &MapReport)| format!("{map} {} of {}", it.entries, it.limit);
    push(text, format_args!("  maps: {}\n", maps.iter().map(fill).collect::<Vec<_>>().join(", ")));
    push_drops(text, drops);
}

fn push_refused(text: &mut String, file: &RefusedFile) {
    let served = match file.serving_since {
        Some(since) => format!("the version of {since:.0} serves on"),
        None => "what can be used of it is served".to_owned(),
    };
    push(text, format_args!("\n{BAD}{} is refused{BAD:#} since {:.0}; {served}\n", file.source, file.since));
    text.push_str(&issue::render(&file.problems, Style { indent: "  " }));
}

/// What stands in the first column for an object and its parts.
fn labels(object: &ObjectStatus) -> impl Iterator<Item = String> {
    std::iter::once(object.object.to_string()).chain(object.parts.iter().map(part_label))
}

fn part_label(part: &PartStatus) -> String {
    match (part.role, part.attached_routes) {
        (Role::Listener, Some(routes)) => {
            format!(
                "  listener {}, {}",
                part.name,
                counted(usize::try_from(routes).unwrap_or_default(), "route")
            )
        }
        (Role::Listener, None) => format!("  listener {}", part.name),
        (Role::Parent, _) => format!("  at {}", part.name),
        (Role::Ancestor, _) => format!("  for {}", part.name),
    }
}

/// How wide each column is.
struct Table {
    name: usize,
    kind: usize,
    status: usize,
    /// Of the terminal.
    width: usize,
}

impl Table {
    fn for_all(objects: &[ObjectStatus], width: usize) -> Self {
        let of_parts =
            |it: &ObjectStatus| it.parts.iter().flat_map(|part| part.conditions.clone()).collect::<Vec<_>>();
        let conditions: Vec<_> =
            objects.iter().flat_map(|it| [it.conditions.clone(), of_parts(it)].concat()).collect();
        let widest = |words: &mut dyn Iterator<Item = usize>, heading: &str| {
            words.max().unwrap_or_default().max(heading.len())
        };
        Self {
            name: widest(&mut objects.iter().flat_map(labels).map(|label| label.chars().count()), "OBJECT"),
            kind: widest(&mut conditions.iter().map(|it| it.type_.len()), HEADINGS[0]),
            status: widest(&mut conditions.iter().map(|it| it.status.len()), HEADINGS[1]),
            width,
        }
    }

    fn push_object(&self, text: &mut String, object: &ObjectStatus) {
        text.push('\n');
        self.push_conditions(text, &object.object.to_string(), &object.conditions);
        if !object.addresses.is_empty() {
            push(text, format_args!("  addresses: {}\n", object.addresses.join(", ")));
        }
        for part in &object.parts {
            self.push_conditions(text, &part_label(part), &part.conditions);
        }
    }

    /// The message of a condition is told where something is not well; otherwise it says little.
    fn push_conditions(&self, text: &mut String, name: &str, conditions: &[Condition]) {
        if conditions.is_empty() {
            push(text, format_args!("{name}\n"));
        }
        for (index, condition) in conditions.iter().enumerate() {
            let good = is_good(condition);
            let name = if index == 0 { name } else { "" };
            let cells = [condition.type_.as_str(), condition.status.as_str(), condition.reason.as_str()];
            let message = if good { "" } else { condition.message.as_str() };
            self.push_row(text, name, if good { GOOD } else { BAD }, cells, message);
        }
    }

    fn push_row(
        &self,
        text: &mut String,
        name: &str,
        style: Ansi,
        [kind, status, reason]: [&str; 3],
        message: &str,
    ) {
        let row = format!(
            "{name:0$}  {kind:1$}  {style}{status:2$}{style:#}  {reason}",
            self.name, self.kind, self.status
        );
        push(text, format_args!("{}\n", row.trim_end()));
        let indent = self.name + 2;
        let columns = self.width.saturating_sub(indent).max(MIN_MESSAGE);
        for line in wrapped(message, columns) {
            push(text, format_args!("{:indent$}{line}\n", ""));
        }
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}
