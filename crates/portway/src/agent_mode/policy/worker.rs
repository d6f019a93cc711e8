//! The thread that keeps the kernel at what policies say.

use std::sync::Arc;
use std::time::Duration;

use portway_config::Configuration;
use portway_ebpf::links::Watch;
use portway_ebpf::policy::ledger::Prefix;
use portway_ebpf::policy::{Denial, Guard, PolicyLimits, Surroundings};
use portway_ebpf::{KernelError, Limits};
use portway_policy::Compiler;
use tokio::sync::mpsc;

use super::{Guarding, PolicyOptions, pins_beside};
use crate::kernel_path::Network;

/// How often to look again without being told: what could not be done is tried again, and what the kernel has told of is
/// logged.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often flows that are over are swept.
const SWEEP: Duration = Duration::from_secs(30);

/// Lines about denied flows that are logged each time; more are summed up.
const LINES: usize = 20;

/// What is asked of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Follow(Arc<Configuration>),
    Stop,
}

#[derive(Debug)]
pub(super) struct Worker {
    options: PolicyOptions,
    seen: Guarding,
    compiler: Option<Compiler>,
    configuration: Option<Arc<Configuration>>,
    /// What was told of last, so that it is told once.
    told: Vec<String>,
}

impl Worker {
    pub(super) fn new(options: PolicyOptions, seen: Guarding) -> Self {
        Self { options, seen, compiler: None, configuration: None, told: Vec::new() }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut changes = watch();
        let mut timer = tokio::time::interval(LOOK_AGAIN);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Follow(configuration)) => {
                        self.configuration = Some(configuration);
                        self.enforce();
                    }
                    Some(Command::Stop) | None => return,
                },
                Some(()) = changes.recv() => self.look(),
                _ = sweep.tick() => self.sweep(),
                _ = timer.tick() => {
                    self.start();
                    self.look();
                    self.log();
                }
            }
        }
    }

    /// Loads the programs, unless they are.
    pub(super) fn start(&mut self) {
        if self.seen.lock().guard.is_some() {
            return;
        }
        let pins = pins_beside(&self.options.pins);
        match Guard::start(&PolicyLimits::default(), &Limits::default(), Some(&pins)) {
            Ok(guard) => {
                let mut guard = guard.sharing(self.seen.gateways());
                guard.surround(surroundings(&self.options, None));
                self.compiler = Some(Compiler::resume(Arc::clone(&self.options.node), guard.former()));
                let mut state = self.seen.lock();
                (state.guard, state.trouble) = (Some(guard), None);
                drop(state);
                self.look();
                self.enforce();
            }
            Err(error) => self.be_troubled(format!(
                "network policies are not enforced, beyond what an agent before has left: {}",
                advised(&error)
            )),
        }
    }

    fn enforce(&mut self) {
        let (Some(configuration), Some(compiler)) = (&self.configuration, &mut self.compiler) else {
            return;
        };
        // No cluster is without pods: this controller does not tell of them. Nothing is known of any pod then, and none must be cut off.
        if configuration.policy.pods.is_empty() {
            let trouble = "the controller tells of no pods: what was enforced before goes on".to_owned();
            return self.be_troubled(trouble);
        }
        let states = compiler.compile(&configuration.policy);
        let surroundings = surroundings(&self.options, Some(configuration));
        let mut state = self.seen.lock();
        let enforced = state.guard.as_mut().map(|guard| guard.enforce(states, surroundings));
        if let Some(Ok(())) = enforced {
            state.facts = configuration.policy.clone();
        }
        state.trouble = enforced.and_then(Result::err).map(|error| {
            format!(
                "the interfaces of the node cannot be found, so the last changes are not enforced: {error}"
            )
        });
        drop(state);
        self.tell();
    }

    fn look(&mut self) {
        let mut state = self.seen.lock();
        if let Some(Err(error)) = state.guard.as_mut().map(Guard::look) {
            state.trouble = Some(format!("the interfaces of the node cannot be found: {error}"));
        }
        drop(state);
        self.tell();
    }

    fn sweep(&self) {
        let swept = self.seen.lock().guard.as_mut().map(|it| it.enforcer().sweep(&Limits::default()));
        match swept {
            Some(Ok(removed)) => tracing::debug!(removed, "flows of network policy are swept"),
            Some(Err(error)) => {
                tracing::warn!("flows of network policy that are over cannot be swept: {error}");
            }
            None => {}
        }
    }

    fn be_troubled(&mut self, trouble: String) {
        self.seen.lock().trouble = Some(trouble);
        self.tell();
    }

    /// Logs what is not as it should be, once.
    fn tell(&mut self) {
        let state = self.seen.lock();
        let problems = state.guard.iter().flat_map(Guard::problems).chain(&state.trouble);
        let problems: Vec<String> = problems.cloned().collect();
        drop(state);
        for problem in problems.iter().filter(|it| !self.told.contains(it)) {
            tracing::error!("{problem}");
        }
        self.told = problems;
    }

    fn log(&self) {
        let denials = self.seen.lock().guard.as_mut().map(Guard::denials).unwrap_or_default();
        denials.iter().take(LINES).for_each(log);
        if let Some(more) = denials.len().checked_sub(LINES).filter(|it| *it > 0) {
            tracing::info!("{more} more flows were denied, or would be; /metrics counts them by policy");
        }
    }
}

fn log(denial: &Denial) {
    tracing::info!(
        policy = denial.policy.as_ref().map(ToString::to_string),
        pod = denial.pod.as_ref().map(ToString::to_string),
        direction = if denial.is_ingress { "ingress" } else { "egress" },
        outcome = denial.outcome.as_str(),
        protocol = denial.protocol(),
        source = %denial.source,
        destination = %denial.destination,
        gateway = denial.gateway.as_ref().map(ToString::to_string),
        "{denial}"
    );
}

/// Tells when the interfaces of the node have changed, once for many changes that come while nobody listens.
fn watch() -> mpsc::Receiver<()> {
    let (tell, changes) = mpsc::channel(1);
    let spawned = Watch::open().and_then(|watch| {
        std::thread::Builder::new().name("portway-links".to_owned()).spawn(move || {
            while !tell.is_closed() {
                if watch.wait() {
                    // It is full if that is known already.
                    let _ = tell.try_send(());
                }
            }
        })
    });
    if let Err(error) = spawned {
        tracing::error!("new pods wait up to a second for their interfaces: {error}");
    }
    changes
}

fn surroundings(options: &PolicyOptions, configuration: Option<&Arc<Configuration>>) -> Surroundings {
    let exposures = configuration.iter().flat_map(|it| it.exposures.values());
    let gateways = exposures.flat_map(|it| it.addresses.iter().copied()).collect();
    let prefixes = |networks: &[Network]| networks.iter().map(|it| prefix(*it)).collect();
    Surroundings {
        node: Some(options.node_address),
        services: prefixes(&options.services),
        gateways,
        pods: prefixes(&options.pods),
    }
}

fn prefix(network: Network) -> Prefix {
    let (address, length) = network.mapped();
    Prefix { address: address.into(), length }
}

fn advised(error: &KernelError) -> String {
    match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}
