"""Portway in a cluster, installed as a user would: the Gateway API's CRDs, its image, and its Helm chart."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import images, lifecycle, programs
from .api import kubectl, kubectl_command
from .layout import DEFAULT_NAME, ClusterError, Layout
from .processes import in_namespace, run

CHART = programs.ROOT / "deploy" / "helm" / "portway"
NAMESPACE = "portway-system"
CONTROLLER = "portway.dev/gateway-controller"
REPOSITORY = "ghcr.io/portway/portway"

# Of the page that answers who it is; the real one cannot be pulled here, so Portway's demo backend stands in for it.
# The real one listens on port 80, its unprivileged sister on 8080, and manifests exist for either.
HELLO_IMAGE = "docker.io/nginxdemos/hello:plain-text"
HELLO_COMMAND = ("/portway", "demo-backend", "--bind=0.0.0.0:80", "--bind=0.0.0.0:8080")


@dataclass(frozen=True)
class Build:
    """The program that is to be installed."""

    binary: Path

    def tag(self) -> str:
        """Another for each other program, so that the cluster sees that it is another."""
        return f"{version()}-{hashlib.sha256(self.binary.read_bytes()).hexdigest()[:8]}"


def version() -> str:
    """The version that the workspace is at."""
    match = re.search(r'^version = "(.+)"$', (programs.ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    if not match:
        raise ClusterError("Cargo.toml names no version")
    return match[1]


def install(layout: Layout, build: Build, values: list[str], chart: Path = CHART) -> None:
    """Installs Portway, or brings it up to this build. `values` are further ones for the chart, as `key=value`."""
    prepare(layout, build)
    upgrade(layout, build, values, chart)


def upgrade(layout: Layout, build: Build, values: list[str], chart: Path = CHART) -> None:
    """Brings the chart's objects to these values, with images that are there already."""
    if not (chart / "Chart.yaml").exists():
        raise ClusterError(f"there is no Helm chart at {chart}; CRDs and images are installed")
    settings = [f"image.repository={REPOSITORY}", f"image.tag={build.tag()}"]
    # What Gateways get their addresses from: those that the client routes to the cluster.
    addresses = layout.load_balancer_range
    settings += ["addressPools[0].name=testbed", f"addressPools[0].addresses[0]={addresses[1]}-{addresses[254]}"]
    settings += [f"agent.bpffs={layout.bpffs}"]
    command = ["upgrade", "--install", "portway", str(chart), f"--namespace={NAMESPACE}", "--create-namespace"]
    command += [argument for setting in [*settings, *values] for argument in ("--set", setting)]
    try:
        helm(layout, *command, "--wait", "--timeout=60s")
    except ClusterError as error:
        raise ClusterError(f"{error}\n{_pods_and_their_logs(layout)}") from error


def _pods_and_their_logs(layout: Layout) -> str:
    """What most likely tells why a chart's pods do not become ready."""
    within = f"--namespace={NAMESPACE}"
    questions = [
        ["get", "pods", within, "--output=wide"],
        ["logs", within, "--selector=app.kubernetes.io/name=portway", "--tail=5", "--prefix"],
    ]
    answers = [run(kubectl_command(layout, question)) for question in questions]
    return "\n".join((answer.stdout + answer.stderr).strip() for answer in answers)


def how_to_reach(layout: Layout) -> str:
    """For a person at a terminal, in the top folder of the repository."""
    cluster = "testbed/cluster" if layout.name == DEFAULT_NAME else f"TESTBED_NAME={layout.name} testbed/cluster"
    return f"""\
Portway is in the cluster {layout.name}; its kubeconfig, for programs in the client's network: {layout.kubeconfig}

    {cluster} kubectl get pods --all-namespaces

The example, whose GatewayClass is another implementation's and has a name that a cluster refuses:

    {cluster} kubectl create namespace gateway-api
    sed --separate --expression '1i ---' --expression 's|io.cilium.gateway-controller|{CONTROLLER}|' \\
        examples/my-app/*.yaml | {cluster} kubectl apply --filename -
    address=$({cluster} kubectl get gateway my-gateway --namespace gateway-api \\
        --output 'jsonpath={{.status.addresses[0].value}}')
    {cluster} client -- curl --header 'Host: myapp.example.com' "http://$address/"
"""


def prepare(layout: Layout, build: Build) -> None:
    """CRDs and images alone: all that a controller wants that runs outside of the cluster."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(apply_crds, layout), pool.submit(load_images, layout, build)]:
            done.result()


def apply_crds(layout: Layout) -> None:
    """The Gateway API's, of the experimental channel, and our own, which Helm would install but never update.

    Some are too long for the annotation of a client-side apply.
    """
    directory = programs.setting("PORTWAY_CRDS") / "experimental"
    files = sorted(str(path) for path in directory.glob("gateway.networking.*.yaml"))
    if not files:
        raise ClusterError(f"the CRDs of the Gateway API are not at {directory}: tools/setup test")
    files += sorted(str(path) for path in (CHART / "crds").glob("*.yaml"))
    kubectl(layout, "apply", "--server-side", "--force-conflicts", *(f"--filename={file}" for file in files))
    kubectl(layout, "wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=30s")


def load_images(layout: Layout, build: Build) -> None:
    """Portway's own, and those of the backends that examples and tests use."""
    if not build.binary.exists():
        raise ClusterError(f"{build.binary} is not there: cargo build --release --bin portway")
    directory = layout.state / "images"
    program = {"/portway": build.binary}
    archives = {
        "portway": images.Image([f"{REPOSITORY}:{build.tag()}"], ["/portway"], program, user="65532:65532"),
        "hello": images.Image([HELLO_IMAGE], HELLO_COMMAND, program, ports=["80/tcp"]),
    }
    for name, image in archives.items():
        images.write(image, directory / f"{name}.tar")
    loaded = [*(directory / f"{name}.tar" for name in archives), programs.image("echo-basic")]
    lifecycle.load(layout, loaded)


def helm(layout: Layout, *arguments: str) -> None:
    """Runs helm; what it knows of a cluster goes with the cluster."""
    state = layout.state / "helm"
    places = {f"HELM_{kind}_HOME": str(state / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    settings = [f"{name}={value}" for name, value in (layout.environment() | places).items()]
    command = ["env", *settings, str(programs.program("helm")), *arguments]
    done = run(in_namespace(layout.client_namespace, command))
    if done.returncode != 0:
        raise ClusterError(f"helm {arguments[0]} failed: {done.stderr.strip()}")


def default_binary() -> Path:
    return programs.setting("CARGO_TARGET_DIR") / "release" / "portway"
