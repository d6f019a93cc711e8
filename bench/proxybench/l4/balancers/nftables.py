"""nftables rules of kube-proxy's form (its mode `nftables`), for a load balancer's address with one endpoint.

They are written here and not by kube-proxy, for where that is not at hand. Chains, hooks, their order, and what each
packet is compared with are as kube-proxy has them for a Service of type LoadBalancer with `externalTrafficPolicy:
Cluster`, which is the default: one look-up in a map of verdicts, DNAT, and masquerading.
"""

from __future__ import annotations

from pathlib import Path

from ...provision import Provision, version_of
from ..network import Node
from ..scenario import SERVICES
from .balancer import Balancer

RULES = """\
table ip kube-proxy {{
  set cluster-ips {{ type ipv4_addr; }}
  set nodeport-ips {{ type ipv4_addr; }}
  set hairpin-connections {{
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    elements = {{ {hairpins} }}
  }}
  map no-endpoint-services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map no-endpoint-nodeports {{ type inet_proto . inet_service : verdict; }}
  map firewall-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map service-nodeports {{ type inet_proto . inet_service : verdict; }}
{chains}
  map service-ips {{
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = {{ {services} }}
  }}
  chain services {{
    ip daddr @cluster-ips ip saddr != {pods} meta mark set meta mark or 0x4000
    ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }}
  chain masquerading {{
    meta mark & 0x4000 != 0 meta mark set meta mark xor 0x4000 masquerade fully-random
    ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
  }}
  chain nodeport-check {{ ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports; }}
  chain endpoint-check {{ ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }}
  chain firewall-check {{ ip daddr . meta l4proto . th dport vmap @firewall-ips; }}
  chain cluster-check {{ ip daddr @cluster-ips reject; }}
  chain filter-prerouting {{
    type filter hook prerouting priority -110
    ct state new jump firewall-check
  }}
  chain filter-input {{
    type filter hook input priority 0
    ct state new jump nodeport-check
    ct state new jump endpoint-check
  }}
  chain filter-forward {{
    type filter hook forward priority 0
    ct state new jump endpoint-check
    ct state new jump cluster-check
  }}
  chain nat-prerouting {{
    type nat hook prerouting priority -100
    jump services
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority 100
    jump masquerading
  }}
}}
"""
CHAINS = """\
  chain service-{name} {{ meta l4proto {protocol} dnat to {pod}:{port}; }}
  chain external-{name} {{
    meta mark set meta mark or 0x4000
    goto service-{name}
  }}"""


class Nftables(Balancer):
    name = "nftables"
    title = "nftables, kube-proxy's form"

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.debian("nft", "nftables"))
        self.version = version_of([self._program, "--version"]).partition(" (")[0].rpartition(" ")[2]

    def start(self, node: Node, directory: Path) -> None:
        node.host.run([self._program, "-f", "-"], rules(node))


def rules(node: Node) -> str:
    """The whole rule set of a node."""
    pod, address = node.pod_address, node.address
    services = [(it.name, it.transport.value, it.port) for it in SERVICES]
    verdicts = [f"{address} . {protocol} . {port} : goto external-{name}" for name, protocol, port in services]
    return RULES.format(
        pods=node.pod_network,
        hairpins=", ".join(f"{pod} . {pod} . {protocol} . {port}" for _, protocol, port in services),
        services=", ".join(verdicts),
        chains="\n".join(
            CHAINS.format(name=name, protocol=protocol, port=port, pod=pod) for name, protocol, port in services
        ),
    )
