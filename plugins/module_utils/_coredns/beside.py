# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What stands beside CoreDNS' Deployment: a disruption budget, and the proportional autoscaler.

The autoscaler's permissions are those that it uses: k8sclient.go and autoscaler_server.go of
kubernetes-sigs/cluster-proportional-autoscaler.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.scaling import ScalingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef

OWNER = "coredns"
AUTOSCALER = "netops-dns-autoscaler"
SLICES = "netops-coredns-endpointslices"
IMAGE = "registry.k8s.io/cpa/cluster-proportional-autoscaler:v1.9.0"
LINEAR, LADDER = "linear", "ladder"
_RBAC = "rbac.authorization.k8s.io"
# As the autoscaler writes them, by the names of the options.
_LINEAR_NAMES = {
    "cores_per_replica": "coresPerReplica",
    "nodes_per_replica": "nodesPerReplica",
    "min": "min",
    "max": "max",
    "prevent_single_point_failure": "preventSinglePointFailure",
    "include_unschedulable_nodes": "includeUnschedulableNodes",
}
_LADDER_NAMES = {
    "cores_to_replicas": "coresToReplicas",
    "nodes_to_replicas": "nodesToReplicas",
    "include_unschedulable_nodes": "includeUnschedulableNodes",
}


def disruption_budget(target: ObjectRef, labels: Mapping[str, str], wish: Mapping[str, Any], replicas: int) -> Object:
    """How many pods may be taken away at a time, as when nodes are drained.

    :param labels: of the pods.
    :param wish: ``max_unavailable`` or ``min_available``: a number, or a share such as ``50%``.
    :param replicas: how many there are.
    :raises ScalingError: it would let no pod ever go, says both, or is neither a number nor a share.
    """
    given = {key: wish[key] for key in ("max_unavailable", "min_available") if wish.get(key) is not None}
    if len(given) != 1:
        raise ScalingError("disruption budget", f"{len(given)} of its limits are given", "one of the two")
    [(name, limit)] = given.items()
    number = int(limit) if str(limit).isdigit() else str(limit)
    count = number if isinstance(number, int) else _share_of(name, number, replicas)
    if number in (0, "0%", "100%") and (name == "max_unavailable") is (number != "100%"):
        raise ScalingError(
            "disruption budget", f"{name} {limit}: no node with CoreDNS could be drained", "room for one"
        )
    if name == "min_available" and count >= replicas:
        rounded = "" if count == number else f", which is {count}"
        raise ScalingError(
            "disruption budget",
            f"min_available {number} of {replicas} replicas{rounded}: no node with CoreDNS could be drained",
            f"at most {replicas - 1}, or more replicas",
        )
    field = "maxUnavailable" if name == "max_unavailable" else "minAvailable"
    spec = {"selector": {"matchLabels": dict(labels)}, field: number}
    return _object("policy/v1", "PodDisruptionBudget", target.name, target.namespace, spec=spec)


