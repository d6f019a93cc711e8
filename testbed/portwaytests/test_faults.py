from __future__ import annotations

from .cluster import SYSTEM, PortwayTest
from .gateways import backend, route, to
from .invalid import Invalid, invalid, served

SPACE = "faults"
HOSTS = [f"page-{number}.example.com" for number in range(100)]
# What their clients get, who are told that it is not theirs to mend.
ANSWERS = {"nowhere": 500, "kind": 500, "elsewhere": 500, "extension": 500, "secured": 500}


class InvalidTest(PortwayTest):
    """What cannot be served harms nothing that can."""

    space = SPACE
    objects = [
        *backend(SPACE, "page"),
        served(SPACE),
        *(route(SPACE, host.split(".")[0], host, [to("page")]) for host in HOSTS),
    ]

    def test_invalid_objects_beside_healthy_ones_with_everything_restarted_after_them(self) -> None:
        at = self.address()
        self.serves(at, HOSTS[-1])
        self.rolled_out("web-portway")
        self.rolled_out("page")
        objects = list(invalid(SPACE))
        self.addCleanup(self.kubectl, "delete", "gatewayclass/bad", "addresspool/bad", "--ignore-not-found")
        with self.load(at, HOSTS[0], *(f"--host={host}" for host in HOSTS[1:])) as told:
            self.apply(*(it.object for it in objects))
            self.all_are_told(objects)
            self.restart("portway-controller", SYSTEM)
            self.restart("web-portway")
            self.restart("page")
        self.assertGreater(told["answered"], 5 * len(HOSTS))
        self.all_are_told(objects)
        for name, status in ANSWERS.items():
            with self.subTest(name):
                self.assertEqual(self.get(at, f"{name}.example.com")[0], status)

    def all_are_told(self, objects: list[Invalid]) -> None:
        for it in objects:
            if it.told:
                kind, _, name = it.name.partition("/")
                what = f"{it.name} to have the condition {' '.join(it.told)}"
                try:
                    self.eventually(
                        lambda kind=kind, name=name, it=it: self.is_told(kind, name, *it.told, times=it.times), what
                    )
                except AssertionError as error:
                    raise AssertionError(f"{error}; it has {self.conditions(kind, name)}") from error
