"""The objects of the cluster and their history, as etcd and the API server's watch cache keep them."""

from __future__ import annotations

import copy
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

Object = dict[str, Any]


class RefusedError(Exception):
    """What a call is refused with: the API's Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


def now() -> str:
    """The time, as objects have it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(found: Object, selector: str) -> bool:
    """Whether an object has the labels that a selector asks for."""
    labels = found["metadata"].get("labels", {})
    for requirement in filter(None, selector.split(",")):
        name, equal, value = requirement.replace("==", "=").partition("=")
        if (labels.get(name) != value) if equal else (name not in labels):
            return False
    return True


class Store:
    """Objects by resource, namespace and name. A change has a number, which is the object's version from then on."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._versions = itertools.count(1000)
        self.version = next(self._versions)
        # What changed, the oldest first; what was before them cannot be watched from.
        self.history: list[tuple[int, str, str, Object]] = []
        self._forgotten = self.version

    def create(self, resource: str, namespace: str, given: Object) -> Object:
        """Adds an object."""
        with self.changed:
            found = copy.deepcopy(given)
            metadata = found["metadata"]
            key = (resource, namespace, metadata["name"])
            if key in self._objects:
                raise RefusedError(409, "AlreadyExists", f'{resource} "{metadata["name"]}" already exists')
            metadata |= {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
            self._put("ADDED", key, found)
            return copy.deepcopy(found)

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """Reads an object."""
        with self.changed:
            found = self._objects.get((resource, namespace, name))
            if found is None:
                raise RefusedError(404, "NotFound", f'{resource} "{name}" not found')
            return copy.deepcopy(found)

    def all(self, resource: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        """Reads all objects of a resource, by name."""
        with self.changed:
            found = [
                copy.deepcopy(one)
                for (of, where, _), one in sorted(self._objects.items())
                if of == resource and namespace in (None, where)
            ]
        return [one for one in found if matches(one, selector)]

    def change(self, resource: str, namespace: str, name: str, how: Callable[[Object], None]) -> Object | None:
        """Changes an object, if it is there. One that is deleted and that nothing holds any more is gone."""
        with self.changed:
            key = (resource, namespace, name)
            found = copy.deepcopy(self._objects.get(key))
            if found is None:
                return None
            how(found)
            metadata = found["metadata"]
            if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
                return self._remove(key)
            if found != self._objects[key]:
                self._put("MODIFIED", key, found)
            return copy.deepcopy(found)

    def remove(self, resource: str, namespace: str, name: str) -> None:
        """Takes an object away, whatever holds it."""
        with self.changed:
            if (resource, namespace, name) in self._objects:
                self._remove((resource, namespace, name))

    def forget(self) -> None:
        """Forgets the history: whoever watches from before now has to list again."""
        with self.changed:
            self.history.clear()
            self._forgotten = self.version
            self.changed.notify_all()

    def since(self, version: int, resource: str, namespace: str | None, selector: str) -> Iterator[tuple[str, Object]]:
        """What happened to a resource after a version."""
        with self.changed:
            if version < self._forgotten:
                raise RefusedError(410, "Expired", f"too old resource version: {version} ({self._forgotten})")
            happened = [entry for entry in self.history if entry[0] > version]
        for number, kind, of, found in happened:
            is_here = of == resource and namespace in (None, found["metadata"]["namespace"])
            if is_here and matches(found, selector):
                found = copy.deepcopy(found)
                found["metadata"]["resourceVersion"] = str(number)
                yield kind, found

    def _put(self, kind: str, key: tuple[str, str, str], found: Object) -> None:
        self.version = next(self._versions)
        found["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = found
        self.history.append((self.version, kind, key[0], copy.deepcopy(found)))
        self.changed.notify_all()

    def _remove(self, key: tuple[str, str, str]) -> Object:
        found = self._objects.pop(key)
        self.version = next(self._versions)
        found["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, "DELETED", key[0], copy.deepcopy(found)))
        self.changed.notify_all()
        return found
