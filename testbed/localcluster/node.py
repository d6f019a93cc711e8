"""A node: containerd, kubelet and kube-proxy in a network namespace, and all of their files in one folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from . import certificates, programs
from .layout import ClusterError, Layout
from .processes import run, spawn

# The image of a pod's own container, under a name that nobody would pull.
PAUSE_IMAGE = "docker.io/portway-testbed/pause:local"


def mount_bpffs(layout: Layout) -> None:
    """Gives the nodes a file system for eBPF programs, which ends with the state directory's other mounts."""
    layout.bpffs.mkdir()
    done = run(["mount", "-t", "bpf", "bpf", str(layout.bpffs)])
    if done.returncode != 0:
        raise ClusterError(f"cannot mount a bpffs at {layout.bpffs}: {done.stderr.strip()}")


def start_runtime(layout: Layout, node: int) -> None:
    """Starts containerd, which needs nobody else."""
    state = layout.node_state(node)
    (state / "cni").mkdir(parents=True)
    (state / "cni" / "10-pods.conflist").write_text(json.dumps(_cni_config(layout, node), indent=1))
    config = state / "containerd.toml"
    config.write_text(_containerd_config(state))
    spawn(layout, layout.node_namespace(node), f"containerd{node}", ["containerd", "--config", config])


def start_agents(layout: Layout, node: int) -> None:
    """Starts kubelet and kube-proxy."""
    state, namespace, kube = layout.node_state(node), layout.node_namespace(node), programs.program("kube")
    kubelet_config, proxy_config = state / "kubelet.json", state / "kube-proxy.json"
    kubelet_config.write_text(json.dumps(_kubelet_config(layout, node), indent=1))
    proxy_config.write_text(json.dumps(_proxy_config(layout, node), indent=1))
    kubelet = [kube, "kubelet", f"--config={kubelet_config}", f"--root-dir={state / 'kubelet'}"]
    kubelet += [f"--kubeconfig={certificates.kubeconfig(layout, f'kubelet{node}')}"]
    kubelet += [f"--hostname-override={layout.node_name(node)}", f"--node-ip={layout.node_address(node)}"]
    kubelet += [f"--node-labels=topology.kubernetes.io/zone=zone{node}"]
    spawn(layout, namespace, f"kubelet{node}", kubelet)
    spawn(layout, namespace, f"kube-proxy{node}", [kube, "kube-proxy", f"--config={proxy_config}"])


def socket(layout: Layout, node: int) -> Path:
    return layout.node_state(node) / "containerd.sock"


def containerd_answers(layout: Layout, node: int) -> bool:
    return _ctr(layout, node, "version").returncode == 0


def import_image(layout: Layout, node: int, archive: Path) -> None:
    done = _ctr(layout, node, "images", "import", str(archive))
    if done.returncode != 0:
        raise ClusterError(f"node {node} does not take the image archive {archive}: {done.stderr.strip()}")


def _ctr(layout: Layout, node: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(["ctr", "--address", str(socket(layout, node)), "--namespace", "k8s.io", *arguments])


def _cni_config(layout: Layout, node: int) -> object:
    # A cable for each pod and no bridge: whatever a pod sends passes the node's own routing, so kube-proxy
    # sees it, also from one pod of a Service to itself or its neighbour.
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": str(layout.node_pod_range(node))}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(layout.node_state(node) / "addresses"),
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}


def _containerd_config(state: Path) -> str:
    """Everything that containerd would put elsewhere, it is told to put below `state`."""
    return f"""\
version = 2
root = "{state}/containerd"
state = "{state}/containerd-state"

[grpc]
address = "{state}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
path = "{state}/containerd-opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
netns_mounts_under_state_dir = true
restrict_oom_score_adj = true
disable_tcp_service = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{programs.CNI_PLUGINS}"
conf_dir = "{state}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{state}/runc"
"""


def _kubelet_config(layout: Layout, node: int) -> object:
    state = layout.node_state(node)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates.certificate(layout, "ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates.certificate(layout, f"kubelet{node}-server")),
        "tlsPrivateKeyFile": str(certificates.key(layout, f"kubelet{node}-server")),
        "containerRuntimeEndpoint": f"unix://{socket(layout, node)}",
        "podLogsDir": str(state / "pods"),
        "volumePluginDir": str(state / "volume-plugins"),
        "clusterDomain": "cluster.local",
        "clusterDNS": [str(layout.dns_address)],
        # Not the machine's, whose servers a pod cannot reach.
        "resolvConf": "",
        # Version 1 or 2 of control groups, with or without systemd: no hierarchy of kubelet's own.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        # The disk is the machine's, and how full it is none of a test's business.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        # Tests kill processes; by default each time the next one comes twice as late, from 10 s on.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        # Tests wait for what changes in a mounted Secret or ConfigMap.
        "syncFrequency": "10s",
    }


def _proxy_config(layout: Layout, node: int) -> object:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": str(layout.pod_range),
        "hostnameOverride": layout.node_name(node),
        # Settings of the whole machine, which a namespace can only read.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "clientConnection": {"kubeconfig": str(certificates.kubeconfig(layout, "kube-proxy"))},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
