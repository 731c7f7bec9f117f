"""The manifests for Kubernetes, as kustomize puts them together: right by the schemas, and closed where they must be.

No cluster runs here: what one would make of them is not shown.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache

import kubernetes_validate
import pytest
from network import may_connect, pod
from rendered import (
    APPLICATION,
    COMPONENT,
    JOBS,
    SERVICES,
    SHAPES,
    VERSIONS,
    Object,
    built,
    containers,
    of_kind,
    pods,
    selects,
)

from harness.server import binary

NAMESPACE = "treenail"
CALLED = ("TREENAIL_CONTROL_PLANE", "TREENAIL_RUN_SCHEDULER", "TREENAIL_PROPERTIES_STORE")
PORTS = (4570, 4571, 4572, 4573, 4574)
# Kubernetes' own name for who answers DNS; these pods have no labels of ours.
DNS = pod("kube-system", **{"k8s-app": "kube-dns"})
ADDRESS = re.compile(r"https?://(?P<host>[a-z-]+)(\.treenail)?:(?P<port>\d+)")


@cache
def help_of(command: str) -> str:
    """What the binary says of one of its services."""
    return subprocess.run([str(binary()), command, "--help"], capture_output=True, text=True, check=True).stdout


def calls(objects: tuple[Object, ...]) -> set[tuple[str, str, int]]:
    """Who is told to call whom, on which port."""
    return {
        (name, match["host"], int(match["port"]))
        for name, template in pods(objects).items()
        for container in containers(template)
        for variable in container["env"]
        if (match := ADDRESS.fullmatch(variable.get("value", "")))
    }


@pytest.mark.parametrize("shape", [*SHAPES, JOBS])
@pytest.mark.parametrize("version", VERSIONS)
def test_all_is_valid_by_the_published_schemas(shape: str, version: str) -> None:
    for found in built(shape):
        kubernetes_validate.validate(found, version, strict=True)


def test_the_check_would_find_a_mistake() -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": [{"port": "http"}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_pods_are_restricted(shape: str) -> None:
    assert set(pods(built(shape))) == set(SERVICES)
    for name, template in pods(built(shape)).items():
        spec = template["spec"]
        assert spec["serviceAccountName"] == name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in containers(template):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
            assert container["resources"]["limits"]["memory"]
            assert container["readinessProbe"]


@pytest.mark.parametrize("shape", [*SHAPES, JOBS])
def test_all_is_in_a_namespace_that_enforces_it(shape: str) -> None:
    (namespace,) = of_kind(built(shape), "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = {found["metadata"]["namespace"] for found in built(shape) if found["kind"] != "Namespace"}
    assert others == {namespace["metadata"]["name"]}


@pytest.mark.parametrize("shape", SHAPES)
def test_only_a_worker_that_starts_kubernetes_jobs_has_a_token(shape: str) -> None:
    assert {account["metadata"]["name"] for account in of_kind(built(shape), "ServiceAccount")} == set(SERVICES)
    for account in of_kind(built(shape), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    holders = {name for name, pod in pods(built(shape)).items() if pod["spec"]["automountServiceAccountToken"]}
    assert holders == ({"worker"} if shape == "kubernetes-executor" else set())


@pytest.mark.parametrize("shape", SHAPES)
def test_names_and_ports_lead_somewhere(shape: str) -> None:
    templates = pods(built(shape))
    reached = set()
    for service in of_kind(built(shape), "Service"):
        (template,) = (
            template
            for template in templates.values()
            if selects({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
        )
        ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
            reached.add((service["metadata"]["name"], port["port"]))
    assert {(host, port) for _, host, port in calls(built(shape))} <= reached
    for template in templates.values():
        volumes = {volume["name"] for volume in template["spec"]["volumes"]} | {"data"}
        for container in containers(template):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            numbers = {port["containerPort"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if "grpc" in container.get(probe, {}):
                    assert container[probe]["grpc"]["port"] in numbers


@pytest.mark.parametrize("shape", SHAPES)
def test_what_selects_pods_selects_those_it_is_named_after(shape: str) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in pods(built(shape)).items()}
    for policy in of_kind(built(shape), "NetworkPolicy"):
        name, selector = policy["metadata"]["name"], policy["spec"]["podSelector"]
        selected = {workload for workload, found in labels.items() if selects(selector, found)}
        assert selected == ({name} if name in SERVICES else set(SERVICES)), name
    for found in of_kind(built(shape), "PodDisruptionBudget", "Deployment", "StatefulSet"):
        selected = {name for name in labels if selects(found["spec"]["selector"], labels[name])}
        assert selected == {found["metadata"]["name"]}
        # Another application of the same namespace may call a part of it a worker as well.
        assert found["spec"]["selector"]["matchLabels"][APPLICATION] == "treenail"


@pytest.mark.parametrize("shape", SHAPES)
def test_policies_let_through_what_is_used_and_nothing_else(shape: str) -> None:
    seen = {name: pod(NAMESPACE, **template["metadata"]["labels"]) for name, template in pods(built(shape)).items()}
    allowed = {
        (sender, receiver, port)
        for sender in SERVICES
        for receiver in SERVICES
        for port in PORTS
        if sender != receiver and may_connect(built(shape), seen[sender], seen[receiver], port)
    }
    assert allowed == calls(built(shape))
    strangers = [pod("elsewhere"), pod(NAMESPACE), pod("elsewhere", **{APPLICATION: "treenail", COMPONENT: "gateway"})]
    for stranger in strangers:
        for name in SERVICES:
            entered = {port for port in PORTS if may_connect(of_services(shape), stranger, seen[name], port)}
            is_outside = stranger.namespace != NAMESPACE
            assert entered == ({4570, 4571} if name == "gateway" and is_outside else set())


def of_services(shape: str) -> tuple[Object, ...]:
    """The policies of the services' namespace; another has none."""
    return tuple(of_kind(built(shape), "NetworkPolicy"))


