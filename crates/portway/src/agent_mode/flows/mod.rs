//! `portway agent flows`: the flows of a node, out of the maps that its agent keeps. The agent need not run for it; if it does, it
//! tells the listeners' names.

mod names;
mod report;
mod select;
mod table;
mod watch;

use std::io::{self, Write as _};

use jiff::Timestamp;
use portway_ebpf::Limits;
use portway_ebpf::pinned::{PinnedError, PinnedFlows, SeenFlow};

use self::names::Names;
use self::report::{EventReport, FlowReport, FlowsReport};
pub(crate) use self::select::At;
use self::select::Selection;
use self::watch::Watch;
use crate::cli::{FlowsArgs, Output};
use crate::output;
use crate::wording::counted;

/// Lists or follows.
///
/// # Errors
///
/// There are no flows to look at, in words, with what to do about it.
pub(super) fn run(args: &FlowsArgs) -> Result<(), String> {
    let flows = PinnedFlows::open(&args.pins).map_err(told)?;
    let selection = Selection {
        client: args.client,
        address: args.address,
        endpoint: args.endpoint,
        protocol: args.protocol,
    };
    if args.follow { follow(args, &flows, &selection) } else { list(args, &flows, &selection) }
}

fn told(error: PinnedError) -> String {
    format!("{error}\n  help: {}", error.help())
}

fn read(flows: &PinnedFlows, selection: &Selection) -> Result<Vec<SeenFlow>, String> {
    let mut all = flows.read(&Limits::default()).map_err(told)?;
    all.retain(|it| selection.includes(it));
    Ok(all)
}

fn list(args: &FlowsArgs, flows: &PinnedFlows, selection: &Selection) -> Result<(), String> {
    let names = Names::ask(args.admin);
    let mut seen = read(flows, selection)?;
    // Where some are left off, those that something happens to are of more use.
    seen.sort_by_key(|it| (it.silence, it.key()));
    let report = FlowsReport::of(&seen, &names, args.limit);
    match args.output {
        Output::Text => {
            output::print(&table::render(&report));
            if let Some(why) = names.missing() {
                output::print_error(&format!("note: {why}\n"));
            }
        }
        Output::Json => output::print(&output::json(&report)),
    }
    Ok(())
}

/// Prints flows as they begin and end, until nobody reads it or the maps are gone.
fn follow(args: &FlowsArgs, flows: &PinnedFlows, selection: &Selection) -> Result<(), String> {
    let mut names = Names::ask(args.admin);
    let mut watch = Watch::new(read(flows, selection)?);
    let (known, interval) = (counted(watch.live(), "flow"), args.interval);
    output::print_error(&format!(
        "following, a look every {interval:?}; {known} that began before will be told of at their end\n"
    ));
    names.missing().iter().for_each(|why| output::print_error(&format!("note: {why}\n")));
    loop {
        std::thread::sleep(args.interval);
        if !flows.are_kept() {
            return Err(format!(
                "the maps at {} have been taken away: the agent was removed, or is of another version now",
                args.pins.display()
            ));
        }
        let events = watch.step(read(flows, selection)?);
        if events.iter().any(|it| !names.has(it.flow())) {
            names = Names::ask(args.admin);
        }
        let now = Timestamp::now();
        let mut text = String::new();
        for event in &events {
            let report = EventReport::of(event, FlowReport::of(event.flow(), &names), now);
            text += &match args.output {
                Output::Text => table::line(&report),
                Output::Json => output::json_line(&report),
            };
        }
        let mut stdout = io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            // Who read has seen enough.
            return Ok(());
        }
    }
}
