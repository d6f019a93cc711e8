from __future__ import annotations

import itertools
import unittest
from ipaddress import IPv4Network

from localcluster.claim import check_name
from localcluster.layout import MAX_CLUSTERS, MAX_NODES, ClusterError, Layout


def networks(layout: Layout) -> list[IPv4Network]:
    return [layout.node_network, layout.load_balancer_range, layout.service_range, layout.pod_range]


class LayoutTest(unittest.TestCase):
    def test_no_two_clusters_share_an_address(self) -> None:
        layouts = [Layout(f"c{number}", number, MAX_NODES) for number in range(MAX_CLUSTERS)]
        every = [network for layout in layouts for network in networks(layout)]
        self.assertEqual(len(every), 4 * MAX_CLUSTERS)
        for one, other in itertools.combinations(every, 2):
            self.assertFalse(one.overlaps(other), f"{one} and {other}")

    def test_each_node_has_an_address_and_a_range_for_pods_in_its_cluster(self) -> None:
        layout = Layout("c", 7, MAX_NODES)
        addresses = {layout.client_address, *map(layout.node_address, layout.node_numbers)}
        self.assertEqual(len(addresses), MAX_NODES + 1)
        self.assertTrue(all(address in layout.node_network for address in addresses))
        for one, other in itertools.combinations(layout.node_numbers, 2):
            self.assertFalse(layout.node_pod_range(one).overlaps(layout.node_pod_range(other)))
        self.assertTrue(all(layout.node_pod_range(node).subnet_of(layout.pod_range) for node in layout.node_numbers))
        self.assertIn(layout.usable_address, layout.load_balancer_range)

    def test_a_name_is_no_path_and_no_flag(self) -> None:
        for name in ("", "..", "a/b", "-a", "A", "a b", "a" * 33):
            with self.subTest(name), self.assertRaises(ClusterError):
                check_name(name)
        check_name("tb-test2")
