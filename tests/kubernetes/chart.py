"""What Helm's own engine makes of the chart."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import helm_python
import yaml
from rendered import Object

from harness.server import REPOSITORY

CHART = REPOSITORY / "deploy" / "helm" / "treenail"
JOBS = {"worker": {"kubernetesJobs": {"enabled": True}}}
# The components of deploy/kubernetes in the chart's words.
COMPONENTS = {
    "kubernetes-executor": JOBS,
    "metrics": {"metrics": {"enabled": True}},
    "telemetry": {"telemetry": {"enabled": True}},
}


def values_of(name: str) -> dict[str, Any]:
    """One of the chart's files of values."""
    return yaml.safe_load((CHART / name).read_text())


def rendered(values: dict[str, Any], namespace: str = "treenail") -> tuple[Object, ...]:
    """The objects that an installation with these values has."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values=values, name="any-release", namespace=namespace, is_install=True)
    texts = [text for path, text in sorted(files.items()) if path.endswith(".yaml")]
    return tuple(found for text in texts for found in yaml.safe_load_all(text) if found)


@cache
def installed(shape: str) -> tuple[Object, ...]:
    """The objects for what kustomize calls by that name; the executor's have the namespace of its Jobs among them."""
    if shape == "base":
        return rendered({})
    if shape == "overlays/dev":
        return rendered(values_of("values-dev.yaml"))
    production = values_of("values-production.yaml")
    if shape == "overlays/production":
        return rendered(production)
    return rendered(merged(production, COMPONENTS[shape]))


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm lays one file upon another."""
    result = copy.deepcopy(below)
    for key, value in above.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
