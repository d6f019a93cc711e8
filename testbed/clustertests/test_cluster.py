from __future__ import annotations

import json
import shutil
import tempfile
import time
import unittest
from pathlib import Path

from localcluster import images, programs
from localcluster.images import Image

from .machine import SECONDS, cluster, succeed, traces

NAME, OTHER = "tb-test", "tb-test-other"


class ClusterTest(unittest.TestCase):
    """A cluster of two nodes, a pod on each."""

    @classmethod
    def setUpClass(cls) -> None:
        for name in (NAME, OTHER):
            succeed("down", "--name", name)
        succeed("up", "--name", NAME, "--nodes", "2")
        cls.addClassCleanup(succeed, "down", "--name", NAME)
        cls.environment = json.loads(succeed("env", "--json", "--name", NAME))
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory, "probe.tar")
            found = {f"/{name}": Path(shutil.which(name)) for name in ("sleep", "curl", "getent")}
            images.write(Image(["docker.io/portway-testbed/probe:local"], ["/sleep", "inf"], found), archive)
            succeed("load", "--name", NAME, str(archive), str(programs.image("echo-basic")))
        manifest = Path(__file__).with_name("probe.yaml")
        cls.kubectl("apply", "--filename", str(manifest))
        cls.kubectl("wait", "--namespace=probes", "--for=condition=Ready", "pods", "--all", "--timeout=60s")

    @classmethod
    def kubectl(cls, *arguments: str) -> str:
        return succeed("kubectl", "--name", NAME, *arguments)

    def inside(self, pod: str, *command: str) -> str:
        return self.kubectl("exec", "--namespace=probes", pod, "--container=probe", "--", *command)

    def outside(self, *command: str) -> str:
        return succeed("client", "--name", NAME, "--", *command)

    def test_the_dns_knows_services_and_the_client(self) -> None:
        api = self.inside("probe", "/getent", "hosts", "kubernetes.default.svc.cluster.local")
        services = self.environment["TESTBED_SERVICE_RANGE"].removesuffix("0.0/16")
        self.assertTrue(api.startswith(f"{services}0.1 "), api)
        client = self.inside("probe", "/getent", "hosts", "client.testbed")
        self.assertTrue(client.startswith(self.environment["TESTBED_CLIENT_ADDRESS"]), client)

    def test_a_pod_reaches_a_service_on_another_node(self) -> None:
        self.assertEqual(self.echoed(self.inside("probe", *CURL, "http://backend.probes/a"))["path"], "/a")

    def test_a_pod_reaches_itself_by_its_service(self) -> None:
        self.assertEqual(self.echoed(self.inside("backend", *CURL, "http://backend.probes/b"))["path"], "/b")

    def test_the_client_reaches_pods_services_and_load_balancer_addresses(self) -> None:
        address = self.environment["TESTBED_USABLE_ADDRESS"]
        status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
        patch = ("patch", "service", "backend", "--namespace=probes", "--subresource=status", "--type=merge")
        self.kubectl(*patch, f"--patch={status}")
        pod = self.kubectl("get", "pod", "backend", "--namespace=probes", "--output=jsonpath={.status.podIP}")
        service = self.kubectl("get", "service", "backend", "--namespace=probes", "--output=jsonpath={.spec.clusterIP}")
        for place in (f"{pod}:3000", service, address):
            with self.subTest(place):
                answer = self.outside("curl", "--retry", "5", "--retry-connrefused", *CURL[1:], f"http://{place}/c")
                self.assertEqual(self.echoed(answer)["pod"], "backend")

    def test_logs_of_pods_and_components_are_collected(self) -> None:
        self.assertIn("3000", self.kubectl("logs", "--namespace=probes", "backend", "--container=echo"))
        with tempfile.TemporaryDirectory() as directory:
            succeed("logs", "--name", NAME, directory)
            names = {str(path.relative_to(directory)) for path in Path(directory).rglob("*") if path.is_file()}
            self.assertIn("backend", Path(directory, "pods.txt").read_text())
        for component in ("etcd", "kube-apiserver", "kubelet1", "kube-proxy2", "containerd2"):
            self.assertIn(f"components/{component}.log", names)
        self.assertTrue(any(name.startswith("pods/probes_backend_") and "/echo/" in name for name in names), names)

    def test_kubelets_refuse_strangers(self) -> None:
        node = self.environment["TESTBED_NODE_ADDRESSES"].split(",")[0]
        url = f"https://{node}:10250/pods"
        answer = self.outside(
            "curl", "--silent", "--insecure", "--write-out", "%{http_code}", "--output", "/dev/null", url
        )
        self.assertEqual(answer, "401")

    def test_another_cluster_stands_beside_it_and_goes(self) -> None:
        self.addCleanup(succeed, "down", "--name", OTHER)
        succeed("up", "--name", OTHER)
        other = json.loads(succeed("env", "--json", "--name", OTHER))
        self.assertNotEqual(other["TESTBED_POD_RANGE"], self.environment["TESTBED_POD_RANGE"])
        self.assertIn("node1", succeed("kubectl", "--name", OTHER, "get", "nodes"))
        succeed("down", "--name", OTHER)
        self.assertEqual(traces(OTHER), [])
        self.assertEqual(self.echoed(self.inside("probe", *CURL, "http://backend.probes/d"))["path"], "/d")

    def test_the_api_server_can_be_away_while_pods_serve(self) -> None:
        service = self.kubectl("get", "service", "backend", "--namespace=probes", "--output=jsonpath={.spec.clusterIP}")
        succeed("stop", "--name", NAME, "kube-apiserver")
        try:
            self.assertEqual(cluster("status", "--name", NAME).returncode, 1)
            self.assertNotEqual(cluster("kubectl", "--name", NAME, "get", "nodes").returncode, 0)
            self.assertEqual(self.echoed(self.outside("curl", *CURL[1:], f"http://{service}/e"))["path"], "/e")
        finally:
            succeed("start", "--name", NAME, "kube-apiserver")
        deadline = time.monotonic() + SECONDS
        while cluster("kubectl", "--name", NAME, "get", "--raw=/readyz").returncode != 0:
            self.assertLess(time.monotonic(), deadline)
        self.assertIn("node2", self.kubectl("get", "nodes"))
        self.assertEqual(cluster("start", "--name", NAME, "kube-apiserver").returncode, 1)
        self.assertEqual(cluster("stop", "--name", NAME, "kube-nonsense").returncode, 1)

    def test_a_command_that_fails_fails(self) -> None:
        self.assertEqual(cluster("client", "--name", NAME, "--", "false").returncode, 1)
        self.assertEqual(cluster("node", "--name", NAME, "3", "--", "true").returncode, 1)

    def echoed(self, answer: str) -> dict[str, str]:
        return json.loads(answer)


CURL = ("/curl", "--silent", "--show-error", "--fail", "--max-time", "10")
