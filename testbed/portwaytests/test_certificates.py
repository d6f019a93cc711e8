from __future__ import annotations

import base64
import hashlib
import subprocess
import tempfile
from pathlib import Path

from .cluster import PortwayTest
from .gateways import Object, backend, gateway, https, metadata, route, to

HOST = "secure.example.com"


class CertificateTest(PortwayTest):
    space = "certificates"
    objects = [*backend("certificates", "page"), route("certificates", "page", HOST, [to("page")])]

    def test_rotation_of_a_listeners_certificate(self) -> None:
        secret, first = self.certificate()
        self.apply(secret, gateway(self.space, "web", [https("shown")]))
        at = self.address()
        self.eventually(lambda: self.is_shown(at), "the page over TLS")
        self.rolled_out("web-portway")
        self.rolled_out("page")
        with self.load(at, HOST, "--port=443", "--tls", "--requests=5") as told:
            for _ in range(3):
                secret, last = self.certificate()
                self.apply(secret)
        self.assertIn(first, told["certificates"])
        self.assertIn(last, told["certificates"])

    def is_shown(self, at: str) -> bool:
        resolved = ["--resolve", f"{HOST}:443:{at}"]
        return "Server name" in self.outside(
            "curl", "--silent", "--insecure", "--max-time", "2", *resolved, f"https://{HOST}/"
        )

    def certificate(self) -> tuple[Object, str]:
        """A Secret with a new certificate, and the fingerprint of that."""
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = Path(directory, "key"), Path(directory, "crt")
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "30"]
            made = [*command, "-keyout", str(key), "-out", str(certificate)]
            subprocess.run(made, check=True, capture_output=True)
            data = {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}
        body = "".join(data["tls.crt"].decode().strip().splitlines()[1:-1])
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata(self.space, "shown"),
            "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
        }
        return secret, hashlib.sha256(base64.b64decode(body)).hexdigest()
