"""The API over HTTP, as far as Jobs, pods and Secrets need it: discovery, verbs, watches, logs, and who may do what."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate

from .store import Object, RefusedError, Store

if TYPE_CHECKING:
    from .kubelet import Kubelet

# Resource: its group, its kind, and what can be done with it.
VERBS = ["create", "delete", "get", "list", "watch"]
RESOURCES = {"jobs": ("batch", "Job"), "pods": ("", "Pod"), "secrets": ("", "Secret")}
VERSION = "1.33"
BOOKMARK_SECONDS = 0.5
PAGE_DEFAULT = 500


class Rights:
    """Who may do what: the rules of a Role, by token."""

    def __init__(self, rules: dict[str, list[Object]]) -> None:
        self._rules = rules
        self._refused: set[tuple[str, str]] = set()

    def take_away(self, verb: str, resource: str) -> None:
        """Allows something to nobody any more."""
        self._refused.add((verb, resource))

    def check(self, authorization: str, verb: str, resource: str) -> None:
        """Refuses what is not allowed."""
        rules = self._rules.get(authorization.removeprefix("Bearer "))
        if rules is None:
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        group = RESOURCES[resource.partition("/")[0]][0]
        for rule in rules:
            is_allowed = group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            if is_allowed and (verb, resource) not in self._refused:
                return
        raise RefusedError(403, "Forbidden", f'{resource} is forbidden: cannot {verb} resource "{resource}"')


class Server(ThreadingHTTPServer):
    """The API server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], store: Store, kubelet: Kubelet, rights: Rights) -> None:
        self.store = store
        self.kubelet = kubelet
        self.rights = rights
        self.stopped = threading.Event()
        # All that was asked, and what was refused because it is not as the schemas say.
        self.calls: list[str] = []
        self.invalid: list[str] = []
        self.created: list[Object] = []
        # While it is set, every call is answered with 503.
        self.is_unwell = threading.Event()
        # Whether a watch from too long ago is refused, instead of being begun and told so.
        self.forgets_at_once = False
        # How many bytes a stream of a log has until it breaks; 0 for as many as there are.
        self.log_bytes_max = 0
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of ours."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def do_GET(self) -> None:
        """Reads, lists, watches, and follows."""
        self._answer("GET")

    def do_POST(self) -> None:
        """Creates."""
        self._answer("POST")

    def do_DELETE(self) -> None:
        """Deletes."""
        self._answer("DELETE")

    def do_PATCH(self) -> None:
        """Is not there."""
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.server.stopped.is_set():
            # A server that is away does not answer on connections that it had, either.
            self.close_connection = True
            return
        self.server.calls.append(f"{method} {self.path}")
        try:
            if self.server.is_unwell.is_set():
                raise RefusedError(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            self._dispatch(method, body)
        except RefusedError as problem:
            self._send(problem.status["code"], problem.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _dispatch(self, method: str, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path.strip("/").split("/")
        if method == "GET" and (found := discovery(path)) is not None:
            return self._send(200, found)
        prefix = ["api", "v1"] if path[0] == "api" else ["apis", "batch", "v1"]
        rest = path[len(prefix) :]
        if path[: len(prefix)] != prefix or not rest:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        namespace = None
        if rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        resource, name, subresource = [*rest, "", ""][:3]
        if resource not in RESOURCES or (RESOURCES[resource][0] == "batch") != (prefix[0] == "apis"):
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        verb = verb_of(method, name, query)
        full = f"{resource}/{subresource}" if subresource else resource
        self.server.rights.check(self.headers.get("Authorization", ""), verb, full)
        if subresource == "log" and verb == "get":
            return self._log(namespace or "", name, query)
        if subresource:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        if verb == "watch":
            return self._watch(resource, namespace, query)
        found = {"get": self._get, "list": self._list, "create": self._create, "delete": self._delete}[verb](
            resource, namespace, name, query, body
        )
        return self._send(201 if verb == "create" else 200, found)

    def _get(self, resource: str, namespace: str, name: str, _query: dict[str, str], _body: bytes) -> Object:
        return with_kind(resource, self.server.store.get(resource, namespace, name))

    def _list(self, resource: str, namespace: str | None, _name: str, query: dict[str, str], _body: bytes) -> Object:
        with self.server.store.changed:
            version = self.server.store.version
            items = self.server.store.all(resource, namespace, query.get("labelSelector", ""))
        items = [one for one in items if selects_field(one, query.get("fieldSelector", ""))]
        begin, size = int(query.get("continue") or 0), int(query.get("limit") or PAGE_DEFAULT)
        metadata: Object = {"resourceVersion": str(version)}
        if begin + size < len(items):
            metadata["continue"] = str(begin + size)
        group, kind = RESOURCES[resource]
        return {
            "kind": f"{kind}List",
            "apiVersion": f"{group}/v1".lstrip("/"),
            "metadata": metadata,
            "items": items[begin : begin + size],
        }

    def _create(self, resource: str, namespace: str, _name: str, _query: dict[str, str], body: bytes) -> Object:
        given = json.loads(body)
        group, kind = RESOURCES[resource]
        given.setdefault("apiVersion", f"{group}/v1".lstrip("/"))
        given.setdefault("kind", kind)
        try:
            kubernetes_validate.validate(given, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            self.server.invalid.append(f"{kind}: {error}")
            raise RefusedError(422, "Invalid", f"{kind} is invalid: {error}") from error
        self.server.created.append(given)
        return with_kind(resource, self.server.store.create(resource, namespace, given))

    def _delete(self, resource: str, namespace: str, name: str, query: dict[str, str], body: bytes) -> Object:
        options = json.loads(body) if body else {}
        policy = options.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
        store = self.server.store
        store.get(resource, namespace, name)

        def mark(found: Object) -> None:
            metadata = found["metadata"]
            metadata.setdefault("deletionTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            held = metadata.setdefault("finalizers", [])
            if policy == "Foreground" and "foregroundDeletion" not in held:
                held.append("foregroundDeletion")
            # A pod is there until its processes are not.
            if resource == "pods" and "kubelet" not in held:
                held.append("kubelet")

        return with_kind(resource, store.change(resource, namespace, name, mark) or {"metadata": {"name": name}})

    def _watch(self, resource: str, namespace: str | None, query: dict[str, str]) -> None:
        store, selector = self.server.store, query.get("labelSelector", "")
        version = int(query.get("resourceVersion") or 0)
        if version == 0:
            # Everything that is there comes first, as if it had been added.
            with store.changed:
                version = store.version
                first = [("ADDED", one) for one in store.all(resource, namespace, selector)]
        elif self.server.forgets_at_once:
            first = list(store.since(version, resource, namespace, selector))
        else:
            # Otherwise what is too old is told within the stream.
            first = []
        ends_at = time.monotonic() + float(query.get("timeoutSeconds") or 300)
        self._begin("application/json")
        events: list[tuple[str, Object]] = first
        while True:
            for kind, found in events:
                version = max(version, int(found["metadata"]["resourceVersion"]))
                if selects_field(found, query.get("fieldSelector", "")):
                    self._chunk(json.dumps({"type": kind, "object": with_kind(resource, found)}).encode() + b"\n")
            if time.monotonic() > ends_at or self.server.stopped.is_set() or self.server.is_unwell.is_set():
                return self._chunk(b"")
            try:
                with store.changed:
                    if store.version == version:
                        store.changed.wait(BOOKMARK_SECONDS)
                    current = store.version
                    events = list(store.since(version, resource, namespace, selector))
            except RefusedError as problem:
                self._chunk(json.dumps({"type": "ERROR", "object": problem.status}).encode() + b"\n")
                return self._chunk(b"")
            if not events and current > version:
                version = current
                if query.get("allowWatchBookmarks") == "true":
                    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
                    bookmark = {"type": "BOOKMARK", "object": with_kind(resource, {"metadata": metadata})}
                    self._chunk(json.dumps(bookmark).encode() + b"\n")

    def _log(self, namespace: str, name: str, query: dict[str, str]) -> None:
        pod = self.server.store.get("pods", namespace, name)
        container = query.get("container") or pod["spec"]["containers"][0]["name"]
        is_followed = query.get("follow") == "true"
        output = self.server.kubelet.output(pod["metadata"]["uid"], container)
        if output is None:
            raise RefusedError(400, "BadRequest", f'container "{container}" in pod "{name}" is waiting to start')
        self._begin("text/plain")
        sent, most = 0, int(query.get("limitBytes") or 0)
        for part in output.read(is_followed, query.get("timestamps") == "true", query.get("sinceTime", "")):
            part = part[: most - sent] if most else part
            breaks = self.server.log_bytes_max if is_followed else 0
            if breaks and sent + len(part) > breaks:
                self._chunk(part[: breaks - sent])
                # Without the last chunk, as when a connection is lost.
                self.close_connection = True
                return
            if part:
                self._chunk(part)
            sent += len(part)
            if self.server.stopped.is_set() or (most and sent >= most):
                break
        self._chunk(b"")

    def _send(self, code: int, found: Object) -> None:
        body = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def verb_of(method: str, name: str, query: dict[str, str]) -> str:
    """What a request asks for, in the words of a Role."""
    if method == "GET" and not name:
        return "watch" if query.get("watch") in ("true", "1") else "list"
    verbs = {"GET": "get", "POST": "create", "DELETE": "delete", "PATCH": "patch"}
    if (method == "POST") == bool(name):
        raise RefusedError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    return verbs[method]


def with_kind(resource: str, found: Object) -> Object:
    """An object that says what it is."""
    group, kind = RESOURCES[resource]
    return {"kind": kind, "apiVersion": f"{group}/v1".lstrip("/"), **found}


def selects_field(found: Object, selector: str) -> bool:
    """Whether an object is what a field selector asks for; names alone can be asked for."""
    name, _, value = selector.replace("==", "=").partition("=")
    return not selector or (name == "metadata.name" and found["metadata"]["name"] == value)


def discovery(path: list[str]) -> Object | None:
    """What clients ask first, to know what there is."""
    if path == ["version"]:
        return {"major": "1", "minor": VERSION.split(".")[1], "gitVersion": f"v{VERSION}.0"}
    if path == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    version = {"groupVersion": "batch/v1", "version": "v1"}
    if path == ["apis"]:
        group = {"name": "batch", "versions": [version], "preferredVersion": version}
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}
    if path in (["api", "v1"], ["apis", "batch", "v1"]):
        group = "batch" if path[0] == "apis" else ""
        resources = [
            {
                "name": name,
                "singularName": kind.lower(),
                "namespaced": True,
                "kind": kind,
                "verbs": VERBS,
                "categories": ["all"],
            }
            for name, (of, kind) in RESOURCES.items()
            if of == group
        ]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/v1".lstrip("/"),
            "resources": resources,
        }
    return None
