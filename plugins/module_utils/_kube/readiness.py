# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""When an object is ready, judged from the object alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], str]


@dataclass(frozen=True)
class Condition:
    """An entry of ``status.conditions`` that the objects of a kind must have."""

    kind: str
    type: str
    status: str = "True"


def is_judged(kind: str, conditions: Sequence[Condition] = ()) -> bool:
    """Whether objects of this kind can be other than ready."""
    return kind in JUDGES or any(condition.kind == kind for condition in conditions)


def not_ready(obj: Mapping[str, Any], conditions: Sequence[Condition] = ()) -> str:
    """Why an object is not ready, or an empty string when it is.

    The rules are those of ``kubectl rollout status`` and ``kubectl wait`` for the kinds that have any; others are
    ready when they exist.

    :param conditions: further ones; they take the place of the rules of their kind.
    """
    kind = str(obj.get("kind"))
    asked = [_condition(one.type, one.status) for one in conditions if one.kind == kind]
    judges = asked or ([JUDGES[kind]] if kind in JUDGES else [])
    if not judges:
        return ""
    status = obj.get("status") or {}
    if _is_of_before(obj):
        return "its controller has not seen the change yet"
    reasons = (judge(obj.get("spec") or {}, status) for judge in judges)
    return next((reason for reason in reasons if reason), "")


def is_pod_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod's readiness probes succeed; of a list's item too, which does not name its kind."""
    return not JUDGES["Pod"]({}, pod.get("status") or {})


def _is_of_before(obj: Mapping[str, Any]) -> bool:
    """Whether its controller says of an object what was true before the last change of it."""
    observed = (obj.get("status") or {}).get("observedGeneration")
    return observed is not None and observed < (obj["metadata"].get("generation") or 0)


def hopeless(obj: Mapping[str, Any]) -> str:
    """Why an object will not become ready by waiting, or an empty string; what ended before its last change may not."""
    if _is_of_before(obj):
        return ""
    conditions = (obj.get("status") or {}).get("conditions") or []
    for kind, name, status, reason in ENDS:
        for condition in conditions if obj.get("kind") == kind else []:
            seen = (condition.get("type"), condition.get("status"), condition.get("reason") if reason else "")
            if seen == (name, status, reason):
                return f"{condition.get('reason') or name}: {condition.get('message', '')}"
    return ""


def why_held(live: Mapping[str, Any]) -> str:
    """What keeps an object that is being deleted: its finalizers, who serves them, and what it says itself."""
    metadata = live["metadata"]
    finalizers = [*(metadata.get("finalizers") or []), *((live.get("spec") or {}).get("finalizers") or [])]
    told = [f"{name} ({SERVERS[name]})" if name in SERVERS else name for name in finalizers]
    text = f"its finalizers: {', '.join(told) or 'none'}"
    if metadata.get("deletionTimestamp"):
        text += f"; marked for deletion at {metadata['deletionTimestamp']}"
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition.get("type") in HOLDING and condition.get("status") == "True":
            text += f"; {condition['type']}: {condition.get('message', '')}"
    return text


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    # With OnDelete somebody else decides when a pod becomes a new one.
    by_hand = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    fields = (("updatedNumberScheduled", "updated"), ("numberAvailable", "available"))
    return _counted(status, wanted, fields[1:] if by_hand else fields)


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    wanted = spec.get("replicas", 1)
    strategy = spec.get("updateStrategy") or {}
    ready = _counted(status, wanted, (("readyReplicas", "ready"),))
    if ready or strategy.get("type") == "OnDelete":
        return ready
    # Pods below the partition keep the old revision.
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if status.get("currentRevision") == status.get("updateRevision"):
        return ""
    return _counted(status, max(0, wanted - partition), (("updatedReplicas", "updated"),))


def _counted(status: Mapping[str, Any], wanted: int, fields: Sequence[tuple[str, str]]) -> str:
    for field, what in fields:
        if status.get(field, 0) < wanted:
            return f"{status.get(field, 0)} of {wanted} pods are {what}"
    return ""


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    wanted = spec.get("replicas", 1)
    reason = _counted(status, wanted, (("updatedReplicas", "updated"), ("availableReplicas", "available")))
    return reason or ("" if status.get("replicas", 0) <= wanted else "old pods are still there")


def _condition(name: str, wanted: str = "True") -> Judge:
    def judge(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
        for condition in status.get("conditions") or []:
            if condition.get("type") == name:
                if condition.get("status") == wanted:
                    return ""
                return f"condition {name} is {condition.get('status')}: {condition.get('message', '')}"
        return f"condition {name} is not there yet"

    return judge


def _all(*judges: Judge) -> Judge:
    def judge(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
        return next((reason for one in judges if (reason := one(spec, status))), "")

    return judge


def _definition(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "NamesAccepted" and condition.get("status") == "False":
            return f"its names are taken: {condition.get('message', '')}"
    return _condition("Established")(spec, status)


def _claim(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    return "" if status.get("phase") == "Bound" else f"phase {status.get('phase')}"


def _counted_ready(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    return _counted(status, spec.get("replicas", 1), (("readyReplicas", "ready"),))


def _namespace(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    return "" if status.get("phase") == "Active" else f"phase {status.get('phase')}"


JUDGES: dict[str, Judge] = {
    "APIService": _condition("Available"),
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _condition("Complete"),
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "Pod": _condition("Ready"),
    "ReplicaSet": _counted_ready,
    "StatefulSet": _stateful_set,
    # operator.tigera.io: what one part of Calico says of itself.
    "TigeraStatus": _all(_condition("Available"), _condition("Progressing", "False"), _condition("Degraded", "False")),
}
# What ends the hope: kind, condition, status, and the reason where the condition alone is not enough.
ENDS = (
    ("Deployment", "Progressing", "False", "ProgressDeadlineExceeded"),
    ("Job", "Failed", "True", ""),
)
# Conditions with which objects that are being deleted explain themselves (kubernetes.io, namespaces and CRDs).
HOLDING = {
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "Terminating",
}
# Finalizers whose names do not say who serves them.
SERVERS = {
    "foregroundDeletion": "the garbage collector of kube-controller-manager: what it owns goes first",
    "orphan": "the garbage collector of kube-controller-manager",
    "kubernetes": "the namespace controller of kube-controller-manager: all that is in it goes first",
    "customresourcecleanup.apiextensions.k8s.io": "kube-apiserver: every object of this kind goes first",
    "kubernetes.io/pvc-protection": "kube-controller-manager: a pod still uses the claim",
    "kubernetes.io/pv-protection": "kube-controller-manager: a claim still uses the volume",
    "service.kubernetes.io/load-balancer-cleanup": "the controller of load balancers",
    "tigera.io/operator-cleanup": "the Tigera operator",
}
