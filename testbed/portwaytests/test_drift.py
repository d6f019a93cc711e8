from __future__ import annotations

from .cluster import PortwayTest
from .gateways import gateway


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
