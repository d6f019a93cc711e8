"""etcd and the control plane, on the first node."""

from __future__ import annotations

import json
from pathlib import Path

from . import certificates, programs
from .layout import Layout
from .processes import spawn

ETCD = "http://127.0.0.1:2379"
# Whose requests the API server notes, for tests to count: those of Portway's controllers (`api.audited`).
AUDITED = "system:serviceaccount:portway-system:portway-controller"


def start_store_and_api(layout: Layout) -> None:
    """Starts etcd and the API server, which waits for it by itself."""
    namespace = layout.node_namespace(1)
    etcd = ["etcd", "--data-dir", layout.state / "etcd", "--log-level", "warn", "--logger", "zap"]
    etcd += ["--listen-client-urls", ETCD, "--advertise-client-urls", ETCD]
    etcd += ["--listen-peer-urls", "http://127.0.0.1:2380"]
    # A cluster does not survive its machine, so no write needs to have reached the disk.
    etcd += ["--unsafe-no-fsync"]
    spawn(layout, namespace, "etcd", etcd)
    _audit_policy(layout).write_text(json.dumps(AUDIT_POLICY))
    spawn(layout, namespace, "kube-apiserver", [programs.program("kube"), "kube-apiserver", *_api_flags(layout)])


AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [AUDITED]}, {"level": "None"}],
}


def _audit_policy(layout: Layout) -> Path:
    return layout.state / "audit-policy.json"


def audit_log(layout: Layout) -> Path:
    return layout.logs / "audit.log"


def start_controllers(layout: Layout) -> None:
    """Starts the controllers and the scheduler; they want an API server that answers."""
    namespace, kube = layout.node_namespace(1), programs.program("kube")
    for component, flags in [("kube-controller-manager", _controller_flags(layout)), ("kube-scheduler", [])]:
        config = certificates.kubeconfig(layout, component)
        flags = [f"--kubeconfig={config}", "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400", *flags]
        spawn(layout, namespace, component, [kube, component, *flags])


def _api_flags(layout: Layout) -> list[str]:
    certificate, key = certificates.certificate, certificates.key
    address = layout.node_address(1)
    return [
        f"--etcd-servers={ETCD}",
        f"--advertise-address={address}",
        f"--bind-address={address}",
        "--secure-port=6443",
        f"--cert-dir={certificates.directory(layout)}",
        f"--tls-cert-file={certificate(layout, 'apiserver')}",
        f"--tls-private-key-file={key(layout, 'apiserver')}",
        f"--client-ca-file={certificate(layout, 'ca')}",
        f"--kubelet-certificate-authority={certificate(layout, 'ca')}",
        f"--kubelet-client-certificate={certificate(layout, 'apiserver-client')}",
        f"--kubelet-client-key={key(layout, 'apiserver-client')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        f"--audit-policy-file={_audit_policy(layout)}",
        f"--audit-log-path={audit_log(layout)}",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={layout.service_range}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={certificates.public_key(layout, 'service-accounts')}",
        f"--service-account-signing-key-file={key(layout, 'service-accounts')}",
    ]


def _controller_flags(layout: Layout) -> list[str]:
    return [
        f"--service-account-private-key-file={certificates.key(layout, 'service-accounts')}",
        f"--root-ca-file={certificates.certificate(layout, 'ca')}",
        f"--cluster-signing-cert-file={certificates.certificate(layout, 'ca')}",
        f"--cluster-signing-key-file={certificates.key(layout, 'ca')}",
        "--use-service-account-credentials=true",
    ]