def _share_of(name: str, share: str, replicas: int) -> int:
    """How many replicas a share is; it is rounded up, as the disruption controller does."""
    if not re.fullmatch(r"\d+%", share):
        raise ScalingError("disruption budget", f"{name} {share}", "a number, or a share such as 50%")
    return -(-int(share[:-1]) * replicas // 100)


def parameters(wish: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The autoscaler's controller and its parameters.

    :raises ScalingError: it would refuse them.
    """
    kinds = [kind for kind in (LINEAR, LADDER) if wish.get(kind)]
    if len(kinds) != 1:
        raise ScalingError("autoscaler", f"{len(kinds)} kinds of parameters are given", "linear or ladder")
    [kind] = kinds
    names = _LINEAR_NAMES if kind == LINEAR else _LADDER_NAMES
    content = {names[key]: value for key, value in wish[kind].items() if value is not None}
    (_require_linear if kind == LINEAR else _require_ladder)(content)
    return kind, content


def _require_linear(content: Mapping[str, Any]) -> None:
    numbers = {key: content.get(key) or 0 for key in ("coresPerReplica", "nodesPerReplica", "min", "max")}
    for key, number in numbers.items():
        if number < 0:
            raise ScalingError(f"autoscaler, linear.{key}", str(number), "0 or more")
    if not numbers["coresPerReplica"] and not numbers["nodesPerReplica"]:
        raise ScalingError("autoscaler, linear", "neither cores nor nodes a replica", "one of the two, or both")
    if numbers["max"] and numbers["max"] < max(1, numbers["min"]):
        raise ScalingError(
            "autoscaler, linear", f"max {numbers['max']} is below min {numbers['min']}", "max of min or more"
        )


def _require_ladder(content: Mapping[str, Any]) -> None:
    for key in ("coresToReplicas", "nodesToReplicas"):
        for step in content.get(key) or ():
            if len(step) != 2 or min(step) < 1:
                raise ScalingError(f"autoscaler, ladder.{key}", f"step {step}", "two numbers from 1 on")
    if not content.get("coresToReplicas") and not content.get("nodesToReplicas"):
        raise ScalingError("autoscaler, ladder", "no step", "steps by cores, by nodes, or both")


def autoscaler(target: ObjectRef, wish: Mapping[str, Any]) -> list[Object]:
    """The proportional autoscaler of a Deployment.

    :param wish: ``linear`` or ``ladder``, and ``image``.
    """
    kind, content = parameters(wish)
    namespace = target.namespace
    subject = {"kind": "ServiceAccount", "name": AUTOSCALER, "namespace": namespace}
    cluster_role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": AUTOSCALER}
    role = {"apiGroup": _RBAC, "kind": "Role", "name": AUTOSCALER}
    return [
        _object("v1", "ServiceAccount", AUTOSCALER, namespace),
        _object(f"{_RBAC}/v1", "ClusterRole", AUTOSCALER, rules=[_rule("", "nodes", "list", "watch")]),
        _object(f"{_RBAC}/v1", "ClusterRoleBinding", AUTOSCALER, roleRef=cluster_role, subjects=[subject]),
        _object(
            f"{_RBAC}/v1",
            "Role",
            AUTOSCALER,
            namespace,
            rules=[
                _rule("", "configmaps", "get", names=[AUTOSCALER]),
                _rule("apps", "deployments/scale", "get", "update", names=[target.name]),
            ],
        ),
        _object(f"{_RBAC}/v1", "RoleBinding", AUTOSCALER, namespace, roleRef=role, subjects=[subject]),
        _object("v1", "ConfigMap", AUTOSCALER, namespace, data={kind: json.dumps(content, sort_keys=True)}),
        _object(
            "apps/v1", "Deployment", AUTOSCALER, namespace, spec=_deployment(target, str(wish.get("image") or IMAGE))
        ),
    ]


def permissions(target: ObjectRef, service_account: str) -> list[Object]:
    """What a newer CoreDNS watches and an older one's permissions may lack: EndpointSlices (plugin kubernetes, 1.9.0).

    They stand beside those that are there, so that taking them away takes nothing else.
    """
    subject = {"kind": "ServiceAccount", "name": service_account, "namespace": target.namespace}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": SLICES}
    rule = _rule("discovery.k8s.io", "endpointslices", "list", "watch")
    return [
        _object(f"{_RBAC}/v1", "ClusterRole", SLICES, rules=[rule]),
        _object(f"{_RBAC}/v1", "ClusterRoleBinding", SLICES, roleRef=role, subjects=[subject]),
    ]


def _rule(group: str, resource: str, *verbs: str, names: list[str] | None = None) -> dict[str, Any]:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resourceNames": names} if names else rule


def _deployment(target: ObjectRef, image: str) -> dict[str, Any]:
    labels = {"k8s-app": AUTOSCALER}
    container = {
        "name": "autoscaler",
        "image": image,
        "command": [
            "/cluster-proportional-autoscaler",
            f"--namespace={target.namespace}",
            f"--configmap={AUTOSCALER}",
            f"--target={target.kind}/{target.name}",
            "--logtostderr=true",
            "--v=2",
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "10Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "serviceAccountName": AUTOSCALER,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}


def _object(api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> Object:
    place = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": place, **content}
