"""The manifests for Kubernetes, as kustomize puts them together: right by the schemas, and closed where they must be.

No cluster runs here: what one would make of them is not shown.
"""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from harness.server import REPOSITORY, binary

CACHE = REPOSITORY / "tests" / ".cache"
OVERLAYS = ("base", "overlays/dev", "overlays/production")
SERVICES = ("properties-store", "run-scheduler", "control-plane", "gateway", "worker")
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
COMPONENT = "app.kubernetes.io/component"


@cache
def built(overlay: str) -> tuple[dict[str, Any], ...]:
    """Everything that an overlay comes to."""
    subprocess.run([REPOSITORY / "tests" / "kubernetes" / "setup.sh", CACHE], check=True)
    line = [str(CACHE / "kustomize" / "kustomize"), "build", str(REPOSITORY / "deploy" / "kubernetes" / overlay)]
    text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return tuple(yaml.safe_load_all(text))


def of_kind(overlay: str, *kinds: str) -> list[dict[str, Any]]:
    return [found for found in built(overlay) if found["kind"] in kinds]


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The pods' templates, by component."""
    workloads = of_kind(overlay, "Deployment", "StatefulSet")
    return {workload["metadata"]["name"]: workload["spec"]["template"] for workload in workloads}


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_all_is_valid_by_the_published_schemas(overlay: str, version: str) -> None:
    for found in built(overlay):
        kubernetes_validate.validate(found, version, strict=True)


def test_the_check_would_find_a_mistake() -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": [{"port": "http"}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(overlay: str) -> None:
    assert set(pods(overlay)) == set(SERVICES)
    for name, template in pods(overlay).items():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["serviceAccountName"] == name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert container["readinessProbe"]
    assert {found["metadata"]["namespace"] for found in built(overlay) if found["kind"] != "Namespace"} == {"treenail"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_and_ports_lead_somewhere(overlay: str) -> None:
    templates = pods(overlay)
    for service in of_kind(overlay, "Service"):
        template = templates[service["spec"]["selector"][COMPONENT]]
        ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    services = {
        f"{service['metadata']['name']}:{port['port']}"
        for service in of_kind(overlay, "Service")
        for port in service["spec"]["ports"]
    }
    for template in templates.values():
        volumes = {volume["name"] for volume in template["spec"]["volumes"]} | {"data"}
        for container in template["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            urls = [variable["value"] for variable in container["env"] if variable["value"].startswith("http://")]
            assert {url.removeprefix("http://") for url in urls} <= services


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_policies_let_through_what_is_used_and_nothing_else(overlay: str) -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind(overlay, "NetworkPolicy")}
    assert policies["default-deny"]["policyTypes"] == ["Ingress", "Egress"]
    allowed = set()
    for name in SERVICES:
        assert policies[name]["podSelector"]["matchLabels"][COMPONENT] == name
        for rule in policies[name].get("egress", []):
            for peer in rule["to"]:
                if "podSelector" in peer:
                    to = peer["podSelector"]["matchLabels"][COMPONENT]
                    allowed |= {(name, to, port["port"]) for port in rule["ports"]}
    used = set()
    for name, template in pods(overlay).items():
        for variable in template["spec"]["containers"][0]["env"]:
            if variable["value"].startswith("http://"):
                host, port = variable["value"].removeprefix("http://").split(":")
                used.add((name, host, int(port)))
    assert allowed == used
    # What may leave one may enter the other.
    for sender, receiver, port in used - {("worker", "gateway", 4570)}:
        admitted = {
            (peer["podSelector"]["matchLabels"][COMPONENT], entry["port"])
            for rule in policies[receiver]["ingress"]
            for peer in rule["from"]
            if "podSelector" in peer
            for entry in rule["ports"]
        }
        assert receiver == "gateway" or (sender, port) in admitted


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_arguments_and_variables_are_those_of_the_binary(overlay: str) -> None:
    for template in pods(overlay).values():
        container = template["spec"]["containers"][0]
        command, *arguments = container["args"]
        help_text = subprocess.run(
            [str(binary()), command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for argument in arguments:
            assert not argument.startswith("--") or argument in help_text
        for variable in container["env"]:
            assert f"[env: {variable['name']}=" in help_text, variable


def test_dev_asks_for_no_keys_and_the_others_for_nothing_else() -> None:
    for overlay in OVERLAYS:
        gateway = pods(overlay)["gateway"]["spec"]["containers"][0]
        names = {variable["name"] for variable in gateway["env"]}
        is_open = "--insecure" in gateway["args"]
        assert is_open == (overlay == "overlays/dev")
        assert ("TREENAIL_CREDENTIALS" in names) == (not is_open)


def test_production_scales_what_can_be_scaled() -> None:
    scaled = {
        found["spec"]["scaleTargetRef"]["name"] for found in of_kind("overlays/production", "HorizontalPodAutoscaler")
    }
    assert scaled == {"gateway", "worker"}
    budgets = {found["metadata"]["name"] for found in of_kind("overlays/production", "PodDisruptionBudget")}
    assert budgets == set(SERVICES)
    gateway = pods("overlays/production")["gateway"]["spec"]
    # A volume of one node would keep a second gateway from starting.
    assert not any("persistentVolumeClaim" in volume for volume in gateway["volumes"])
    assert of_kind("overlays/production", "PersistentVolumeClaim") == []
