//! Which wire leads where: client ── node ── pods, in both families.

use std::net::SocketAddr;

use crate::host::Host;

/// Where a server of a pod listens, in either family.
pub(crate) fn pod(number: usize) -> [SocketAddr; 2] {
    [format!("10.0.{number}.2:8080"), format!("[fd00:{number}::2]:8080")].map(|it| it.parse().unwrap())
}

/// Joins the client and the pods to the node, which forwards between them: by its interfaces `clients`, `pod0`, `pod1`, ….
pub(crate) fn wire(client: &Host, node: &Host, pods: &[Host]) {
    node.join(
        ("clients", &["198.51.100.254/24", "2001:db8:c::fe/64"]),
        client,
        ("eth0", &["198.51.100.7/24", "2001:db8:c::7/64"]),
    );
    client.ip("route add default via 198.51.100.254");
    client.ip("route add default via 2001:db8:c::fe");
    for (number, pod) in pods.iter().enumerate() {
        let here = [format!("10.0.{number}.1/24"), format!("fd00:{number}::1/64")];
        let there = [format!("10.0.{number}.2/24"), format!("fd00:{number}::2/64")];
        let name = format!("pod{number}");
        node.join((&name, &[&here[0], &here[1]]), pod, ("eth0", &[&there[0], &there[1]]));
        pod.ip(&format!("route add default via 10.0.{number}.1"));
        pod.ip(&format!("route add default via fd00:{number}::1"));
    }
    node.set("ipv4/ip_forward", "1");
    node.set("ipv6/conf/all/forwarding", "1");
}
