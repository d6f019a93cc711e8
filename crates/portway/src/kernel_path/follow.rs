//! Keeps the maps of the programs as decided.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portway_config::{Configuration, ListenerProtocol};
use portway_ebpf::kernel::{self, Ahead};
use portway_ebpf::metrics::Counted;
use portway_ebpf::pin::{self, Kept};
use portway_ebpf::policy::GatewayNumbers;
use portway_ebpf::{Fill, KernelError, Limits, Sweep};
use portway_proxy::snapshot::{Binding, GatewaySnapshot};
use portway_route::Router;

use super::decide::{BesideOthers, Decision, Node, RoutedBack, Terms};
use super::loaded::Loaded;
use super::machine::Machine;
use super::nodes::{LastTold, Nodes};
use super::path::{MapReport, Reason};
use super::plan::{plan, plan_proxies};
use super::{Ebpf, KernelReport, ListenerPath, Network};

/// How often to look at the machine again: interfaces, addresses and routes change without the manifests.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often flows that are over are swept.
const SWEEP: Duration = Duration::from_secs(30);

/// How often to look whether the last connection has ended.
const LOOK_FOR_END: Duration = Duration::from_millis(250);

/// The programs with what they serve, for the one who tells them and for those who ask. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct KernelPath(Arc<Mutex<Follower>>);

struct Follower {
    mode: Ebpf,
    terms: Terms,
    /// How long the flows of an endpoint that has left may go on.
    drain: Duration,
    /// The programs, once there has been something for them.
    loaded: Option<Loaded>,
    began: Instant,
    wanted: Wanted,
    /// Of a node: the addresses that were there before the programs, and until when after the beginning the connections that
    /// others may have at them are let alone.
    older: Option<(BTreeSet<IpAddr>, Duration)>,
    /// Of a node: the others.
    last_told: LastTold,
    /// Where programs and maps are kept when the process ends; absent: nowhere.
    pins: Option<PathBuf>,
    decision: Decision,
    /// Why the kernel does not serve what it could. It is asked again when the manifests change.
    refusal: Option<Reason>,
    /// What comes before our programs.
    ahead: Option<AheadOfUs>,
    /// By which network policies know Gateways; absent: there are none.
    numbers: Option<GatewayNumbers>,
}

/// Tells which programs of others come before ours.
type AheadOfUs = Box<dyn Fn() -> Vec<Ahead> + Send>;

/// What is to be served.
enum Wanted {
    /// What comes to the sockets of Gateways, but for those that are not open.
    Sockets(Vec<Arc<GatewaySnapshot>>, Vec<Binding>),
    /// What comes to the addresses of all Gateways of a cluster.
    Exposures(Arc<Configuration>, Box<Router>),
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attached = self.loaded.as_ref().map(|it| &it.attached);
        f.debug_struct("Follower")
            .field("mode", &self.mode)
            .field("attached", &attached)
            .finish_non_exhaustive()
    }
}

impl KernelPath {
    /// Nothing is served yet. The flows of an endpoint that leaves may go on for `drain`.
    pub(crate) fn new(mode: Ebpf, routed_back: Vec<Network>, drain: Duration) -> Self {
        let past_packet_filters = mode == Ebpf::On;
        let routed_back = RoutedBack::Networks(routed_back);
        Self(Arc::new(Mutex::new(Follower {
            mode,
            terms: Terms {
                limits: Limits::default(),
                past_packet_filters,
                routed_back,
                beside_others: BesideOthers::Everywhere,
            },
            drain,
            loaded: None,
            began: Instant::now(),
            wanted: Wanted::Sockets(Vec::new(), Vec::new()),
            older: None,
            last_told: LastTold::default(),
            pins: None,
            decision: Decision::default(),
            refusal: None,
            ahead: None,
            numbers: None,
        })))
    }

