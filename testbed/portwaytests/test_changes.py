from __future__ import annotations

from .cluster import PortwayTest
from .gateways import backend, gateway, route, to

HOST = "changes.example.com"


class ChangeTest(PortwayTest):
    """Changes of those that serve."""

    space = "changes"
    objects = [
        *backend("changes", "a"),
        gateway("changes", "web"),
        route("changes", "page", HOST, [to("a")]),
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for name in ("a", "web-portway"):
            cls.rolled_out(name)
        cls.at = cls.address()
        cls.serves(cls.at, HOST)

    def test_rollout_and_scale_in_of_a_backend_under_posts(self) -> None:
        before = {pod["metadata"]["name"] for pod in self.objects_of("pod", "--selector=app=a")}
        with self.load(self.at, HOST, "--post") as told:
            self.restart("a")
            self.kubectl("scale", "deployment/a", "--replicas=1", f"--namespace={self.space}")
            self.eventually(lambda: len(self.objects_of("pod", "--selector=app=a")) == 1, "one pod to be left")
            self.kubectl("scale", "deployment/a", "--replicas=2", f"--namespace={self.space}")
            self.rolled_out("a")
        self.assertTrue(told["answers"].keys() - before, "the new pods have served")
