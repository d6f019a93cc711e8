"""Objects that the API server takes and that cannot be served, one of each kind or more."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .gateways import GATEWAY_API, Object, backend, gateway, http, https, metadata, route, to

PORTWAY_API = "portway.dev/v1alpha1"
NOWHERE = to("nothing")


@dataclass(frozen=True)
class Invalid:
    """An object, and the condition that tells what is wrong with it: type, status and reason."""

    object: Object
    told: tuple[str, str, str] | None = None
    # How many of it there must be.
    times: int = 1

    @property
    def name(self) -> str:
        return f"{self.object['kind'].lower()}/{self.object['metadata']['name']}"


def invalid(space: str) -> Iterator[Invalid]:
    """All of them. Those that are in a namespace are in `space`, attached to the Gateway `web` where they attach."""
    yield from secrets(space)
    yield from gateways(space)
    yield from http_routes(space)
    yield from other_routes(space)
    yield from policies(space)


def served(space: str) -> Object:
    """The Gateway `web`, with a listener for each kind of route, which takes ListenerSets too."""
    passthrough = {"name": "tls", "protocol": "TLS", "port": 9443, "tls": {"mode": "Passthrough"}}
    tcp, udp = ({"name": it.lower(), "protocol": it, "port": 9000} for it in ("TCP", "UDP"))
    web = gateway(space, "web", [http(), passthrough, tcp, udp])
    web["spec"]["allowedListeners"] = {"namespaces": {"from": "Same"}}
    return web


def secrets(space: str) -> Iterator[Invalid]:
    (certificate, _), (_, key) = pair(), pair()
    data = {
        "no-keys": {"tls.crt": certificate},
        "nonsense": {"tls.crt": b"no", "tls.key": b"no"},
        "mismatched": {"tls.crt": certificate, "tls.key": key},
    }
    for name, values in data.items():
        encoded = {key: base64.b64encode(value).decode() for key, value in values.items()}
        yield Invalid({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(space, name), "data": encoded})


def pair() -> tuple[bytes, bytes]:
    """A certificate and its key."""
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = Path(directory, "key"), Path(directory, "crt")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-subj", "/CN=x", "-days", "30", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return certificate.read_bytes(), key.read_bytes()


def gateways(space: str) -> Iterator[Invalid]:
    names = ("no-keys", "nonsense", "mismatched", "nothing")
    keyless = gateway(space, "keyless", [https(name, 8443 + number) for number, name in enumerate(names)])
    yield Invalid(keyless, ("ResolvedRefs", "False", "InvalidCertificateRef"), times=len(names))
    odd = {"name": "odd", "protocol": "example.com/ODD", "port": 81}
    yield Invalid(gateway(space, "odd", [odd]), ("Accepted", "False", "UnsupportedProtocol"))
    lost = gateway(space, "lost")
    lost["spec"]["infrastructure"] = {"parametersRef": parameters("nothing")}
    yield Invalid(lost, ("Accepted", "False", "InvalidParameters"))
    overlaid = gateway(space, "overlaid")
    overlaid["spec"]["infrastructure"] = {"parametersRef": parameters("bad")}
    yield Invalid(overlaid, ("Programmed", "False", "NoResources"))
    spec = {"podTemplate": {"spec": {"containers": "none"}}}
    yield Invalid(of(PORTWAY_API, "PortwayParameters", metadata(space, "bad"), spec))
    spec = {"controllerName": "portway.dev/gateway-controller", "parametersRef": parameters("nothing")}
    spec["parametersRef"]["namespace"] = space
    class_ = of(GATEWAY_API, "GatewayClass", {"name": "bad"}, spec)
    yield Invalid(class_, ("Accepted", "False", "InvalidParameters"))
    pool = of(PORTWAY_API, "AddressPool", {"name": "bad"}, {"addresses": ["999.1.1.1/99"]})
    yield Invalid(pool, ("Accepted", "False", "Invalid"))
    parent = {"name": "web", "kind": "Gateway", "group": "gateway.networking.k8s.io"}
    spec = {"parentRef": parent, "listeners": [https("mismatched", 8450)]}
    listener_set = of(GATEWAY_API, "ListenerSet", metadata(space, "bad"), spec)
    yield Invalid(listener_set, ("ResolvedRefs", "False", "InvalidCertificateRef"))


def http_routes(space: str) -> Iterator[Invalid]:
    extension = {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Nonsense", "name": "x"}}
    elsewhere = {"backendRefs": [{"name": "kubernetes", "namespace": "default", "port": 443}]}
    pattern = {"path": {"type": "RegularExpression", "value": "/(["}}
    for name, rule, told in [
        ("nowhere", NOWHERE, ("ResolvedRefs", "False", "BackendNotFound")),
        ("kind", of_other_kind(), ("ResolvedRefs", "False", "InvalidKind")),
        ("elsewhere", elsewhere, ("ResolvedRefs", "False", "RefNotPermitted")),
        ("pattern", to("page", matches=[pattern]), ("Accepted", "False", "UnsupportedValue")),
        ("extension", to("page", filters=[extension]), ("ResolvedRefs", "False", "InvalidKind")),
    ]:
        yield Invalid(route(space, name, f"{name}.example.com", [rule]), told)


def other_routes(space: str) -> Iterator[Invalid]:
    told = ("ResolvedRefs", "False", "BackendNotFound")
    for kind, section, host in [
        ("GRPCRoute", "http-80", {"hostnames": ["grpc.example.com"]}),
        ("TLSRoute", "tls", {"hostnames": ["tls.example.com"]}),
        ("TCPRoute", "tcp", {}),
        ("UDPRoute", "udp", {}),
    ]:
        spec = {"parentRefs": [{"name": "web", "sectionName": section}], "rules": [NOWHERE], **host}
        yield Invalid(of(GATEWAY_API, kind, metadata(space, "bad"), spec), told)


def policies(space: str) -> Iterator[Invalid]:
    service = backend(space, "secured")[0]
    service["spec"]["selector"] = {"app": "page"}
    yield Invalid(service)
    yield Invalid(route(space, "secured", "secured.example.com", [to("secured")]))
    authority = [{"group": "", "kind": "ConfigMap", "name": "nothing"}]
    spec = {
        "targetRefs": [{"group": "", "kind": "Service", "name": "secured"}],
        "validation": {"caCertificateRefs": authority, "hostname": "x.example.com"},
    }
    policy = of(GATEWAY_API, "BackendTLSPolicy", metadata(space, "bad"), spec)
    yield Invalid(policy, ("Accepted", "False", "NoValidCACertificate"))
    source = [{"group": "example.com", "kind": "Nonsense", "namespace": "nowhere"}]
    spec = {"from": source, "to": [{"group": "example.com", "kind": "Nonsense"}]}
    yield Invalid(of(GATEWAY_API, "ReferenceGrant", metadata(space, "bad"), spec))


def of_other_kind() -> Object:
    return {"backendRefs": [{"group": "example.com", "kind": "Nonsense", "name": "x"}]}


def parameters(name: str) -> Object:
    return {"group": "portway.dev", "kind": "PortwayParameters", "name": name}


def of(version: str, kind: str, named: Object, spec: Object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": named, "spec": spec}
