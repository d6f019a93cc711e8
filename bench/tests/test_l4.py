"""Layer 4: how the node's work is counted, what the generators print, what the balancers are told, and the verdicts."""

from __future__ import annotations

import json
import unittest

from proxybench import command_line, scenario
from proxybench.l4 import aims, kube_api, table
from proxybench.l4.balancers import ALL, kube_proxy, nftables, portway
from proxybench.l4.burst import L4Burst, node_work
from proxybench.l4.host import core_mask, sum_of_received
from proxybench.l4.load import bounce_errors, iperf3_errors, wrk_errors
from proxybench.l4.network import Node
from proxybench.l4.results import L4Result, summarise
from proxybench.l4.rounds import L4Outcome
from proxybench.l4.scenario import NEW_CONNECTIONS, PACKETS, SERVICES, THROUGHPUT, chosen
from proxybench.l4.scenario import ALL as SCENARIOS

NODE = Node(3, host=None)  # type: ignore[arg-type]

DEVICES = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:     900       9    0    0    0     0          0         0      900       9    0    0    0
 node1:    1000      10    0    0    0     0          0         0      500       5    0    0    0
 node2:     200       3    0    0    0     0          0         0      500       5    0    0    0
"""

WRK = """\
  7000 requests in 1.00s, 1.07MB read
{trouble}Requests/sec:   7000.00
"""


class Counting(unittest.TestCase):
    def test_of_overlapping_accounts_the_larger_one_counts(self) -> None:
        self.assertEqual(node_work(process=0, interrupts=400, elapsed=1000), 400, "the kernel forwards")
        self.assertEqual(node_work(process=980, interrupts=300, elapsed=1000), 980, "a process has the core")

    def test_there_is_no_more_work_than_time(self) -> None:
        self.assertEqual(node_work(process=1010, interrupts=0, elapsed=1000), 1000)

    def test_what_all_interfaces_but_loopback_received(self) -> None:
        traffic = sum_of_received(DEVICES)
        self.assertEqual((traffic.bytes, traffic.packets), (1200, 13))

    def test_cores_are_a_mask_in_groups_of_32(self) -> None:
        self.assertEqual(core_mask([0]), "00000001")
        self.assertEqual(core_mask([1, 33]), "00000002,00000002")


class Generators(unittest.TestCase):
    def test_iperf3(self) -> None:
        report = {"end": {"sum_received": {"bytes": 5}}}
        self.assertEqual(iperf3_errors(json.dumps(report)), 0)
        with self.assertRaisesRegex(ValueError, "unable to connect"):
            iperf3_errors(json.dumps({"error": "unable to connect"}))

    def test_wrk_counts_what_failed(self) -> None:
        self.assertEqual(wrk_errors(WRK.format(trouble="")), 0)
        trouble = "  Socket errors: connect 3, read 5, write 2, timeout 1\n  Non-2xx or 3xx responses: 4\n"
        self.assertEqual(wrk_errors(WRK.format(trouble=trouble)), 15)

    def test_bounce_counts_each_time_that_all_were_lost(self) -> None:
        self.assertEqual(bounce_errors("900 came back, began anew 2 times\n"), 2)

    def test_output_without_a_summary_is_not_taken_for_success(self) -> None:
        for errors in (iperf3_errors, wrk_errors, bounce_errors):
            with self.assertRaises(ValueError):
                errors("connection refused")


class Configurations(unittest.TestCase):
    def test_portway_gets_a_listener_a_route_and_an_endpoint_for_each_service(self) -> None:
        manifests = portway.objects(NODE.pod_address)
        kinds = [each["kind"] for each in manifests]
        self.assertEqual((kinds.count("TCPRoute"), kinds.count("UDPRoute")), (2, 1))
        gateway, endpoints = manifests[2], manifests[-1]
        self.assertEqual([it["port"] for it in gateway["spec"]["listeners"]], [it.port for it in SERVICES])
        self.assertEqual(endpoints["endpoints"], [{"addresses": ["10.18.3.2"]}])

    def test_a_listener_that_the_kernel_does_not_serve_is_not_measured_as_if_it_did(self) -> None:
        by_kernel = {"path": "kernel", "reason": "client_address_kept"}
        self.assertIsNone(portway.not_by_kernel({"paths": [by_kernel] * 3}))
        by_proxy = {"path": "proxy", "reason": "packet_filter"}
        told = portway.not_by_kernel({"paths": [by_kernel, by_kernel, by_proxy]})
        self.assertIn("packet_filter", told or "")
        self.assertIn("0 listeners out of 3", portway.not_by_kernel({}) or "")

    def test_nftables_leads_each_service_to_the_pod(self) -> None:
        rules = nftables.rules(NODE)
        for it in SERVICES:
            self.assertIn(f"198.18.3.1 . {it.transport.value} . {it.port} : goto external-{it.name}", rules)
            self.assertIn(f"dnat to 10.18.3.2:{it.port}", rules)


class KubeApi(unittest.TestCase):
    """What kube-proxy is told in place of an API server."""

    def setUp(self) -> None:
        self.collections = kube_proxy.collections(NODE)

    def test_the_node_s_address_is_the_service_s_and_the_pod_its_endpoint(self) -> None:
        service = self.collections["/api/v1/services"][0]
        self.assertEqual(service["status"]["loadBalancer"]["ingress"][0]["ip"], "198.18.3.1")
        self.assertEqual(len(service["spec"]["ports"]), len(SERVICES))
        endpoints = self.collections["/apis/discovery.k8s.io/v1/endpointslices"][0]
        self.assertEqual(endpoints["endpoints"][0]["addresses"], ["10.18.3.2"])

    def test_collections_and_their_objects_are_found(self) -> None:
        listed = kube_api.answer(self.collections, "/api/v1/nodes") or {}
        self.assertEqual(len(listed["items"]), 1)
        self.assertEqual((kube_api.answer(self.collections, "/api/v1/nodes/node") or {})["kind"], "Node")
        self.assertIsNone(kube_api.answer(self.collections, "/api/v1/nodes/other"))
        self.assertIsNone(kube_api.answer(self.collections, "/api/v1/secrets"))

    def test_a_watch_begins_with_the_list_only_if_it_is_asked_to(self) -> None:
        nodes = self.collections["/api/v1/nodes"]
        self.assertEqual(kube_api.events(nodes, with_list=False), [])
        told = kube_api.events(nodes, with_list=True)
        self.assertEqual([it["type"] for it in told], ["ADDED", "BOOKMARK"])
        self.assertEqual(told[1]["object"]["metadata"]["annotations"], {kube_api.INITIAL_EVENTS_END: "true"})


def outcome(name: str, rate: list[float], cost: list[float]) -> L4Outcome:
    balancer = next(kind for kind in ALL if kind.name == name)()
    bursts = [
        L4Burst(per_second, nanoseconds, node_busy=1.0, others_busy=0.0, errors=0)
        for per_second, nanoseconds in zip(rate, cost, strict=True)
    ]
    return L4Outcome(balancer, THROUGHPUT, bursts)


class Verdicts(unittest.TestCase):
    def results(self, kernel_rate: float, kernel_cost: float) -> list[L4Result]:
        return summarise(
            [
                outcome("portway-kernel", [kernel_rate] * 2, [kernel_cost] * 2),
                outcome("haproxy", [5e9] * 2, [0.9] * 2),
                outcome("envoy", [4e9] * 2, [1.2] * 2),
                outcome("nftables", [9e9] * 2, [0.4] * 2),
                outcome("none", [10e9] * 2, [0.25] * 2),
            ]
        )

    def verdicts(self, kernel_rate: float, kernel_cost: float) -> list[str]:
        return [aim.verdict for aim in aims.judge(self.results(kernel_rate, kernel_cost))]

    def test_rate_and_cost_are_judged_apart(self) -> None:
        self.assertEqual(self.verdicts(9.1e9, 0.29), ["PASS", "PASS"])
        self.assertEqual(self.verdicts(8.9e9, 0.29), ["FAIL", "PASS"])
        self.assertEqual(self.verdicts(9.1e9, 0.31), ["PASS", "FAIL"])

    def test_the_best_in_user_space_is_what_it_is_compared_with(self) -> None:
        lines = [aim.line() for aim in aims.judge(self.results(9.1e9, 0.29))]
        self.assertIn("relative to HAProxy at least 3 times: 3.10 times", lines[1])

    def test_without_a_row_to_compare_with_nothing_is_reached(self) -> None:
        verdicts = aims.judge(summarise([outcome("portway-kernel", [1.0], [1.0])]))
        self.assertEqual([aim.verdict for aim in verdicts], ["NOT MEASURED"] * 2)

    def test_the_table_has_figures_and_troubles(self) -> None:
        refused = outcome("envoy", [], [])
        refused.trouble = "it did not start"
        text = table.render(THROUGHPUT, summarise([outcome("none", [9.5e9], [0.25]), refused]))
        self.assertRegex(text, r"no balancer +9\.50 +1\.00 +250\.0")
        self.assertIn("Envoy: not measured: it did not start", text)


class Choice(unittest.TestCase):
    def test_both_layers_by_default_and_each_alone(self) -> None:
        both = command_line.parse([])
        self.assertEqual(command_line.l4_scenarios(both), SCENARIOS)
        self.assertTrue(command_line.scenarios(both))
        self.assertEqual(command_line.scenarios(command_line.parse(["--layer", "4"])), [])
        self.assertEqual(command_line.l4_scenarios(command_line.parse(["--layer", "7"])), [])

    def test_a_scenario_leaves_the_other_layer_out(self) -> None:
        options = command_line.parse(["--scenario", PACKETS.name])
        self.assertEqual((command_line.scenarios(options), command_line.l4_scenarios(options)), ([], [PACKETS]))
        options = command_line.parse(["--scenario", scenario.HEADLINE])
        self.assertEqual(command_line.l4_scenarios(options), [])

    def test_peers_of_one_layer_leave_the_other_out(self) -> None:
        options = command_line.parse(["--only", "portway,nginx"])
        self.assertEqual(command_line.l4_scenarios(options), [])
        options = command_line.parse(["--only", "portway-kernel,none"])
        self.assertEqual(command_line.scenarios(options), [])

    def test_unknown_names_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "l4-sctp"):
            chosen([NEW_CONNECTIONS.name, "l4-sctp"])
        with self.assertRaisesRegex(ValueError, "ipvs"):
            command_line.balancer_types(command_line.parse(["--only", "ipvs"]))


if __name__ == "__main__":
    unittest.main()