@pytest.mark.parametrize("shape", SHAPES)
def test_all_can_look_up_names(shape: str) -> None:
    for template in pods(built(shape)).values():
        assert may_connect(built(shape), pod(NAMESPACE, **template["metadata"]["labels"]), DNS, 53)


@pytest.mark.parametrize("shape", SHAPES)
def test_metrics_are_in_reach_of_monitoring_alone_and_only_where_asked_for(shape: str) -> None:
    is_asked_for = shape == "metrics"
    for template in pods(built(shape)).values():
        service = pod(NAMESPACE, **template["metadata"]["labels"])
        (container,) = containers(template)
        listen = {variable["name"]: variable.get("value", "") for variable in container["env"]}["TREENAIL_ADMIN_LISTEN"]
        assert listen == ("0.0.0.0:4579" if is_asked_for else "127.0.0.1:4579")
        assert (4579 in {port["containerPort"] for port in container.get("ports", [])}) == is_asked_for
        assert may_connect(of_services(shape), pod("monitoring"), service, 4579) == is_asked_for
        for stranger in (pod("elsewhere"), pod(NAMESPACE, **{APPLICATION: "treenail", COMPONENT: "worker"})):
            assert not may_connect(of_services(shape), stranger, service, 4579)


@pytest.mark.parametrize("shape", SHAPES)
def test_telemetry_has_a_way_to_its_collector_only_where_asked_for(shape: str) -> None:
    is_asked_for = shape == "telemetry"
    for name, template in pods(built(shape)).items():
        service = pod(NAMESPACE, **template["metadata"]["labels"])
        (container,) = containers(template)
        told = {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}
        assert told.get("TREENAIL_OTLP_ENDPOINT") == ("http://collector.monitoring:4317" if is_asked_for else None)
        # The policies of other namespaces are not ours; this one's let out to the collector, and to nobody beside it.
        assert may_connect(of_services(shape), service, pod("monitoring"), 4317) == is_asked_for, name
        assert not may_connect(of_services(shape), service, pod("monitoring"), 4318)
        assert not may_connect(of_services(shape), service, pod("elsewhere"), 4317)


def test_jobs_reach_names_and_the_gateway_and_nobody_reaches_jobs() -> None:
    both = (*built("kubernetes-executor"), *built(JOBS))
    job = pod("treenail-jobs", **{"job-name": "any"})
    assert may_connect(both, job, DNS, 53)
    for name, template in pods(both).items():
        service = pod(NAMESPACE, **template["metadata"]["labels"])
        assert {port for port in PORTS if may_connect(both, job, service, port)} == (
            {4570} if name == "gateway" else set()
        )
        assert not any(may_connect(both, service, job, port) for port in (*PORTS, 8080))


