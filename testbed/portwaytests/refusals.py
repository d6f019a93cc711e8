"""Policies by which the API server refuses what Portway's controller writes: as a webhook would, without its server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localcluster.api import MERGE, Api

from .cluster import SYSTEM, PortwayTest
from .gateways import Object

WRITER = f"system:serviceaccount:{SYSTEM}:portway-controller"
POLICY = "admissionregistration.k8s.io/v1"
MESSAGE = "not on this day"
# Method, path and body of a request.
Probe = tuple[str, str, Object]


def policy(name: str, space: str, group: str, resource: str) -> list[Object]:
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [
            {"name": "writer", "expression": f"request.userInfo.username == '{WRITER}'"},
            {"name": "space", "expression": f"request.namespace == '{space}'"},
        ],
        "validations": [{"expression": "false", "message": MESSAGE}],
    }
    bound = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": POLICY, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": POLICY, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": bound},
    ]


@contextmanager
def refused(test: PortwayTest, name: str, group: str, resource: str, probe: Probe) -> Iterator[None]:
    """Refuses writes while the block runs. `probe` is one of them, which tells whether it is so."""
    kinds = [f"validatingadmissionpolicybinding/{name}", f"validatingadmissionpolicy/{name}"]
    test.apply(*policy(name, test.space, group, resource))
    method, path, body = probe
    kind = MERGE if method == "PATCH" else "application/json"

    def is_refused() -> bool:
        with Api(test.layout).session() as session:
            return MESSAGE.encode() in session.request(method, f"{path}?dryRun=All", body, kind, WRITER)[1]

    try:
        test.eventually(is_refused, f"the policy {name} to be in force")
        yield
    finally:
        test.kubectl("delete", *kinds, "--ignore-not-found")
        test.eventually(lambda: not is_refused(), f"the policy {name} to be gone")