    /// For a node of a cluster, with this address. Programs and maps are kept under `pins`.
    pub(crate) fn for_node(node: IpAddr, pins: PathBuf, drain: Duration) -> Self {
        let it = Self::new(Ebpf::On, Vec::new(), drain);
        let mut follower = it.lock();
        follower.terms.routed_back = RoutedBack::Pods { node };
        // Where nothing has been served yet, connections to the same addresses may be under way by others. So they may while flows are
        // carried over; where it is not known how, it is best to lead them by the table, which has not changed.
        follower.older = match pin::kept(&pins) {
            Kept::Own | Kept::Unknown => Some(Default::default()),
            Kept::Nothing | Kept::Former => None,
        };
        follower.terms.beside_others = BesideOthers::At(BTreeSet::new());
        follower.pins = Some(pins);
        drop(follower);
        it
    }

    /// From now on, other programs come before ours at what comes in.
    pub(crate) fn come_after(&self, ahead: AheadOfUs) {
        self.lock().ahead = Some(ahead);
    }

    /// From now on, packets for pods tell network policy the Gateway that they came through, by these numbers.
    pub(crate) fn number_gateways_by(&self, numbers: GatewayNumbers) {
        self.lock().numbers = Some(numbers);
    }

    /// Lets the kernel serve what it can of the listeners of all Gateways.
    pub(crate) fn follow_cluster(&self, configuration: Arc<Configuration>, router: Router) {
        let mut it = self.lock();
        let drain = it.drain;
        // What comes later is served by nobody before us.
        it.older.get_or_insert_with(|| {
            let all = configuration.exposures.values().flat_map(|it| it.addresses.iter().copied());
            (all.collect(), drain)
        });
        (it.wanted, it.refusal) = (Wanted::Exposures(configuration, Box::new(router)), None);
        it.decide();
    }

