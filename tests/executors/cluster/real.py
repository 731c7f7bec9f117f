"""A cluster whose API server, store and controllers are Kubernetes' own; its node is the tests'.

`TREENAIL_KUBERNETES_BINARIES` names a folder with etcd, kube-apiserver and kube-controller-manager: see
`tests/executors/setup-kubernetes.sh`.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from harness.server import REPOSITORY, free_port
from harness.waiting import eventually

from .cluster import ADMIN, NAMESPACE, STEP_SECONDS, WORKER, certificate
from .kubelet import Kubelet
from .remote import RemoteStore
from .store import Object, RefusedError

NODE = "this-machine"
CONTROLLERS = "job,garbagecollector,resourcequota,namespace"
START_SECONDS = 60


class RealCluster:
    """Kubernetes, but for the kubelet."""

    def __init__(self, binaries: Path, folder: Path, images: dict[str, Object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._binaries = binaries
        self._certificate = certificate(folder)
        self._port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped = threading.Event()
        self.store = RemoteStore(f"https://127.0.0.1:{self._port}", ADMIN, NAMESPACE, NODE)
        self.kubelet = Kubelet(self.store, folder / "pods", images)  # type: ignore[arg-type]
        self._start_services()
        self._start_node()
        self._apply()
        self._steps = threading.Thread(target=self._work, daemon=True)
        self._steps.start()

    def kubeconfig(self, token: str = WORKER) -> Path:
        """A file that tells a client where the cluster is, and who it is there."""
        path = self.folder / f"kubeconfig-{token}"
        server = {"server": f"https://127.0.0.1:{self._port}", "certificate-authority": str(self._certificate)}
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": NAMESPACE}}],
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "test", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(named))
        path.chmod(0o600)
        return path

    def jobs(self) -> list[Object]:
        """All Jobs."""
        return self.store.all("jobs")

    def is_empty(self) -> bool:
        """Whether nothing is left of any attempt."""
        of_attempts = "treenail/attempt"
        return not any(self.store.all(resource, selector=of_attempts) for resource in ("jobs", "pods", "secrets"))

    def clear(self) -> None:
        """Takes away what a worker left that ended right after its last job, for its next process to see to."""
        for job in self.jobs():
            path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{job['metadata']['name']}"
            with contextlib.suppress(RefusedError):
                self.store.call("DELETE", path, {"propagationPolicy": "Foreground"})
        eventually(self.is_empty, "the cluster to be empty", START_SECONDS)

    def invalid(self) -> list[str]:
        """The API server says for itself what it refuses."""
        return []

    def stop(self) -> None:
        """Ends everything."""
        self._stopped.set()
        self._steps.join()
        self.kubelet.stop()
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
        self._node.shutdown()
        self._node.server_close()

    def go_away(self) -> None:
        """Kills the API server; what runs goes on."""
        process = self._processes.pop("kube-apiserver")
        process.kill()
        process.wait()

    def come_back(self) -> None:
        """Starts the API server again, at the same address."""
        self._run("kube-apiserver", *self._server_arguments)
        eventually(self._is_ready, "the API server to be ready", START_SECONDS)

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            line = [str(self._binaries / name), *arguments]
            self._processes[name] = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _start_services(self) -> None:
        etcd, peers = free_port(), free_port()
        url, key = f"http://127.0.0.1:{etcd}", str(self._certificate.with_suffix(".key"))
        accounts = self.folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(accounts)], check=True, capture_output=True)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            f'{ADMIN},admin,admin,"system:masters"\n'
            f'{WORKER},system:serviceaccount:treenail:worker,worker,"system:serviceaccounts"\n'
        )
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            "--unsafe-no-fsync",
        )
        self._server_arguments = (
            f"--etcd-servers={url}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--tls-cert-file={self._certificate}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--anonymous-auth=false",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://cluster.test",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}",
        )
        self.come_back()
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig(ADMIN)}",
            f"--controllers={CONTROLLERS}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            "--port=0",
            f"--cert-dir={self.folder / 'controller-certificates'}",
        )

    def _is_ready(self) -> bool:
        assert all(process.poll() is None for process in self._processes.values()), self.log()
        try:
            self.store.ask("GET", "/api/v1/namespaces/default")
        except (RefusedError, OSError):
            return False
        return True

    def log(self) -> str:
        """Gives the ends of what Kubernetes' own programs have written."""
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.log")))

    def _apply(self) -> None:
        line = ["kubectl", f"--kubeconfig={self.kubeconfig(ADMIN)}", "apply", "--validate=false"]
        done = subprocess.run(
            [*line, "-k", str(REPOSITORY / "deploy" / "kubernetes" / "jobs")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _start_node(self) -> None:
        """The node, and the port at which the API server asks it for logs."""
        self._node = ThreadingHTTPServer(("127.0.0.1", 0), NodeHandler)
        self._node.daemon_threads = True
        self._node.cluster = self  # type: ignore[attr-defined]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._certificate.with_suffix(".key"))
        self._node.socket = context.wrap_socket(self._node.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._node.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        node["status"] = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._node.server_address[1]}},
        }
        self.store.call("POST", "/api/v1/nodes", node)

    def _work(self) -> None:
        while not self._stopped.wait(STEP_SECONDS):
            self.kubelet.step()


class NodeHandler(BaseHTTPRequestHandler):
    """The kubelet's own API, as far as logs need it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def do_GET(self) -> None:
        """Gives what a container wrote."""
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        _, kind, namespace, pod, container = parts.path.split("/")
        cluster: RealCluster = self.server.cluster  # type: ignore[attr-defined]
        assert kind == "containerLogs"
        uid = cluster.store.get("pods", namespace, pod)["metadata"]["uid"]
        output = cluster.kubelet.output(uid, container)
        if output is None:
            body = json.dumps({"message": "is waiting to start"}).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = int(query.get("limitBytes") or 0) or None
        follow, times = query.get("follow") == "true", query.get("timestamps") == "true"
        for part in output.read(follow, times, query.get("sinceTime", "")):
            taken = part if left is None else part[:left]
            left = left if left is None else left - len(taken)
            if taken:
                self.wfile.write(f"{len(taken):x}\r\n".encode() + taken + b"\r\n")
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
