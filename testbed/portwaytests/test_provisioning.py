from __future__ import annotations

import time

from .cluster import PortwayTest
from .gateways import Object, gateway, metadata

SPACE = "provisioning"
# What serves a Gateway; all of one name.
KINDS = ("serviceaccount", "configmap", "service", "deployment", "poddisruptionbudget")
# After which what could not be provisioned is tried again is 10 s (docs/limits.md).
RETRY_SECONDS = 30


class ProvisioningTest(PortwayTest):
    """What serves a Gateway, as the API server has it."""

    space = SPACE
    objects = [gateway(SPACE, "web")]

    def setUp(self) -> None:
        self.rolled_out("web-portway")

    def parametrised(self, name: str, spec: Object) -> None:
        """A Gateway with parameters, or other parameters for it."""
        identity = {"apiVersion": "portway.dev/v1alpha1", "kind": "PortwayParameters"}
        identity["metadata"] = metadata(SPACE, name)
        asked = gateway(SPACE, name)
        reference = {"group": "portway.dev", "kind": "PortwayParameters", "name": name}
        asked["spec"]["infrastructure"] = {"parametersRef": reference}
        self.apply(identity | {"spec": spec}, asked)

    def removed(self, name: str) -> None:
        self.kubectl("delete", f"gateway/{name}", f"--namespace={SPACE}", "--ignore-not-found", "--wait=false")

    def uid(self, kind: str, name: str) -> str:
        found = [it for it in self.objects_of(kind) if it["metadata"]["name"] == name]
        return found[0]["metadata"]["uid"] if found else ""

    def test_an_object_that_is_not_ours_is_left_alone(self) -> None:
        self.addCleanup(self.removed, "taken")
        theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(SPACE, "taken-portway")}
        self.apply(theirs)
        before = self.object("configmap", "taken-portway")["metadata"]["resourceVersion"]
        self.apply(gateway(SPACE, "taken"))
        told = self.eventually(
            lambda: self.is_told("gateway", "taken", "Programmed", "False", "NoResources"), "the condition"
        )
        self.assertIn(f"ConfigMap {SPACE}/taken-portway is there, but not made by Portway", told["message"])
        time.sleep(2)
        self.assertEqual(self.object("configmap", "taken-portway")["metadata"]["resourceVersion"], before)
        self.kubectl("delete", "configmap/taken-portway", f"--namespace={SPACE}")
        served = "the Gateway to be served"
        self.eventually(lambda: self.is_told("gateway", "taken", "Programmed", "True"), served, RETRY_SECONDS + 30)

    def test_a_service_that_cannot_be_changed_is_made_anew(self) -> None:
        self.addCleanup(self.removed, "balanced")
        self.parametrised("balanced", {"replicas": 1})
        first = self.eventually(lambda: self.uid("service", "balanced-portway"), "a Service")
        deployment = self.eventually(lambda: self.uid("deployment", "balanced-portway"), "a Deployment")
        self.parametrised("balanced", {"replicas": 1, "service": {"loadBalancerClass": "example.com/other"}})

        def is_other() -> bool:
            uid = self.uid("service", "balanced-portway")
            return bool(uid) and uid != first

        self.eventually(is_other, "another Service")
        service = self.object("service", "balanced-portway")
        self.assertEqual(service["spec"]["loadBalancerClass"], "example.com/other")
        # What can be changed is.
        self.assertEqual(self.uid("deployment", "balanced-portway"), deployment)

    def test_what_scales_the_proxies_owns_their_number(self) -> None:
        self.addCleanup(self.removed, "scaled")
        name, scaler = "scaled-portway", "horizontalpodautoscaler"
        self.parametrised("scaled", {"autoscaling": {"minReplicas": 3, "maxReplicas": 4}})

        def replicas() -> int:
            found = [it for it in self.objects_of("deployment") if it["metadata"]["name"] == name]
            return found[0]["spec"]["replicas"] if found else 0

        self.eventually(lambda: self.uid(scaler, name), "an autoscaler")
        self.eventually(lambda: replicas() == 3, "as many proxies as autoscaling begins with")
        self.kubectl("scale", f"deployment/{name}", "--replicas=4", f"--namespace={SPACE}")
        time.sleep(2)
        self.assertEqual(replicas(), 4, "the number is that of who scales")
        self.parametrised("scaled", {"replicas": 1})
        self.eventually(lambda: not self.uid(scaler, name), "no autoscaler")
        self.eventually(lambda: replicas() == 1, "as many proxies as the parameters say")

    def test_a_gateway_that_another_implementation_has_takes_everything_along(self) -> None:
        self.addCleanup(self.removed, "moved")
        self.addCleanup(self.kubectl, "delete", "gatewayclass/elsewhere", "--ignore-not-found")
        class_ = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "elsewhere"},
            "spec": {"controllerName": "example.com/made-up"},
        }
        self.apply(class_, gateway(SPACE, "moved"))
        self.eventually(lambda: all(self.uid(kind, "moved-portway") for kind in KINDS), "all that serves the Gateway")
        self.apply(gateway(SPACE, "moved", of="elsewhere"))
        self.eventually(lambda: not any(self.uid(kind, "moved-portway") for kind in KINDS), "nothing of it to be left")
        self.assertTrue(all(self.uid(kind, "web-portway") for kind in KINDS))
