"""Who may open a connection to whom, as network policies say."""

from __future__ import annotations

from dataclasses import dataclass

from rendered import Object, of_kind, selects


@dataclass(frozen=True)
class Pod:
    """A pod, as policies see it."""

    namespace: str
    labels: tuple[tuple[str, str], ...]


def pod(namespace: str, **labels: str) -> Pod:
    """A pod in a namespace."""
    return Pod(namespace, tuple(sorted(labels.items())))


def may_connect(objects: tuple[Object, ...], sender: Pod, receiver: Pod, port: int) -> bool:
    """Whether the sender may leave for the receiver, and the receiver lets it in.

    Only what names pods counts, not blocks of addresses: whether these hold pods is the network's business.
    """
    return _allows(objects, "Egress", sender, receiver, port) and _allows(objects, "Ingress", receiver, sender, port)


def _allows(objects: tuple[Object, ...], direction: str, subject: Pod, other: Pod, port: int) -> bool:
    """Whether the policies that select a pod let it speak with the other; all, where none selects it."""
    policies = [
        policy
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["metadata"]["namespace"] == subject.namespace
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], dict(subject.labels))
    ]
    rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return not policies or any(
        port in {entry["port"] for entry in rule["ports"]}
        and any(_is(peer, other, policy["metadata"]["namespace"]) for peer in rule[peers])
        for policy in policies
        for rule in policy["spec"].get(rules, [])
        if "ports" in rule
    )


def _is(peer: Object, other: Pod, own_namespace: str) -> bool:
    if "ipBlock" in peer:
        return False
    in_namespace = (
        selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
        if "namespaceSelector" in peer
        else other.namespace == own_namespace
    )
    return in_namespace and selects(peer.get("podSelector", {}), dict(other.labels))
