"""The network between an outside client and the nodes: a bridge in the client's namespace, and a cable to each node.

Nothing of it is in the machine's own network namespace, so clusters neither meet each other nor the outside.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

from .layout import ClusterError, Layout
from .processes import in_namespace, run

CLONE_NEWNET = 0x40000000


def build(layout: Layout) -> None:
    """Makes the namespaces, and what joins them."""
    for namespace in layout.namespaces:
        if Path("/run/netns", namespace).exists():
            raise ClusterError(f"there is a network namespace {namespace} already, which no cluster made: ip netns del")
    # Noted first: what is noted and not there is no harm, the reverse is.
    (layout.state / "namespaces").write_text("".join(f"{namespace}\n" for namespace in layout.namespaces))
    for namespace in layout.namespaces:
        _run("ip", "netns", "add", namespace)
    _batch(layout.client_namespace, _client_side(layout))
    for node in layout.node_numbers:
        _batch(layout.node_namespace(node), _node_side(layout, node))
        forward = in_namespace(layout.node_namespace(node), ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        _run(*forward)


def remove(layout: Layout) -> None:
    """Removes the namespaces, and with them all that is in them. Needs every process in them to have ended."""
    note = layout.state / "namespaces"
    for namespace in note.read_text().split() if note.exists() else []:
        if Path("/run/netns", namespace).exists():
            _run("ip", "netns", "del", namespace)


def _client_side(layout: Layout) -> list[str]:
    lines = [
        "link set lo up",
        "link add bridge type bridge",
        f"address add {layout.client_address}/{layout.node_network.prefixlen} dev bridge",
        "link set bridge up",
    ]
    for node in layout.node_numbers:
        name = layout.node_name(node)
        lines += [
            f"link add {name} type veth peer name eth0 netns {layout.node_namespace(node)}",
            f"link set {name} master bridge up",
            f"route add {layout.node_pod_range(node)} via {layout.node_address(node)}",
        ]
    # What a router outside of a cluster would know: kube-proxy on the first node takes it from there.
    lines += [
        f"route add {layout.service_range} via {layout.node_address(1)}",
        f"route add {layout.load_balancer_range} via {layout.node_address(1)}",
    ]
    return lines


def _node_side(layout: Layout, node: int) -> list[str]:
    return [
        "link set lo up",
        f"address add {layout.node_address(node)}/{layout.node_network.prefixlen} dev eth0",
        "link set eth0 up",
        f"route add default via {layout.client_address}",
        *(
            f"route add {layout.node_pod_range(other)} via {layout.node_address(other)}"
            for other in layout.node_numbers
            if other != node
        ),
    ]


def _batch(namespace: str, lines: list[str]) -> None:
    _run(*in_namespace(namespace, ["ip", "-batch", "-"]), stdin="\n".join(lines) + "\n")


def _run(*argv: str, stdin: str = "") -> None:
    done = run(argv, stdin)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(argv)} failed: {(done.stderr + done.stdout).strip()}")


def connect(namespace: str, address: tuple[str, int], timeout: float) -> socket.socket:
    """A TCP connection from inside of a network namespace, for a caller who is not in it.

    A socket belongs to the namespace in which it was made, and a thread may enter one by itself.
    """
    result: list[socket.socket | OSError] = []

    def enter_and_connect() -> None:
        try:
            handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(handle, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
            finally:
                os.close(handle)
            result.append(socket.create_connection(address, timeout))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=enter_and_connect, name=f"in {namespace}")
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]
