"""The cluster's certificate authority, and what it vouches for. Keys are on P-256, which takes no time to make."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .layout import ClusterError, Layout
from .processes import run

# No extensions but those asked for, whatever this machine's configuration of openssl holds.
EMPTY_CONFIG = "[req]\ndistinguished_name = subject\n[subject]\n"
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


@dataclass(frozen=True)
class Certificate:
    """Who a certificate is for. The API server takes the common name for the user, and organisations for groups."""

    name: str
    common_name: str
    organization: str = ""
    # As in openssl's subjectAltName; none for a client.
    alternative_names: str = ""


def directory(layout: Layout) -> Path:
    return layout.state / "certificates"


def certificate(layout: Layout, name: str) -> Path:
    return directory(layout) / f"{name}.crt"


def key(layout: Layout, name: str) -> Path:
    return directory(layout) / f"{name}.key"


def public_key(layout: Layout, name: str) -> Path:
    return directory(layout) / f"{name}.pub"


def issue_all(layout: Layout) -> None:
    """Makes the authority, every certificate, the key that signs service accounts' tokens, and kubeconfigs."""
    directory(layout).mkdir()
    _authority(layout)
    clients = _clients(layout)
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(_issue, layout, certificate) for certificate in [*_servers(layout), *clients]]
        done.append(pool.submit(_service_account_key, layout))
    for future in done:
        future.result()
    for client in clients:
        _kubeconfig(layout, client.name)
    layout.kubeconfig.symlink_to(kubeconfig(layout, "admin"))


def kubeconfig(layout: Layout, name: str) -> Path:
    return directory(layout) / f"{name}.kubeconfig"


def _servers(layout: Layout) -> list[Certificate]:
    first = layout.node_address(1)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    api_names = [f"DNS:{name}" for name in [*names, "localhost"]]
    api_addresses = [f"IP:{address}" for address in (first, layout.service_range[1], "127.0.0.1")]
    kubelets = [
        Certificate(
            f"kubelet{node}-server",
            f"system:node:{layout.node_name(node)}",
            "system:nodes",
            f"DNS:{layout.node_name(node)},IP:{layout.node_address(node)}",
        )
        for node in layout.node_numbers
    ]
    return [Certificate("apiserver", "kube-apiserver", "", ",".join([*api_names, *api_addresses])), *kubelets]


def _clients(layout: Layout) -> list[Certificate]:
    return [
        Certificate("admin", "admin", "system:masters"),
        # What kubelets take orders from.
        Certificate("apiserver-client", "kube-apiserver-kubelet-client", "system:masters"),
        Certificate("kube-controller-manager", "system:kube-controller-manager"),
        Certificate("kube-scheduler", "system:kube-scheduler"),
        Certificate("kube-proxy", "system:kube-proxy"),
        *(
            Certificate(f"kubelet{node}", f"system:node:{layout.node_name(node)}", "system:nodes")
            for node in layout.node_numbers
        ),
    ]


def _authority(layout: Layout) -> None:
    _openssl(
        *("req", "-x509", *NEW_KEY, "-days", "365", "-subj", f"/CN={layout.name}", "-config", "/dev/stdin"),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-addext", "subjectKeyIdentifier=hash"),
        *("-out", str(certificate(layout, "ca")), "-keyout", str(key(layout, "ca"))),
    )


def _issue(layout: Layout, wanted: Certificate) -> None:
    subject = (f"/O={wanted.organization}" if wanted.organization else "") + f"/CN={wanted.common_name}"
    usage = "serverAuth" if wanted.alternative_names else "clientAuth"
    extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}"]
    if wanted.alternative_names:
        extensions.append(f"subjectAltName={wanted.alternative_names}")
    _openssl(
        *("req", "-x509", *NEW_KEY, "-days", "365", "-subj", subject, "-config", "/dev/stdin"),
        *("-CA", str(certificate(layout, "ca")), "-CAkey", str(key(layout, "ca"))),
        *(argument for extension in extensions for argument in ("-addext", extension)),
        *("-out", str(certificate(layout, wanted.name)), "-keyout", str(key(layout, wanted.name))),
    )


def _service_account_key(layout: Layout) -> None:
    path = key(layout, "service-accounts")
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
    _openssl("pkey", "-in", str(path), "-pubout", "-out", str(public_key(layout, "service-accounts")))


def _kubeconfig(layout: Layout, user: str) -> None:
    """Everything is inside of the file, so that a copy of it works too. JSON is YAML."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": layout.api_server, "certificate-authority-data": data(certificate(layout, "ca"))}
    identity = {
        "client-certificate-data": data(certificate(layout, user)),
        "client-key-data": data(key(layout, user)),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": layout.name, "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": layout.name, "context": {"cluster": layout.name, "user": user}}],
        "current-context": layout.name,
    }
    kubeconfig(layout, user).write_text(json.dumps(config, indent=1) + "\n")


def _openssl(*arguments: str) -> None:
    done = run(["openssl", *arguments], EMPTY_CONFIG)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
