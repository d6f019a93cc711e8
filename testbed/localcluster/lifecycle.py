"""Up and down."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import certificates, claim, control_plane, dns, leftovers, network, node, processes, programs
from .api import Api
from .layout import ClusterError, Layout

SECONDS_TO_START = 90.0


class Stopwatch:
    """Tells on standard error what was reached when."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", file=sys.stderr, flush=True)


def up(name: str, nodes: int) -> Layout:
    """Starts a cluster; or leaves nothing of it, and raises."""
    images = [programs.image("pause"), programs.image("coredns")]
    for needed in ("kube", "kubectl"):
        programs.program(needed)
    layout = claim.claim(name, nodes)
    try:
        _start(layout, images)
    except BaseException as error:
        print(f"cluster {name} cannot start; removing it", file=sys.stderr)
        try:
            down(name)
        except ClusterError as second:
            raise ClusterError(f"{error}\nand then it could not be removed: {second}") from error
        raise
    return layout


def down(name: str) -> None:
    """Ends a cluster and removes every trace, however much of it there is."""
    claim.check_name(name)
    if layout := Layout.load(name):
        leftovers.end_components(layout)
        leftovers.end_containers(layout)
        leftovers.unmount(layout)
        leftovers.remove_links(layout)
        leftovers.remove_network_results(layout)
        leftovers.remove_control_groups(layout)
        network.remove(layout)
    claim.release(name)


def _start(layout: Layout, images: list[Path]) -> None:
    watch = Stopwatch()
    with ThreadPoolExecutor() as pool:
        issued = pool.submit(certificates.issue_all, layout)
        network.build(layout)
        node.mount_bpffs(layout)
        for number in layout.node_numbers:
            node.start_runtime(layout, number)
        issued.result()
        control_plane.start_store_and_api(layout)
        # kubelet wants its images there: it would try to pull them.
        imports = [pool.submit(_import_first, layout, number, images) for number in layout.node_numbers]
        api = Api(layout)
        _await(layout, "the API server", api.is_ready)
        watch.tell("the API server is ready")
        control_plane.start_controllers(layout)
        installed = pool.submit(dns.install, layout)
        for number, imported in zip(layout.node_numbers, imports):
            imported.result()
            node.start_agents(layout, number)
        _await(layout, "the nodes", lambda: len(api.ready_nodes()) == layout.nodes)
        watch.tell(f"{layout.nodes} nodes are ready")
        installed.result()
        _await(layout, "the DNS", lambda: api.is_available(dns.NAMESPACE, dns.DEPLOYMENT))
        watch.tell("the DNS answers")


def _import_first(layout: Layout, number: int, images: list[Path]) -> None:
    _await(layout, f"containerd of node {number}", lambda: node.containerd_answers(layout, number))
    for image in images:
        node.import_image(layout, number, image)


def load(layout: Layout, archives: list[Path]) -> None:
    """Gives images to every node."""
    with ThreadPoolExecutor() as pool:
        done = [
            pool.submit(node.import_image, layout, number, archive)
            for archive in archives
            for number in layout.node_numbers
        ]
    for future in done:
        future.result()


def _await(layout: Layout, what: str, condition: Callable[[], bool]) -> None:
    """Waits until a condition holds, or a component has ended, or time is up."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not _holds(condition):
        processes.check(layout)
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not ready within {SECONDS_TO_START:.0f} s")
        time.sleep(0.1)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except OSError:
        return False