    /// What stands in the kernel.
    pub(crate) fn report(&self) -> Option<KernelReport> {
        let mut it = self.lock();
        it.sweep();
        let loaded = it.loaded.as_mut()?;
        let (services, endpoints) = loaded.kernel.standing().unwrap_or_default();
        let drops = loaded.kernel.drops().unwrap_or_default();
        let fill = loaded.kernel.fill().into_iter();
        Some(KernelReport {
            programs: [kernel::INGRESS, kernel::EGRESS].map(str::to_owned).to_vec(),
            interfaces: loaded.attached.values().cloned().collect(),
            services: services.len(),
            endpoints: endpoints.len(),
            draining: loaded.balancer.draining(),
            flows: loaded.swept.flows,
            new_flows: loaded.swept.new_flows,
            maps: fill.map(|(map, Fill { entries, limit })| (map, MapReport { entries, limit })).collect(),
            drops: drops.into_iter().map(|(reason, count)| (reason.as_str().to_owned(), count)).collect(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Follower> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the kernel serve what it can of these Gateways, but for sockets that are not open.
    pub(crate) fn follow(&self, gateways: Vec<Arc<GatewaySnapshot>>, refused: Vec<Binding>) {
        let mut it = self.lock();
        (it.wanted, it.refusal) = (Wanted::Sockets(gateways, refused), None);
        it.decide();
    }

    /// Does what time brings: endpoints that have drained, flows that are over, interfaces and routes that have changed. Ends
    /// when the way of a listener is another.
    pub(crate) async fn attend(&self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let mut it = self.lock();
            let before = it.decision.paths.clone();
            it.expire();
            it.decide();
            if it.decision.paths != before {
                return;
            }
        }
    }

    /// The way of each TCP and UDP listener.
    pub(crate) fn paths(&self) -> Vec<ListenerPath> {
        self.lock().decision.paths.clone()
    }

    /// Why the kernel refuses, though it was asked for in earnest.
    pub(crate) fn failure(&self) -> Option<String> {
        let it = self.lock();
        it.refusal.as_ref().filter(|_| it.mode == Ebpf::On).map(Reason::message)
    }

    /// What was counted; nothing as long as the kernel has served nothing.
    pub(crate) fn counted(&self) -> Option<Counted> {
        let mut it = self.lock();
        let it = &mut *it;
        let counted = it.loaded.as_mut().map(|loaded| loaded.count(&it.decision));
        // What cannot be read now is told the next time.
        counted.map(Result::unwrap_or_default)
    }

    /// New connections are not for the kernel any more. Those that there are go on until this is dropped.
    pub(crate) fn stop(&self) {
        let mut it = self.lock();
        if let Err(error) = it.serve(&Decision::default(), &Machine::default()) {
            it.refuse(&error);
        }
    }

    /// Waits until the last TCP connection that the kernel serves has ended.
    pub(crate) async fn drained(&self) {
        while self.lock().sweep().connections > 0 {
            tokio::time::sleep(LOOK_FOR_END).await;
        }
    }
}

impl Follower {
    fn decide(&mut self) {
        if self.mode == Ebpf::Off {
            return;
        }
        if let Some((addresses, until)) = &mut self.older {
            if self.began.elapsed() >= *until {
                addresses.clear();
            }
            self.terms.beside_others = BesideOthers::At(addresses.clone());
        }
        let nodes = self.nodes();
        let machine = self.machine(&nodes);
        let mut decision = Decision::default();
        match &self.wanted {
            Wanted::Sockets(gateways, refused) => {
                for gateway in gateways {
                    for binding in gateway.bindings.iter().filter(|it| !refused.contains(it)) {
                        decision.add(gateway, binding, &machine, &self.terms);
                    }
                }
            }
            Wanted::Exposures(configuration, router) => {
                let node = Node { machine: &machine, terms: &self.terms, nodes: &nodes };
                decision.add_exposed(configuration, router, node);
                if let Some(numbers) = &self.numbers {
                    decision.number_gateways(|it| numbers.of(it));
                }
            }
        }
        if let Some(reason) = &self.refusal {
            decision.refused(reason);
        }
        // What a process before this one has left is to be brought to what is wanted, even if that is nothing.
        let takes_over = self.pins.is_some() && self.loaded.is_none() && self.refusal.is_none();
        if (takes_over || decision != self.decision)
            && let Err(error) = self.serve(&decision, &machine)
        {
            decision.refused(&self.refuse(&error));
        }
        self.decision = decision;
    }

    /// The other nodes, where this is one.
    fn nodes(&mut self) -> Nodes {
        let (Wanted::Exposures(configuration, _), RoutedBack::Pods { node }) =
            (&self.wanted, &self.terms.routed_back)
        else {
            return Nodes::default();
        };
        let mut nodes = Nodes::of(configuration, *node);
        self.last_told.complete(&mut nodes, self.began.elapsed(), self.terms.limits.agent_gone);
        nodes
    }

    /// What must be known of this machine.
    fn machine(&self, nodes: &Nodes) -> Machine {
        if !self.asks_for_machine() {
            return Machine::default();
        }
        let others: Vec<_> = nodes.addresses().collect();
        let mut machine = Machine::read(self.endpoints().into_iter().chain(others.iter().copied()));
        if let RoutedBack::Pods { .. } = self.terms.routed_back {
            machine.read_links(&others);
        }
        machine
    }

    /// Whether any listener could be the kernel's.
    fn asks_for_machine(&self) -> bool {
        let could_be = |gateway: &Arc<GatewaySnapshot>| {
            let is_stream =
                |it: &ListenerProtocol| matches!(it, ListenerProtocol::Tcp | ListenerProtocol::Udp);
            gateway.configuration.listeners.values().any(|it| is_stream(&it.protocol))
                && gateway.bindings.iter().any(|it| !it.address.ip().is_loopback())
        };
        match &self.wanted {
            Wanted::Sockets(gateways, _) => gateways.iter().any(could_be),
            Wanted::Exposures(configuration, _) => !configuration.exposures.is_empty(),
        }
    }

    fn endpoints(&self) -> Vec<IpAddr> {
        let of = |configuration: &Configuration, router: &Router| -> Vec<IpAddr> {
            let planned =
                configuration.listeners.values().filter_map(|it| plan(configuration, router, it).ok());
            let proxies = configuration.exposures.values().filter_map(|it| it.proxies.as_ref());
            let proxies = proxies.filter_map(|it| plan_proxies(configuration, it).ok());
            let all = planned.chain(proxies).flatten().flat_map(|it| it.endpoints);
            all.map(|it| it.address.ip()).collect()
        };
        let mut all = match &self.wanted {
            Wanted::Sockets(gateways, _) => {
                gateways.iter().flat_map(|it| of(&it.configuration, &it.router)).collect()
            }
            Wanted::Exposures(configuration, router) => of(configuration, router),
        };
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Brings the programs, their interfaces and their maps to what was decided.
    fn serve(&mut self, decision: &Decision, machine: &Machine) -> Result<(), KernelError> {
        let now = self.began.elapsed();
        let serves = !decision.services.is_empty();
        if self.loaded.is_none() && !serves && self.pins.is_none() {
            return Ok(());
        }
        let own = match self.terms.routed_back {
            RoutedBack::Pods { node } => Some(node),
            RoutedBack::Networks(_) => None,
        };
        let node = machine.node(own);
        let mut loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => Loaded::new(&self.terms.limits, node, self.pins.as_deref(), self.drain)?,
        };
        if let Some(ahead) = &self.ahead {
            loaded.kernel.come_after(ahead());
        }
        if serves {
            loaded.kernel.tell(&self.terms.limits, node)?;
            loaded.kernel.tell_neighbours(&decision.nodes)?;
            loaded.attach(decision, machine)?;
        }
        // Behind the interfaces: what is served must be seen on its way back.
        loaded.kernel.apply(&loaded.balancer.serve(&decision.services, now))?;
        // Programs of another layout have served until now.
        if let Some(pins) = &self.pins {
            if loaded.end_hand_over() {
                // What is left to the former programs meanwhile is known here now.
                self.older = Some(Default::default());
            }
            pin::remove(pins, true)?;
        }
        self.loaded = Some(loaded);
        Ok(())
    }

    /// Leaves everything to the proxy: [`serve`](Self::serve) has let go of the programs.
    fn refuse(&mut self, error: &KernelError) -> Reason {
        let text = match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        };
        if self.mode == Ebpf::Auto {
            tracing::warn!("TCP and UDP are served by the proxy, since the kernel does not: {text}");
        } else {
            tracing::error!("TCP and UDP are served by the proxy, since the kernel does not: {text}");
        }
        let reason =
            if error.lacks_right() { Reason::NotPermitted(text) } else { Reason::KernelRefuses(text) };
        self.loaded = None;
        if let Some(pins) = &self.pins
            && let Err(error) = pin::remove(pins, false)
        {
            tracing::error!("eBPF programs cannot be detached: {error}");
        }
        self.refusal = Some(reason.clone());
        reason
    }

    /// Ends the time of endpoints that have left, and sweeps.
    fn expire(&mut self) {
        let now = self.began.elapsed();
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        if let Err(error) = loaded.kernel.apply(&loaded.balancer.expire(now)) {
            let reason = self.refuse(&error);
            return self.decision.refused(&reason);
        }
        if loaded.last_sweep.elapsed() >= SWEEP {
            self.sweep();
        }
        let has_drained = |it: &Loaded| it.balancer.draining() == 0;
        if self.pins.is_none()
            && self.decision.services.is_empty()
            && self.loaded.as_ref().is_some_and(has_drained)
        {
            tracing::info!("eBPF programs are detached: nothing is left for them");
            self.loaded = None;
        }
    }

    fn sweep(&mut self) -> Sweep {
        let Some(loaded) = &mut self.loaded else {
            return Sweep::default();
        };
        loaded.last_sweep = Instant::now();
        match loaded.kernel.sweep(&self.terms.limits) {
            Ok(swept) => {
                tracing::debug!(?swept, "flows of the kernel are swept");
                loaded.swept = swept;
            }
            Err(error) => tracing::warn!("flows that are over cannot be swept: {error}"),
        }
        loaded.swept
    }
}
