"""The configurations: each proxy gets the same routes, and Portway gets them as Gateway API objects."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from proxybench.certificate import Certificate
from proxybench.peers import Setup
from proxybench.provision import Provision, Unavailable
from proxybench.scenario import ALL, DEFAULT, QUICK, ROUTES_HEADLINE, chosen, grouped

from .samples import peer, scenario


class Configurations(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        for name in ("tls.crt", "tls.key", "tls.pem", "portway"):
            (self.root / name).write_text("#!/bin/sh\necho portway 1.2.3\n")
        (self.root / "portway").chmod(0o755)

    def setup_of(self, name: str) -> Setup:
        certificate = Certificate(self.root / "tls.crt", self.root / "tls.key", self.root / "tls.pem")
        return Setup(self.root / "lane", scenario(name), 20080, 20081, 20082, certificate)

    def provision(self, portway: str = "portway") -> Provision:
        return Provision(self.root / "cache", self.root, self.root / portway)

    def launched(self, name: str) -> tuple[list[str], list[dict[str, Any]]]:
        """Portway's command line in a scenario, and the manifests that it is given."""
        portway = peer("portway")
        portway.prepare(self.provision())
        self.assertEqual(portway.version, "1.2.3")
        launch = portway.launch(self.setup_of(name))
        assert launch is not None
        text = "".join(path.read_text() for path in sorted((self.root / "lane/manifests").iterdir()))
        return launch.argv, [json.loads(document) for document in text.split("---\n")[1:]]

    def test_portway_gets_a_route_for_each_host_and_prefix(self) -> None:
        argv, manifests = self.launched(ROUTES_HEADLINE)
        routes = [manifest for manifest in manifests if manifest["kind"] == "HTTPRoute"]
        self.assertEqual(len(routes), 5000)
        self.assertEqual(len({route["metadata"]["name"] for route in routes}), 5000)
        self.assertIn("bench/app:80=127.0.0.1:20082", argv)

    def test_the_listener_and_the_port_offset_meet_at_the_port(self) -> None:
        for name in ("h1-64", "tls-64"):
            argv, manifests = self.launched(name)
            gateway = next(manifest for manifest in manifests if manifest["kind"] == "Gateway")
            offset = int(argv[argv.index("--port-offset") + 1])
            self.assertEqual(gateway["spec"]["listeners"][0]["port"] + offset, 20080)

    def test_a_binary_that_is_not_there_is_said_so(self) -> None:
        with self.assertRaisesRegex(Unavailable, "no program at .*elsewhere"):
            peer("portway").prepare(self.provision("elsewhere"))


class Scenarios(unittest.TestCase):
    def test_names_are_unique_and_the_sets_hold_known_ones(self) -> None:
        self.assertEqual(len({each.name for each in ALL}), len(ALL))
        self.assertEqual(len(chosen(DEFAULT)), len(DEFAULT))
        self.assertLessEqual(set(QUICK), set(DEFAULT))

    def test_an_unknown_name_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "h9-64"):
            chosen(["h1-64", "h9-64"])

    def test_one_and_many_routes_are_measured_in_the_same_rounds(self) -> None:
        names = [[each.name for each in group] for group in grouped(chosen(DEFAULT))]
        self.assertIn(["h1-64", ROUTES_HEADLINE], names)


if __name__ == "__main__":
    unittest.main()
