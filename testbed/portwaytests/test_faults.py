from __future__ import annotations

from .cluster import SYSTEM, PortwayTest
from .gateways import GATEWAY_API, Object, backend, gateway, http, https, metadata, route, to

HOST = "healthy.example.com"
SPACE = "faults"


def policy(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": GATEWAY_API, "kind": kind, "metadata": metadata(SPACE, name), "spec": spec}


def invalid() -> list[Object]:
    """Objects that the API server takes and that cannot be served, one of each kind or more."""
    nowhere = to("nothing")
    other_kind = {"backendRefs": [{"group": "example.com", "kind": "Nonsense", "name": "x"}]}
    pattern = to("page", matches=[{"path": {"type": "RegularExpression", "value": "/(["}}])
    extension = {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Nonsense", "name": "x"}}
    parents = [{"name": "web"}]
    target = [{"group": "", "kind": "Service", "name": "page"}]
    authority = [{"group": "", "kind": "ConfigMap", "name": "nothing"}]
    listeners = [
        https("no-keys", 8443),
        https("nothing", 8444),
        {"name": "odd", "protocol": "example.com/ODD", "port": 81},
    ]
    parent = {"name": "web", "kind": "Gateway", "group": "gateway.networking.k8s.io"}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(SPACE, "no-keys"), "data": {"tls.crt": "bm8="}},
        gateway(SPACE, "bad", listeners),
        route(SPACE, "nowhere", "nowhere.example.com", [nowhere]),
        route(SPACE, "other-kind", "kind.example.com", [other_kind]),
        route(SPACE, "pattern", "pattern.example.com", [pattern]),
        route(SPACE, "extension", "extension.example.com", [to("page", filters=[extension])]),
        policy("GRPCRoute", "bad", {"parentRefs": parents, "hostnames": ["grpc.example.com"], "rules": [nowhere]}),
        policy("TLSRoute", "bad", {"parentRefs": parents, "hostnames": ["tls.example.com"], "rules": [nowhere]}),
        policy(
            "BackendTLSPolicy",
            "bad",
            {
                "targetRefs": [target[0] | {"name": "nothing"}],
                "validation": {"caCertificateRefs": authority, "hostname": "x.example.com"},
            },
        ),
        policy("ListenerSet", "bad", {"parentRef": parent, "listeners": [http()]}),
        {
            "apiVersion": "portway.dev/v1alpha1",
            "kind": "PortwayParameters",
            "metadata": metadata(SPACE, "bad"),
            "spec": {"podTemplate": {"spec": {"containers": "none"}}},
        },
    ]


class InvalidTest(PortwayTest):
    """What cannot be served harms nothing that can."""

    space = SPACE
    objects = [
        *backend(SPACE, "page"),
        gateway(SPACE, "web"),
        *(route(SPACE, f"page-{number}", f"page-{number}.example.com", [to("page")]) for number in range(20)),
        route(SPACE, "page", HOST, [to("page")]),
    ]

    def test_invalid_objects_beside_healthy_ones_with_everything_restarted_after_them(self) -> None:
        at = self.address()
        self.serves(at, HOST)
        self.rolled_out("web-portway")
        self.rolled_out("page")
        with self.load(at, HOST):
            self.apply(*invalid())
            self.eventually(lambda: self.condition("httproute", "nowhere") == "False", "the invalid route's condition")
            self.restart("portway-controller", SYSTEM)
            self.restart("web-portway")
        for number in range(20):
            self.assertEqual(self.get(at, f"page-{number}.example.com")[0], 200)
        self.assertEqual(self.get(at, "nowhere.example.com")[0], 500)
        self.assertEqual(self.get(at, "kind.example.com")[0], 500)

    def condition(self, kind: str, name: str) -> str | None:
        parents = self.object(kind, name).get("status", {}).get("parents", [])
        found = [it["status"] for parent in parents for it in parent["conditions"] if it["type"] == "ResolvedRefs"]
        return found[0] if found else None


class DriftTest(PortwayTest):
    """What is Portway's own is put right; what others add is theirs."""

    space = "drift"
    objects = [gateway("drift", "web")]

    def test_what_is_deleted_or_changed_is_repaired_and_labels_of_users_stay(self) -> None:
        self.address()
        self.rolled_out("web-portway")
        where = f"--namespace={self.space}"
        for kind in ("service", "deployment", "poddisruptionbudget"):
            with self.subTest(f"{kind} deleted"):
                uid = self.object(kind, "web-portway")["metadata"]["uid"]
                self.kubectl("delete", kind, "web-portway", where)
                self.eventually(lambda kind=kind, uid=uid: self.is_back(kind, uid), f"another {kind}")
        self.kubectl("label", "deployment", "web-portway", "team=mine", where)
        self.kubectl("patch", "deployment", "web-portway", where, '--patch={"spec":{"replicas":5}}')
        self.eventually(lambda: self.object("deployment", "web-portway")["spec"]["replicas"] == 2, "two proxies again")
        ports = '--patch={"spec":{"ports":[{"port":80,"name":"mine","targetPort":9}]}}'
        self.kubectl("patch", "service", "web-portway", where, "--type=merge", ports)
        self.eventually(lambda: self.targets() != [9], "the Service's ports again")
        self.assertEqual(self.object("deployment", "web-portway")["metadata"]["labels"]["team"], "mine")

    def is_back(self, kind: str, uid: str) -> bool:
        return any(
            it["metadata"]["name"] == "web-portway" and it["metadata"]["uid"] != uid for it in self.objects_of(kind)
        )

    def targets(self) -> list[int]:
        return [port["targetPort"] for port in self.object("service", "web-portway")["spec"]["ports"]]
