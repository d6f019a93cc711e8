from __future__ import annotations

import json
import sys
import time
from typing import Any

from localcluster import api, images, lifecycle, programs
from localcluster.layout import ClusterError

from .cluster import PortwayTest
from .gateways import GATEWAY_API, Object, backend, gateway, http, metadata, route, to

SPACE = "foreign"
HOST = "both.example.com"
OURS = "portway.dev/gateway-controller"
TRAEFIK = "traefik.io/gateway-controller"
TRAEFIK_IMAGE = "docker.io/portway-testbed/traefik:local"
# Traefik serves a listener where it has an entry point with its port.
TRAEFIK_PORT = 8000
MADE_UP = "example.com/made-up"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SPACE}/httproutes/page"
# How long nobody may write anything.
QUIET = 8.0
EDITS = 30


def gateway_class(name: str, controller: str) -> Object:
    spec = {"controllerName": controller}
    return {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": name}, "spec": spec}


def traefik_image() -> images.Image:
    """Out of the package that the benchmark measures, too."""
    sys.path.append(str(programs.ROOT / "bench"))
    from proxybench import provision

    root = provision.default_cache()
    found = provision.Provision(cache=root, sources=root, portway=root).python_package("traefik")
    return images.Image([TRAEFIK_IMAGE], ["/traefik"], {"/traefik": found / "bin" / "traefik"})


def traefik(space: str) -> list[Object]:
    """Its Deployment, which may do everything: what it needs is none of these tests' business."""
    container = {
        "name": "traefik",
        "image": TRAEFIK_IMAGE,
        "imagePullPolicy": "Never",
        "args": [
            "--providers.kubernetesgateway=true",
            f"--entrypoints.web.address=:{TRAEFIK_PORT}",
            "--entrypoints.ping.address=:8081",
            "--ping=true",
            "--ping.entrypoint=ping",
            "--providers.kubernetesgateway.statusaddress.ip=198.51.100.9",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": 8081}, "periodSeconds": 1},
    }
    labels = {"app": "traefik"}
    pod = {"serviceAccountName": "traefik", "containers": [container]}
    subject = {"kind": "ServiceAccount", "name": "traefik", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(space, "traefik")},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "traefik"},
            "roleRef": role,
            "subjects": [subject],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(space, "traefik"),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


def of_both(*filters: Object) -> Object:
    """A route that has parents of both implementations."""
    page = route(SPACE, "page", HOST, [to("page", filters=list(filters))])
    page["spec"]["parentRefs"] = [{"name": "ours"}, {"name": "theirs"}]
    return page


def header(value: str) -> Object:
    modified = {"set": [{"name": "x-edit", "value": value}]}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": modified}


class ForeignTest(PortwayTest):
    """Another implementation beside Portway: each has its say, and neither writes against the other."""

    space = SPACE
    objects = [*backend(SPACE, "page"), gateway(SPACE, "ours")]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for name in ("page", "ours-portway"):
            cls.rolled_out(name)

    def tearDown(self) -> None:
        where = f"--namespace={SPACE}"
        self.kubectl("delete", "httproute/page", "gateway/theirs", "deployment/traefik", where, "--ignore-not-found")
        self.kubectl("delete", "gatewayclass/theirs", "clusterrolebinding/traefik", "--ignore-not-found")

    def test_traefik_has_its_entries_and_portway_its_own(self) -> None:
        archive = self.layout.state / "images" / "traefik.tar"
        if not archive.exists():
            images.write(traefik_image(), archive)
            lifecycle.load(self.layout, [archive])
        theirs = gateway(SPACE, "theirs", [http(TRAEFIK_PORT)], of="theirs")
        self.apply(*traefik(SPACE), gateway_class("theirs", TRAEFIK), theirs, of_both())
        self.rolled_out("traefik")
        self.eventually(lambda: self.both_accept(TRAEFIK), "both to accept the route")
        self.serves(self.address("ours"), HOST)
        pod = self.objects_of("pod", "--selector=app=traefik")[0]
        self.serves(f"{pod['status']['podIP']}:{TRAEFIK_PORT}", HOST)
        self.is_quiet(["httproute/page", "gateway/ours", "gateway/theirs"], ["theirs", "portway"])

        self.apply(of_both(header("1")))
        self.eventually(lambda: self.both_accept(TRAEFIK), "both to accept the edit")
        self.is_quiet(["httproute/page"], [])

        # A route that leaves us takes our entry along, and nobody else's.
        left = of_both()
        left["spec"]["parentRefs"] = [{"name": "theirs"}]
        self.apply(left)
        self.eventually(lambda: set(self.entries()) == {TRAEFIK}, "the one entry that is left to be Traefik's")

    def test_another_writes_its_entry_while_we_write_ours(self) -> None:
        self.apply(gateway_class("theirs", MADE_UP), gateway(SPACE, "theirs", of="theirs"), of_both())
        self.eventually(lambda: OURS in self.entries(), "our entry")
        with self.watched() as seen, api.Api(self.layout).session() as session:
            for number in range(EDITS):
                rules = [to("page", filters=[header(str(number))])]
                session.merge(ROUTE, {"spec": {"rules": rules}})
                self.write_made_up(session)
            self.eventually(lambda: self.both_accept(MADE_UP), "both entries to be of the last edit")
        writes, refused = (seen.writes("httproutes/status", SPACE, refused=it) for it in (None, True))
        print(f"    {writes} writes of ours, {refused} of them refused", flush=True)
        # An edit costs one write, and one more that is refused where the other was faster.
        self.assertLessEqual(writes, 3 * EDITS, seen)
        self.is_quiet(["httproute/page"], [])

    def write_made_up(self, session: api.Session) -> None:
        """As a controller that keeps to the rules: its own entry is replaced, for the version that it has read."""
        while True:
            _, body = session.request("GET", ROUTE)
            page = json.loads(body)
            parents = [it for it in page.get("status", {}).get("parents", []) if it["controllerName"] != MADE_UP]
            generation = page["metadata"]["generation"]
            entry = {"controllerName": MADE_UP, "parentRef": {"name": "theirs"}, "conditions": [said(generation)]}
            parents.append(entry)
            version = page["metadata"]["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version}, "status": {"parents": parents}}
            try:
                session.merge(f"{ROUTE}/status", patch)
                return
            except ClusterError as error:
                if " 409 " not in str(error):
                    raise

    def entries(self) -> dict[str, Any]:
        """Conditions of the route by controller, by type."""
        parents = self.object("httproute", "page").get("status", {}).get("parents", [])
        return {it["controllerName"]: {c["type"]: c for c in it["conditions"]} for it in parents}

    def both_accept(self, other: str) -> bool:
        """Whether both entries tell that the route is accepted as it is now."""
        generation, entries = self.object("httproute", "page")["metadata"]["generation"], self.entries()
        accepted = [entries.get(name, {}).get("Accepted", {}) for name in (OURS, other)]
        return all(it.get("status") == "True" and it.get("observedGeneration") == generation for it in accepted)

    def is_quiet(self, objects: list[str], classes: list[str]) -> None:
        """Asserts that after a while to come to rest nobody writes anything."""
        time.sleep(3)
        names = [(name, f"--namespace={SPACE}") for name in objects] + [(f"gatewayclass/{it}", "") for it in classes]

        def versions() -> list[str]:
            asked = "--output=jsonpath={.metadata.resourceVersion}"
            return [self.kubectl("get", *filter(None, it), asked) for it in names]

        before = versions()
        with self.watched() as seen:
            time.sleep(QUIET)
        self.assertEqual(versions(), before, seen)
        for resource in ("httproutes/status", "gateways/status"):
            self.assertEqual(seen.writes(resource, SPACE), 0, seen)
        self.assertEqual(seen.writes("gatewayclasses/status"), 0, seen)


def said(generation: int) -> Object:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": now,
    }
