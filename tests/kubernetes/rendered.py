"""What kustomize and Helm make of deploy/, as objects."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.server import REPOSITORY

Object = dict[str, Any]

CACHE = REPOSITORY / "tests" / ".cache"
MANIFESTS = REPOSITORY / "deploy" / "kubernetes"
SERVICES = ("properties-store", "run-scheduler", "control-plane", "gateway", "worker")
# Of Kubernetes, whose published schemas all must meet.
VERSIONS = ("1.29", "1.31", "1.33", "1.34", "1.35", "1.36", "1.37")
APPLICATION = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"

# The services as they can be set up. The last are production's with one of the components.
COMPONENTS = ("kubernetes-executor", "metrics", "telemetry")
SHAPES = ("base", "overlays/dev", "overlays/production", *COMPONENTS)
# And the namespace of those Jobs, which has no pods of its own.
JOBS = "jobs"


@cache
def built(shape: str) -> tuple[Object, ...]:
    """Everything that a kustomization comes to."""
    subprocess.run([REPOSITORY / "tests" / "kubernetes" / "setup.sh", CACHE], check=True)
    folder = with_component(shape) if shape in COMPONENTS else MANIFESTS / shape
    line = [str(CACHE / "kustomize" / "kustomize"), "build", str(folder)]
    text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return tuple(yaml.safe_load_all(text))


def with_component(name: str) -> Path:
    """An overlay such as users write, of production and a component."""
    folder = CACHE / "kustomize-overlays" / name
    folder.mkdir(parents=True, exist_ok=True)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(MANIFESTS / "overlays" / "production", folder)],
        "components": [os.path.relpath(MANIFESTS / "components" / name, folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    """The objects of some kinds."""
    return [found for found in objects if found["kind"] in kinds]


def pods(objects: tuple[Object, ...]) -> dict[str, Object]:
    """The pods' templates, by workload."""
    return {
        workload["metadata"]["name"]: workload["spec"]["template"]
        for workload in of_kind(objects, "Deployment", "StatefulSet")
    }


def containers(template: Object) -> list[Object]:
    """All containers of a pod, those that only run before the others too."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector that names labels selects what has these."""
    return selector.get("matchLabels", {}).items() <= labels.items()
