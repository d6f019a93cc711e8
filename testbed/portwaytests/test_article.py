from __future__ import annotations

from localcluster import programs
from localcluster.layout import ClusterError

from . import gateways
from .__main__ import FOREIGN
from .cluster import PortwayTest

EXAMPLE = programs.ROOT / "examples" / "my-app"
REFUSED_BY_THE_SERVER = "io.cilium.gateway-controller"
HOST = "myapp.example.com"


class ArticleTest(PortwayTest):
    """The example that was written for another implementation, as it stands in its article and then mended."""

    space = "gateway-api"

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.kubectl, "delete", "namespace", "my-app", "--ignore-not-found", "--wait=false")
        cls.addClassCleanup(cls.kubectl, "delete", "gatewayclass", "cilium", "--ignore-not-found")

    def test_the_articles_manifests(self) -> None:
        gateway = (EXAMPLE / "gateway.yaml").read_text()
        self.assertIn("from: All", gateway)
        with self.assertRaises(ClusterError) as refused:
            self.kubectl("apply", "--filename=-", stdin=gateway)
        self.assertIn("spec.controllerName in body should match", str(refused.exception))

        gateway = gateway.replace(REFUSED_BY_THE_SERVER, FOREIGN)
        self.kubectl("apply", "--filename=-", stdin=gateway.replace("from: All", "from: Same"))
        self.kubectl("apply", f"--filename={EXAMPLE}/app.yaml", f"--filename={EXAMPLE}/route.yaml")
        address = self.address("my-gateway")
        accepted = self.eventually(self.accepted, "the route's status")
        self.assertEqual((accepted["status"], accepted["reason"]), ("False", "NotAllowedByListeners"))
        self.assertIn("allowedRoutes.namespaces.from", accepted["message"])
        self.eventually(lambda: self.get(address, HOST)[0] == 404, "the status 404 for a route that is refused")

        self.rolled_out("my-web-app-deployment", "my-app")
        self.kubectl("apply", "--filename=-", stdin=gateway)
        self.assertIn("Server name: my-web-app-deployment-", self.serves(address, HOST))
        self.assertEqual(self.accepted()["status"], "True")
        with self.load(address, HOST) as told:
            pass
        self.assertEqual(len(told["answers"]), 2, told["answers"])

    def accepted(self) -> dict[str, str] | None:
        parents = self.object("httproute", "my-web-app-route", "my-app").get("status", {}).get("parents", [])
        ours = [parent for parent in parents if parent["controllerName"] == FOREIGN]
        return next((it for parent in ours for it in parent["conditions"] if it["type"] == "Accepted"), None)


class ForeignTest(PortwayTest):
    """What is another implementation's is let alone."""

    space = "foreign"

    def test_class_and_gateway_of_another_controller_are_untouched(self) -> None:
        self.addCleanup(self.kubectl, "delete", "gatewayclass", "foreign", "--ignore-not-found")
        self.apply(
            {
                "apiVersion": gateways.GATEWAY_API,
                "kind": "GatewayClass",
                "metadata": {"name": "foreign"},
                "spec": {"controllerName": "example.com/foreign"},
            },
            gateways.gateway(self.space, "web", of="foreign"),
            gateways.gateway(self.space, "ours"),
            gateways.route(self.space, "page", "page.example.com", [gateways.to("nothing")]),
        )
        # What comes after has been acted on, so what came before has been seen.
        self.address("ours")
        found = [self.object("gatewayclass", "foreign")]
        found += [self.object("gateway", "web"), self.object("httproute", "page")]
        for it in found:
            with self.subTest(it["kind"]):
                writers = {entry["manager"] for entry in it["metadata"]["managedFields"]}
                self.assertFalse([writer for writer in writers if writer.startswith("portway")])
        self.assertFalse([it for it in self.objects_of("deployment") if it["metadata"]["name"].startswith("web-")])
