"""The certificate that every proxy serves: P-256, self-signed, for the names of `scenario.DOMAIN`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .scenario import DOMAIN

DAYS_VALID = "7"


@dataclass(frozen=True)
class Certificate:
    """PEM files; `combined` holds certificate and key, as HAProxy wants them."""

    certificate: Path
    key: Path
    combined: Path


def issue(directory: Path) -> Certificate:
    """Makes key and certificate with the openssl command."""
    files = Certificate(directory / "tls.crt", directory / "tls.key", directory / "tls.pem")
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
            *["-days", DAYS_VALID, "-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:*.{DOMAIN}"],
            *["-keyout", str(files.key), "-out", str(files.certificate)],
        ],
        check=True,
        capture_output=True,
    )
    files.combined.write_text(files.certificate.read_text() + files.key.read_text())
    return files
