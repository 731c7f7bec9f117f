"""A node's view of a real API server: what `store.py` does in memory, asked for over HTTP."""

from __future__ import annotations

import copy
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .store import Object, RefusedError

PREFIXES = {"jobs": "/apis/batch/v1", "pods": "/api/v1", "secrets": "/api/v1"}
ATTEMPTS = 20
PATIENCE_SECONDS = 60


class RemoteStore:
    """The objects of a cluster, as the kubelet of this machine sees them."""

    def __init__(self, address: str, token: str, namespace: str, node: str) -> None:
        self._address = address
        self._token = token
        self._namespace = namespace
        self._node = node
        self._context = ssl._create_unverified_context()

    def call(self, method: str, path: str, body: Any = None) -> Object:
        """Asks the API server; one that is away, until it is back."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.ask(method, path, body)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def ask(self, method: str, path: str, body: Any = None) -> Object:
        """Asks the API server once."""
        request = urllib.request.Request(
            f"{self._address}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=10) as answer:
                return json.loads(answer.read())  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, error.reason, error.read().decode()) from error

    def all(self, resource: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        """Reads all objects of a resource."""
        path = f"{self._path(resource, namespace)}?labelSelector={selector}"
        found: list[Object] = self.call("GET", path)["items"]
        return found

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """Reads an object."""
        return self.call("GET", f"{self._path(resource, namespace)}/{name}")

    def change(self, resource: str, namespace: str, name: str, how: Callable[[Object], None]) -> Object | None:
        """Tells how a pod is, as a kubelet does. One that is to be deleted, and that the kubelet lets go, is gone."""
        path = f"{self._path(resource, namespace)}/{name}"
        for _ in range(ATTEMPTS):
            try:
                found = self.call("GET", path)
                if not found["spec"].get("nodeName"):
                    self._bind(found)
                    continue
                changed = copy.deepcopy(found)
                how(changed)
                if changed.get("status") != found.get("status"):
                    return self.call("PUT", f"{path}/status", changed)
                if "deletionTimestamp" in found["metadata"]:
                    return self.call("DELETE", path, {"gracePeriodSeconds": 0})
                return found
            except RefusedError as refused:
                if refused.status["code"] == 404:
                    return None
                if refused.status["code"] != 409:
                    raise
        raise AssertionError(f"{path} cannot be changed")

    def _bind(self, pod: Object) -> None:
        """Gives a pod its node, as the scheduler does."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod["metadata"]["name"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node},
        }
        self.call("POST", f"{self._path('pods', None)}/{pod['metadata']['name']}/binding", binding)

    def _path(self, resource: str, namespace: str | None) -> str:
        return f"{PREFIXES[resource]}/namespaces/{namespace or self._namespace}/{resource}"
