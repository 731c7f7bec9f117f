"""The Helm chart: it says what kustomize says, and refuses values that it does not understand.

Helm's own engine renders it; nothing is installed.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
from chart import CHART, JOBS, installed, merged, rendered, values_of
from rendered import JOBS as JOBS_NAMESPACE
from rendered import SERVICES, SHAPES, VERSIONS, Object, built, containers, of_kind, pods

# What only Helm says of an object, and what only it asks of itself.
OF_HELM = ("app.kubernetes.io/managed-by", "helm.sh/chart")
KEPT = {"helm.sh/resource-policy": "keep"}
# What may stand in any order.
KEYED = {"env": "name", "ports": "containerPort", "volumes": "name", "volumeMounts": "mountPath"}


def normal(found: Object) -> Object:
    """An object as the cluster would understand it, without who made it."""
    found = copy.deepcopy(found)
    metadata = found["metadata"]
    metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key not in OF_HELM}
    if metadata.get("annotations") == KEPT:
        del metadata["annotations"]
    spec = found.get("spec", {}).get("template", {}).get("spec", {})
    for holder in [spec, *spec.get("containers", [])]:
        for key, by in KEYED.items():
            if key in holder:
                holder[key] = sorted(holder[key], key=lambda entry: entry[by])
    return found


def by_name(objects: tuple[Object, ...]) -> dict[str, Object]:
    """Objects by what they are; there is one of each."""
    names = [
        f"{found['kind']} {found['metadata'].get('namespace', '')}/{found['metadata']['name']}" for found in objects
    ]
    assert len(names) == len(set(names))
    return dict(zip(names, map(normal, objects)))


def with_images_of(shape: str, objects: dict[str, Object]) -> dict[str, Object]:
    """Base and dev leave the tag to whoever builds the images; a chart has a version."""
    if shape in ("base", "overlays/dev"):
        for found in objects.values():
            for container in found.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
                assert container["image"].endswith(":0.1.0")
                container["image"] = container["image"].removesuffix(":0.1.0")
    return objects


@pytest.mark.parametrize("shape", SHAPES)
def test_chart_and_kustomize_say_the_same(shape: str) -> None:
    ours = by_name(built(shape) + (built(JOBS_NAMESPACE) if shape == "kubernetes-executor" else ()))
    # Helm makes the namespace of a release, not the chart.
    del ours["Namespace /treenail"]
    theirs = with_images_of(shape, by_name(installed(shape)))
    assert set(theirs) == set(ours)
    for name, found in ours.items():
        assert theirs[name] == found, name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", VERSIONS)
def test_all_of_it_is_valid_by_the_published_schemas(shape: str, version: str) -> None:
    for found in installed(shape):
        kubernetes_validate.validate(found, version, strict=True)


def test_helms_own_lint_finds_nothing() -> None:
    for values in ({}, values_of("values-dev.yaml"), values_of("values-production.yaml"), JOBS):
        report = helm_python.lint(CHART, values, strict=True)
        # An icon is a matter of taste.
        assert [found for found in report["messages"] if "icon" not in found["error"]] == []
        assert report["errors"] == []


def test_in_another_namespace_nothing_speaks_of_the_first() -> None:
    objects = rendered(JOBS, namespace="etl")
    assert {found["metadata"].get("namespace") for found in objects} == {None, "etl", "treenail-jobs"}
    (binding,) = of_kind(objects, "RoleBinding")
    assert binding["subjects"][0]["namespace"] == "etl"
    variables = {
        variable["name"]: variable.get("value") for variable in pods(objects)["worker"]["spec"]["containers"][0]["env"]
    }
    assert variables["TREENAIL_ENDPOINT_URL"] == "http://gateway.etl:4570"
    (policy,) = (found for found in of_kind(objects, "NetworkPolicy") if found["metadata"]["name"] == "job")
    assert policy["spec"]["egress"][1]["to"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "etl"
    }


def test_values_reach_what_they_are_for() -> None:
    values = {
        "image": {"repository": "a/b", "tag": "2"},
        "imagePullSecrets": [{"name": "pull"}],
        "credentials": {
            "keysSecret": "keys-2",
            "jobKeySecret": "job-key-2",
            "trustSecrets": "trust-2",
            "betweenServices": True,
        },
        "stores": {"storage": {"size": "3Gi", "className": "fast"}},
        "s3": {"storage": {"size": "4Gi", "className": "slow"}},
        "worker": {"image": {"repository": "c/d", "tag": "3"}, "workSize": "5Gi"},
    }
    objects = rendered(values)
    images = {name: containers(template)[0]["image"] for name, template in pods(objects).items()}
    assert images.pop("worker") == "c/d:3"
    assert set(images.values()) == {"a/b:2"}
    assert all(template["spec"]["imagePullSecrets"] == [{"name": "pull"}] for template in pods(objects).values())
    secrets = {
        volume["secret"]["secretName"]
        for template in pods(objects).values()
        for volume in template["spec"]["volumes"]
        if "secret" in volume
    }
    assert secrets == {"keys-2", "job-key-2", *(f"trust-2-{name}" for name in SERVICES)}
    for store in of_kind(objects, "StatefulSet"):
        (claim,) = store["spec"]["volumeClaimTemplates"]
        assert (claim["spec"]["resources"]["requests"]["storage"], claim["spec"]["storageClassName"]) == ("3Gi", "fast")
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert (claim["spec"]["resources"]["requests"]["storage"], claim["spec"]["storageClassName"]) == ("4Gi", "slow")
    assert claim["metadata"]["annotations"] == KEPT
    work = {volume["name"]: volume for volume in pods(objects)["worker"]["spec"]["volumes"]}
    assert work["data"]["emptyDir"]["sizeLimit"] == "5Gi"


@pytest.mark.parametrize(
    "wrong",
    [
        {"credentials": {"requird": True}},
        {"credentials": {"required": "no"}},
        {"stores": {"replicas": 2}},
        {"stores": {"storage": {"size": "ten"}}},
        {"gateway": {"autoscaling": {"enabled": True}}},
        {"worker": {"resources": {"limits": {"memory": None}}}},
        {"image": {"tag": "not a tag"}},
        {"s3": {"endpoint": "s3.example.com"}},
        {"unknown": {}},
    ],
)
def test_values_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError, match="schema"):
        rendered(wrong)


def test_gateways_scale_where_s3_is_elsewhere() -> None:
    values = merged({"gateway": {"autoscaling": {"enabled": True}}}, {"s3": {"endpoint": "https://s3.example.com"}})
    assert [found["metadata"]["name"] for found in of_kind(rendered(values), "HorizontalPodAutoscaler")] == ["gateway"]


def test_workers_become_fewer_only_where_that_is_asked_for() -> None:
    for shrink in (False, True):
        values = {"worker": {"autoscaling": {"enabled": True, "shrink": shrink}}}
        (scaler,) = of_kind(rendered(values), "HorizontalPodAutoscaler")
        assert (scaler["spec"]["behavior"]["scaleDown"].get("selectPolicy") == "Disabled") == (not shrink)
        kubernetes_validate.validate(scaler, VERSIONS[0], strict=True)


def test_the_schema_says_something_of_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)

    def assert_known(values: Any, rule: Any, path: str) -> None:
        assert not isinstance(values, dict) or rule["type"] == "object", path
        if isinstance(values, dict) and rule.get("additionalProperties") is False:
            own = {key for key in rule["properties"] if key != "global"}
            assert own == set(values) == set(rule["required"]), path
            for key, value in values.items():
                assert_known(value, rule["properties"][key], f"{path}.{key}")

    assert_known(values_of("values.yaml"), schema, "")


def test_notes_warn_where_no_keys_are_asked_for() -> None:
    with helm_python.Chart.load(CHART) as chart:

        def notes(values: dict[str, Any]) -> str:
            return chart.render(values=values, name="r", namespace="etl")["treenail/templates/NOTES.txt"]

        assert "NOBODY IS ASKED FOR KEYS" in notes(values_of("values-dev.yaml"))
        assert "NOBODY IS ASKED FOR KEYS" not in notes({})
        assert "treenail-keys" in notes({})
