# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""When an object is ready, judged from the object alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
    observed = status.get("observedGeneration")
    if observed is not None and observed < (obj["metadata"].get("generation") or 0):
        return "its controller has not seen the change yet"
    reasons = (judge(obj.get("spec") or {}, status) for judge in judges)
    return next((reason for reason in reasons if reason), "")


def _daemon_set(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    for field, what in (("updatedNumberScheduled", "updated"), ("numberAvailable", "available")):
        if status.get(field, 0) < wanted:
            return f"{status.get(field, 0)} of {wanted} pods are {what}"
    return ""


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "observedGeneration" not in status:
        return "its controller has not seen it yet"
    wanted = spec.get("replicas", 1)
    for field, what in (("updatedReplicas", "updated"), ("availableReplicas", "available")):
        if status.get(field, 0) < wanted:
            return f"{status.get(field, 0)} of {wanted} pods are {what}"
    return "" if status.get("replicas", 0) <= wanted else "old pods are still there"


def _condition(name: str, wanted: str = "True") -> Callable[[Mapping[str, Any], Mapping[str, Any]], str]:
    def judge(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
        for condition in status.get("conditions") or []:
            if condition.get("type") == name:
                if condition.get("status") == wanted:
                    return ""
                return f"condition {name} is {condition.get('status')}: {condition.get('message', '')}"
        return f"condition {name} is not there yet"

    return judge


def _namespace(_unused: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    return "" if status.get("phase") == "Active" else f"phase {status.get('phase')}"


JUDGES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "APIService": _condition("Available"),
    "CustomResourceDefinition": _condition("Established"),
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _condition("Complete"),
    "Namespace": _namespace,
    "Pod": _condition("Ready"),
}
