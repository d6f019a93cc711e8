//! `portway agent flows`, of flows that there are, with and without the agent that began to serve them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

use crate::agent::{Cluster, TCP, UDP, serve_all};
use crate::controller::ADMIN;
use crate::network::CLIENT;
use crate::peers::{Connection, Datagrams};
use crate::running::curl::curl;
use crate::running::portway::command;
use crate::wiring::pod;

/// For a line to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The flows that are listed with these filters.
fn flows(cluster: &Cluster, filters: &[&str]) -> Vec<Value> {
    let pins = cluster.controller.pins();
    let command = command([&["agent", "flows", "--output", "json", "--pins", &pins], filters].concat());
    // As it is asked for in the agent's pod, with what the DaemonSet gives that.
    let mut limited = Command::new("setpriv");
    limited.args(["--inh-caps=-all", "--bounding-set=-all,+bpf,+net_admin,+perfmon"]);
    limited.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    let output = cluster.it.node.run(move || limited.output().unwrap());
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    document["flows"].as_array().unwrap().clone()
}

#[test]
fn flows_are_listed_with_and_without_the_agent() {
    let cluster = Cluster::new();
    serve_all(&cluster.it);
    let agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let mut connection = Connection::open(&cluster.it.client, TCP);
    connection.exchange(1 << 16);
    let socket = Datagrams::open(&cluster.it.client, UDP);
    socket.exchange(100);

    let client = connection.stream.local_addr().unwrap().to_string();
    let listed = flows(&cluster, &["--protocol", "tcp"]);
    let [flow] = &listed[..] else { panic!("{listed:?}") };
    for (field, value) in [
        ("protocol", "TCP"),
        ("client", &client),
        ("address", TCP),
        ("listener", "web/edge/7000"),
        ("endpoint", &pod(0)[0].to_string()),
        ("reach", "forwarded"),
        ("state", "established"),
    ] {
        assert_eq!(flow[field], value, "{field} of {flow}");
    }
    assert!(flow["fromClient"]["bytes"].as_u64().unwrap() > 1 << 16, "{flow}");
    assert!(flow["fromEndpoint"]["bytes"].as_u64().unwrap() > 1 << 16, "{flow}");
    assert_eq!(flows(&cluster, &[]).len(), 2);
    assert_eq!(flows(&cluster, &["--address", "203.0.113.10:7001"]).len(), 1);
    assert_eq!(flows(&cluster, &["--client", CLIENT[0], "--endpoint", "10.0.0.0/24"]).len(), 2);
    assert_eq!(flows(&cluster, &["--endpoint", "10.0.1.0/24"]).len(), 0);

    let pins = cluster.controller.pins();
    let table = cluster.ask(&["flows", "--pins", &pins, "--limit", "1"]);
    assert!(table.starts_with("PROTOCOL  CLIENT"), "{table}");
    assert!(table.contains("\n1 more flow left off"), "{table}");

    agent.signal("KILL");
    agent.wait();
    let table = cluster.ask(&["flows", "--pins", &pins]);
    assert!(table.contains(&format!("TCP       {client}")), "{table}");
    assert!(table.contains("service 1") && table.contains("no agent tells their names"), "{table}");
}

#[test]
fn the_agent_counts_by_listener_and_tells_how_full_its_maps_are() {
    let cluster = Cluster::new();
    serve_all(&cluster.it);
    let _agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    Connection::open(&cluster.it.client, TCP).exchange(1 << 16);
    Datagrams::open(&cluster.it.client, UDP).exchange(100);
    let metrics = cluster.it.node.run(|| curl([format!("http://{ADMIN}/metrics")]).body);
    let value = |sample: &str| -> u64 {
        let line = metrics.lines().find_map(|it| it.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} is not in\n{metrics}")).parse().unwrap()
    };
    for listener in ["web/edge/7000", "web/edge/7001"] {
        let labels = format!("gateway=\"web/edge\",listener=\"{listener}\"");
        assert_eq!(value(&format!("portway_kernel_flows_total{{{labels}}}")), 1);
        for direction in ["from_client", "from_endpoint"] {
            let labels = format!("{labels},direction=\"{direction}\"");
            assert!(value(&format!("portway_kernel_packets_total{{{labels}}}")) > 0);
            assert!(value(&format!("portway_kernel_bytes_total{{{labels}}}")) > 100);
        }
    }
    assert_eq!(value("portway_kernel_dropped_packets_total{reason=\"no_route\"}"), 0);
    for (map, entries, limit) in
        [("services", 2, 4096), ("endpoints", 2, 65_536), ("counters", 2, 4096), ("flows", 2, 262_144)]
    {
        assert_eq!(value(&format!("portway_kernel_map_entries{{map=\"{map}\"}}")), entries, "{map}");
        assert_eq!(value(&format!("portway_kernel_map_entries_limit{{map=\"{map}\"}}")), limit, "{map}");
    }
    assert_eq!(value("portway_kernel_map_entries{map=\"new_flows\"}"), 2, "UDP, of one datagram each way");
}

#[test]
fn where_there_are_no_maps_it_is_told_what_there_is() {
    let cluster = Cluster::new();
    let pins = cluster.controller.pins();
    let told = cluster.ask(&["flows", "--pins", &pins]);
    assert!(told.starts_with(&format!("error: no agent keeps maps at {pins}\n  help: ")), "{told}");
    let told = cluster.ask(&["flows", "--pins", "/tmp/portway-is-not-here"]);
    assert!(told.contains("is in no bpffs: none is mounted there\n  help: on the node: mount"), "{told}");

    let _agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let mut of_nobody = Command::new("setpriv");
    of_nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let command = command(["agent", "flows", "--pins", &pins]);
    of_nobody.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    let output = of_nobody.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("help: ask as root, with the capability CAP_BPF"), "{told}");
}

/// `portway agent flows --follow`, line by line. It is killed when this is dropped.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn of(cluster: &Cluster) -> Self {
        let pins = cluster.controller.pins();
        let mut command = command([
            "agent",
            "flows",
            "--follow",
            "--interval",
            "100ms",
            "--output",
            "json",
            "--pins",
            &pins,
        ]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = cluster.it.node.run(move || command.spawn().unwrap());
        let mut first = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("following, a look every 100ms; 0 flows"), "{first}");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || lines.into_iter().try_for_each(|it| tell.send(it)));
        Self { child, lines: told }
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(PATIENCE).unwrap()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn flows_are_followed_from_their_beginning_to_their_end() {
    let cluster = Cluster::new();
    serve_all(&cluster.it);
    let agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let following = Following::of(&cluster);
    let connection = Connection::open(&cluster.it.client, TCP);
    let client = connection.stream.local_addr().unwrap().to_string();
    let began = following.next();
    assert_eq!((&began["event"], &began["client"]), (&"began".into(), &client.as_str().into()), "{began}");
    assert_eq!(began["listener"], "web/edge/7000", "{began}");
    connection.close();
    let ended = following.next();
    assert_eq!((&ended["event"], &ended["client"]), (&"ended".into(), &client.as_str().into()), "{ended}");
    assert_eq!(ended["state"], "closed", "{ended}");

    agent.signal("TERM");
    agent.wait();
    cluster.ask(&["remove", "--pins", &cluster.controller.pins()]);
    let mut following = following;
    assert_eq!(following.child.wait().unwrap().code(), Some(1), "the maps are gone");
}
