"""The cluster as tests use it."""

from __future__ import annotations

import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import yaml

from harness.server import REPOSITORY

from .api import VERBS, Rights, Server
from .controllers import Controllers
from .kubelet import Kubelet
from .store import Object, Store

NAMESPACE = "treenail-jobs"
WORKER, ADMIN = "token-of-the-worker", "token-of-an-admin"
ACCESS = REPOSITORY / "deploy" / "kubernetes" / "jobs" / "access.yaml"
STEP_SECONDS = 0.02


class Cluster:
    """A cluster of one node. Its worker may do what deploy/kubernetes/jobs allows it, and nothing else."""

    def __init__(self, folder: Path, images: dict[str, Object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = Store()
        self.kubelet = Kubelet(self.store, folder / "pods", images)
        self._controllers = Controllers(self.store)
        self._stopped = threading.Event()
        self._certificate = certificate(folder)
        self._port = 0
        self._servers: list[Server] = []
        self.server = self._listen()
        self._steps = threading.Thread(target=self._work, daemon=True)
        self._steps.start()

    def kubeconfig(self, token: str = WORKER) -> Path:
        """A file that tells a client where the cluster is, and who it is there."""
        path = self.folder / f"kubeconfig-{token}"
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": NAMESPACE}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": f"https://127.0.0.1:{self._port}",
                        "certificate-authority": str(self._certificate),
                    },
                }
            ],
            "users": [{"name": "test", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(named))
        path.chmod(0o600)
        return path

    def go_away(self) -> None:
        """Stops the API server; what runs goes on."""
        self.server.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def come_back(self, forgets_at_once: bool = False) -> None:
        """Starts the API server again, at the same address."""
        self.server = self._listen(forgets_at_once)

    def jobs(self) -> list[Object]:
        """All Jobs."""
        return self.store.all("jobs", NAMESPACE)

    def all_created(self) -> list[Object]:
        """All objects that clients have created."""
        return [found for server in self._servers for found in server.created]

    def invalid(self) -> list[str]:
        """What was refused because it is not as the schemas say."""
        return [found for server in self._servers for found in server.invalid]

    def calls(self) -> list[str]:
        """All that was asked."""
        return [call for server in self._servers for call in server.calls]

    def is_empty(self) -> bool:
        """Whether nothing is left of any attempt."""
        return not any(self.store.all(resource) for resource in ("jobs", "pods", "secrets"))

    def stop(self) -> None:
        """Ends everything."""
        self._stopped.set()
        self._steps.join()
        self.kubelet.stop()
        self.go_away()

    def _listen(self, forgets_at_once: bool = False) -> Server:
        rules: dict[str, Any] = {
            WORKER: next(found for found in yaml.safe_load_all(ACCESS.read_text()) if found["kind"] == "Role")["rules"],
            ADMIN: [{"apiGroups": ["", "batch"], "resources": ["jobs", "pods", "pods/log", "secrets"], "verbs": VERBS}],
        }
        server = Server(("127.0.0.1", self._port), self.store, self.kubelet, Rights(rules))
        self._port = server.server_address[1]
        server.forgets_at_once = forgets_at_once
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._certificate.with_suffix(".key"))
        context.set_alpn_protocols(["http/1.1"])
        # The handshake is each connection's own business, not the listener's.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._servers.append(server)
        return server

    def _work(self) -> None:
        while not self._stopped.wait(STEP_SECONDS):
            self._controllers.step()
            self.kubelet.step()


def certificate(folder: Path) -> Path:
    """Makes a certificate of an authority that a client may trust."""
    path = folder / "cluster.pem"
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    line += ["-days", "2", "-subj", "/CN=cluster", "-addext", "subjectAltName=IP:127.0.0.1"]
    line += ["-addext", "basicConstraints=critical,CA:FALSE"]
    line += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(line, check=True, capture_output=True)
    return path
