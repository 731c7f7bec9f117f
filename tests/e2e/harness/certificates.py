"""The certificates of an installation: an authority, and what its services prove themselves with."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import grpc

from .binary import binary, clean_environment


class Installation:
    """What `treenail trust` made below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renew()
        self.token_file = folder / "worker" / "worker-token"
        self.token = self.token_file.read_text(encoding="utf-8")

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.crt"

    def renew(self) -> None:
        """Makes the certificates of all services anew; the authority stays."""
        line = [str(binary()), "trust", str(self.folder)]
        subprocess.run(line, env=clean_environment(), capture_output=True, check=True)

    def certificate(self, name: str) -> Path:
        """The file of a service's certificate."""
        return self.folder / name / "tls.crt"

    def key(self, name: str) -> Path:
        """The file of its private key."""
        return self.folder / name / "tls.key"

    def arguments(self, name: str) -> list[str]:
        """What a process is told to encrypt everything."""
        tls = ["--tls-cert", str(self.certificate("gateway")), "--tls-key", str(self.key("gateway"))]
        peer = ["--peer-ca", str(self.authority)]
        own = ["--peer-cert", str(self.certificate(name)), "--peer-key", str(self.key(name))]
        tokens = ["--worker-token-file", str(self.folder / "run-scheduler" / "worker-token")]
        token = ["--worker-token-file", str(self.token_file)]
        return {
            "serve": tls,
            "gateway": [*tls, *peer, *own],
            "control-plane": [*peer, *own],
            "run-scheduler": [*peer, *own, *tokens],
            "properties-store": [*peer, *own],
            # A worker has no certificate: its token opens what it needs, and nothing else.
            "worker": [*peer, *token, "--ca", str(self.authority)],
        }[name]

    def channel(self, target: str, name: str | None = None) -> grpc.Channel:
        """Opens a gRPC channel that trusts the authority and, where a service is named, proves to be it."""
        key, chain = (self.key(name).read_bytes(), self.certificate(name).read_bytes()) if name else (None, None)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(self.authority.read_bytes(), key, chain))

    def shown_at(self, target: str) -> int:
        """Gives the serial number of the certificate that a server shows."""
        host, port = target.rsplit(":", 1)
        pem = ssl.get_server_certificate((host, int(port)), ca_certs=str(self.authority))
        return serial(pem)


def serial(pem: str) -> int:
    """Gives a certificate's serial number."""
    line = ["openssl", "x509", "-noout", "-serial"]
    told = subprocess.run(line, input=pem, capture_output=True, text=True, check=True).stdout
    return int(told.strip().removeprefix("serial="), 16)