def test_a_worker_may_start_and_follow_jobs_and_nothing_else() -> None:
    (role,) = of_kind(built(JOBS), "Role")
    rights = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert rights == {
        *(("jobs", verb) for verb in ("create", "get", "list", "watch", "delete")),
        *(("pods", verb) for verb in ("get", "list", "watch")),
        ("pods/log", "get"),
        *(("secrets", verb) for verb in ("create", "get")),
    }
    (binding,) = of_kind(built(JOBS), "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "worker", "namespace": NAMESPACE}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


@pytest.mark.parametrize("shape", SHAPES)
def test_arguments_and_variables_are_those_of_the_binary(shape: str) -> None:
    for template in pods(built(shape)).values():
        for container in containers(template):
            command, *arguments = container["args"]
            for argument in arguments:
                if argument.startswith("--"):
                    assert re.search(rf"^ +{re.escape(argument)}\b(?!-)", help_of(command), re.MULTILINE), argument
            for variable in container["env"]:
                assert f"[env: {variable['name']}=" in help_of(command), variable


def test_dev_asks_for_no_keys_and_the_others_for_nothing_else() -> None:
    for shape in SHAPES:
        gateway = pods(built(shape))["gateway"]["spec"]["containers"][0]
        names = {variable["name"] for variable in gateway["env"]}
        is_open = "--insecure" in gateway["args"]
        assert is_open == (shape == "overlays/dev")
        assert ("TREENAIL_CREDENTIALS" in names) == (not is_open)


def test_services_prove_themselves_in_production() -> None:
    for shape in SHAPES:
        is_mutual = shape not in ("base", "overlays/dev")
        for name, template in pods(built(shape)).items():
            (container,) = containers(template)
            variables = {variable["name"]: variable.get("value", "") for variable in container["env"]}
            inner = {value for key, value in variables.items() if key in CALLED}
            assert all(value.startswith("https://") == is_mutual for value in inner)
            assert ("TREENAIL_PEER_CA" in variables) == is_mutual
            assert ("TREENAIL_PEER_CERT" in variables) == (is_mutual and name != "worker")
            assert ("TREENAIL_WORKER_TOKEN_FILE" in variables) == (is_mutual and name in ("worker", "run-scheduler"))
            trust = [
                volume["secret"]["secretName"] for volume in template["spec"]["volumes"] if volume["name"] == "trust"
            ]
            assert trust == ([f"treenail-trust-{name}"] if is_mutual else [])
            if name in ("properties-store", "run-scheduler", "control-plane"):
                assert ("--insecure" in container["args"]) == (not is_mutual)


def test_a_store_has_one_replica_and_what_scales_names_none() -> None:
    for shape in SHAPES:
        for workload in of_kind(built(shape), "StatefulSet", "Deployment"):
            is_store = workload["metadata"]["name"] in ("properties-store", "run-scheduler", "control-plane")
            assert workload["spec"].get("replicas") == (1 if is_store else None)
            assert len(workload["spec"].get("volumeClaimTemplates", [])) == (1 if is_store else 0)


def test_workers_that_start_kubernetes_jobs_have_names_that_stay() -> None:
    objects = built("kubernetes-executor")
    (worker,) = (found for found in of_kind(objects, "StatefulSet") if found["metadata"]["name"] == "worker")
    variables = {variable["name"]: variable for variable in containers(worker["spec"]["template"])[0]["env"]}
    assert variables["TREENAIL_WORKER_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert variables["TREENAIL_EXECUTOR"]["value"] == "kubernetes"
    images = {name: containers(template)[0]["image"] for name, template in pods(objects).items()}
    assert variables["TREENAIL_KUBERNETES_IMAGE"]["value"] == images["gateway"]
    assert variables["TREENAIL_IMAGES"]["value"] == f"pythonshell={images['worker']}"
    (scaler,) = (
        found for found in of_kind(objects, "HorizontalPodAutoscaler") if found["metadata"]["name"] == "worker"
    )
    assert scaler["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"


def test_production_scales_what_can_be_scaled() -> None:
    production = built("overlays/production")
    scaled = {found["spec"]["scaleTargetRef"]["name"] for found in of_kind(production, "HorizontalPodAutoscaler")}
    assert scaled == {"gateway", "worker"}
    assert {found["metadata"]["name"] for found in of_kind(production, "PodDisruptionBudget")} == set(SERVICES)
    gateway = pods(production)["gateway"]["spec"]
    # A volume of one node would keep a second gateway from starting.
    assert not any("persistentVolumeClaim" in volume for volume in gateway["volumes"])
    assert of_kind(production, "PersistentVolumeClaim") == []
    for name in scaled:
        (spread,) = pods(production)[name]["spec"]["topologySpreadConstraints"]
        assert selects(spread["labelSelector"], pods(production)[name]["metadata"]["labels"])
