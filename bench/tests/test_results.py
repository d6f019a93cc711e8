"""From bursts to figures, verdicts, table and chart."""

from __future__ import annotations

import unittest
from xml.etree import ElementTree

from proxybench import aims, chart, table
from proxybench.results import paired_ratio, summarise
from proxybench.scenario import ROUTES_HEADLINE

from .samples import outcome, peer, scenario


class Ratios(unittest.TestCase):
    def test_a_noisy_round_does_not_move_the_ratio(self) -> None:
        # The third round cost both sides three times as much.
        self.assertAlmostEqual(paired_ratio([10, 10, 30], [20, 20, 60]) or 0, 0.5)

    def test_there_is_no_ratio_without_figures(self) -> None:
        self.assertIsNone(paired_ratio([], [1.0]))

    def test_ratios_are_to_the_references_of_the_same_scenario(self) -> None:
        elsewhere = outcome("nginx", [1], where=ROUTES_HEADLINE)
        results = summarise([outcome("portway", [9, 9, 8]), outcome("nginx", [10, 10, 10]), elsewhere])
        self.assertAlmostEqual(results[0].cpu_ratio["nginx"], 0.9)
        self.assertNotIn("envoy", results[0].cpu_ratio)


class Aims(unittest.TestCase):
    def verdicts(self, portway_cpu: float, many_cpu: float, many_bytes: int) -> list[str]:
        many = outcome("portway", [many_cpu] * 3, where=ROUTES_HEADLINE, idle=many_bytes - 1, loaded=many_bytes)
        peers = [outcome("nginx", [10] * 3), outcome("envoy", [30] * 3)]
        lines = [aim.line() for aim in aims.judge(summarise([outcome("portway", [portway_cpu] * 3), many, *peers]))]
        return [line for line in lines if "NOT MEASURED" not in line]

    def test_all_are_reached(self) -> None:
        verdicts = self.verdicts(portway_cpu=10, many_cpu=11, many_bytes=39_000_000)
        self.assertEqual(len(verdicts), 5)
        self.assertTrue(all(line.startswith("PASS") for line in verdicts), verdicts)

    def test_each_is_missed_on_its_own_grounds(self) -> None:
        verdicts = self.verdicts(portway_cpu=13, many_cpu=15, many_bytes=41_000_000)
        self.assertEqual(sum(line.startswith("FAIL") for line in verdicts), 4, verdicts)

    def test_a_reference_that_was_not_measured_is_said_so(self) -> None:
        failed = outcome("nginx", [])
        failed.trouble = "it did not start"
        verdicts = aims.judge(summarise([outcome("portway", [10]), failed]))
        self.assertIn("NOT MEASURED", verdicts[0].line())
        self.assertIsNone(verdicts[0].reached)


class Table(unittest.TestCase):
    def test_figures_and_refusals_are_both_shown(self) -> None:
        refused = outcome("relay", [], idle=0)
        refused.trouble = "it has no routes"
        text = table.render(scenario(), summarise([outcome("nginx", [10.04, 10.04]), refused]))
        self.assertIn("10.0", text)
        self.assertIn("byte relay: not measured: it has no routes", text)

    def test_a_proxy_that_fell_behind_is_marked(self) -> None:
        slow = outcome("traefik", [50])
        slow.latencies = [type(slow.latencies[0])(100, 200, achieved_rate=100, errors=0)]
        self.assertIn("200!", table.render(scenario(), summarise([slow])))


class Chart(unittest.TestCase):
    def test_it_is_well_formed_and_longer_where_slower(self) -> None:
        results = summarise([outcome("portway", [10]), outcome("envoy", [40]), outcome("direct", [0], idle=0)])
        drawing = ElementTree.fromstring(chart.draw([scenario()], results, "a < b & c"))
        bars = drawing.findall("{http://www.w3.org/2000/svg}rect")
        widths = [float(bar.attrib["width"]) for bar in bars]
        self.assertEqual(len(widths), 2, "what is no proxy has no bar")
        self.assertAlmostEqual(widths[1] / widths[0], 4, places=1)
        self.assertIn("ours", bars[0].attrib["class"])


class Peers(unittest.TestCase):
    def test_every_peer_has_its_own_name(self) -> None:
        names = ["portway", "nginx", "haproxy", "envoy", "traefik", "relay", "direct"]
        self.assertEqual([peer(name).name for name in names], names)


if __name__ == "__main__":
    unittest.main()
