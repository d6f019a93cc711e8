from __future__ import annotations

import time

from .cluster import PortwayTest
from .gateways import backend, gateway
from .refusals import MESSAGE, refused

SPACE = "refusals"
# What could not be provisioned and is refused is tried again after half a minute.
RETRY_SECONDS = 30
QUIET = 8.0


class RefusalTest(PortwayTest):
    """What the API server refuses is told, and tried again in peace."""

    space = SPACE

    def test_a_deployment_that_is_refused(self) -> None:
        where = f"--namespace={SPACE}"
        self.addCleanup(self.kubectl, "delete", "gateway/late", where, "--ignore-not-found", "--wait=false")
        deployment = backend(SPACE, "probe")[1]
        probe = ("POST", f"/apis/apps/v1/namespaces/{SPACE}/deployments", deployment)
        with refused(self, "deployments", "apps", "deployments", probe):
            with self.watched() as seen:
                self.apply(gateway(SPACE, "late"))
                told = self.eventually(
                    lambda: self.is_told("gateway", "late", "Programmed", "False", "NoResources"), "the condition"
                )
                self.assertIn(MESSAGE, told["message"])
                time.sleep(QUIET)
            writes = seen.writes("deployments", SPACE, refused=True)
            lines = [line for line in seen.lines if MESSAGE in line]
            print(f"    {writes} writes refused, {len(lines)} lines", flush=True)
            self.assertIn(writes, range(1, 4), seen)
            self.assertIn(len(lines), range(1, 4), seen)
        served = "the Gateway to be served"
        self.eventually(lambda: self.is_told("gateway", "late", "Programmed", "True"), served, RETRY_SECONDS + 30)
