from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

from conformancesuite import again
from conformancesuite.own_report import OwnReport
from conformancesuite.report import PROFILES, Report
from conformancesuite.run import Outcome, messages, outcome_of


def profile(name: str) -> dict:
    return {
        "name": name,
        "core": {"result": "success", "statistics": {"Passed": 2, "Failed": 0, "Skipped": 0}},
        "extended": {
            "result": "success",
            "statistics": {"Passed": 3, "Failed": 0, "Skipped": 0},
            "supportedFeatures": ["GatewayPort8080"],
        },
    }


class ReportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.report = {"profiles": [profile(name) for name in reversed(PROFILES)]}

    def read(self) -> Report:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.report, file)
            file.flush()
            return Report.read(Path(file.name))

    def test_all_passed_is_a_success(self) -> None:
        report = self.read()
        self.assertEqual(report.faults(), [])
        self.assertEqual([line.profile for line in report.lines[::2]], list(PROFILES))
        self.assertIn("extended features: 1 supported, 0 not", report.table())

    def test_a_failed_test_is_a_fault(self) -> None:
        for it in self.report["profiles"][-2:]:
            it["core"]["failedTests"] = ["GatewayModifyListeners"]
        self.assertEqual(self.read().faults(), ["GatewayModifyListeners fails (GATEWAY-HTTP core, GATEWAY-GRPC core)"])

    def test_a_skipped_test_is_a_fault(self) -> None:
        self.report["profiles"][0]["extended"]["skippedTests"] = ["UDPRoute"]
        self.assertEqual(self.read().faults(), ["UDPRoute is skipped (GATEWAY-UDP extended)"])

    def test_an_unsupported_feature_is_a_fault(self) -> None:
        for it in self.report["profiles"]:
            it["extended"]["unsupportedFeatures"] = ["GatewayFrontendClientCertificateValidation"]
        self.assertEqual(
            self.read().faults(), ["the feature GatewayFrontendClientCertificateValidation is not supported"]
        )

    def test_what_was_not_run_is_a_fault(self) -> None:
        self.report["profiles"].pop()
        del self.report["profiles"][0]["extended"]
        self.assertEqual(
            self.read().faults(),
            [
                "no test of GATEWAY-HTTP, core, was run",
                "no test of GATEWAY-HTTP, extended, was run",
                "no test of GATEWAY-UDP, extended, was run",
            ],
        )

    def test_an_empty_report_is_a_fault(self) -> None:
        self.report = {"profiles": None}
        self.assertEqual(len(self.read().faults()), 2 * len(PROFILES))


class OwnReportTest(unittest.TestCase):
    def read(self, *results: str) -> OwnReport:
        tests = [{"name": f"Test{number}", "result": result} for number, result in enumerate(results)]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"features": [{"name": "ClusterTrustBundle", "gep": 5075, "tests": tests}]}, file)
            file.flush()
            return OwnReport.read(Path(file.name))

    def test_all_passed_is_a_success(self) -> None:
        report = self.read("Passed", "Passed")
        self.assertEqual(report.faults(), [])
        self.assertRegex(report.table(), r"ClusterTrustBundle +5075 +2 +0$")

    def test_whatever_did_not_pass_is_a_fault(self) -> None:
        report = self.read("Passed", "Failed", "Skipped", "NotRun")
        self.assertEqual(
            report.faults(),
            [
                "Test1 fails (our own, of ClusterTrustBundle)",
                "Test2 is skipped (our own, of ClusterTrustBundle)",
                "Test3 was not run (our own, of ClusterTrustBundle)",
            ],
        )

    def test_no_tests_are_a_fault(self) -> None:
        self.assertEqual(self.read().faults(), ["none of our own tests was run"])


LOG = """\
    suite.go:442:
        \tError Trace:\thelpers.go:329
        \tError:      \tReceived unexpected error:
        \tTest:       \tTestConformance
        \tMessages:   \tnot ready
        \tTest:       \tTestConformance/A/part_one
        \tMessages:   \tno address
        \tTest:       \tTestConformance/own/B/part
        \tMessages:   \tno bundle
        \tTest:       \tTestConformance/A
        \tMessages:   \tno listener
"""


class MessagesTest(unittest.TestCase):
    def test_are_told_by_test(self) -> None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(LOG)
            file.flush()
            found = messages(Path(file.name))
        self.assertEqual(found, {"": ["not ready"], "A": ["no address", "no listener"], "B": ["no bundle"]})


class OutcomeTest(unittest.TestCase):
    def test_of_a_test_but_not_of_its_parts(self) -> None:
        self.assertEqual(outcome_of("    --- PASS: TestConformance/A (1.25s)\n"), Outcome("A", "PASS", 1.25))
        self.assertEqual(outcome_of("    --- FAIL: TestConformance/B (0.00s)\n"), Outcome("B", "FAIL", 0.0))
        self.assertEqual(outcome_of("        --- PASS: TestConformance/own/C (2.00s)\n"), Outcome("C", "PASS", 2.0))
        for line in (
            "    --- PASS: TestConformance/own (9s)",
            "        --- PASS: TestConformance/A/part (1.25s)",
            "--- PASS: TestConformance (9s)",
            "=== RUN A",
        ):
            self.assertIsNone(outcome_of(line))


class AgainTest(unittest.TestCase):
    def test_a_failed_test_may_be_unsteady(self) -> None:
        faults = ["GatewayModifyListeners fails (GATEWAY-HTTP core)", "UDPRoute fails"]
        self.assertTrue(again.may_be_unsteady(["GatewayModifyListeners", "UDPRoute"], faults))

    def test_what_no_second_run_mends_is_not(self) -> None:
        skipped = "UDPRoute is skipped (GATEWAY-UDP extended)"
        self.assertFalse(again.may_be_unsteady(["UDPRoute"], ["UDPRoute fails (GATEWAY-UDP core)", skipped]))
        self.assertFalse(again.may_be_unsteady([], ["the feature X is not supported"]))
        many = [f"Test{number}" for number in range(again.AT_MOST + 1)]
        self.assertFalse(again.may_be_unsteady(many, [f"{test} fails (GATEWAY-HTTP core)" for test in many]))
