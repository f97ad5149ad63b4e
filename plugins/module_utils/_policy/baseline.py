# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From the policies that are there to the baseline that is wanted: pure, in the only safe order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    Object,
    comparable,
    is_marked,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PolicyError,
    Surroundings,
    is_deny,
    policies,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What the cluster itself stands on is never isolated unless it is asked for by name.
SYSTEM_NAMESPACES = (
    *("kube-system", "kube-public", "kube-node-lease", "kube-flannel", "calico-system", "calico-apiserver"),
    *("tigera-operator", "cilium-secrets", "netops-connectivity"),
)


@dataclass(frozen=True)
class Step:
    """One change: ``after`` is ``None`` where a policy goes, ``before`` where one comes."""

    before: Object | None
    after: Object | None

    @property
    def action(self) -> str:
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "changed"

    @property
    def subject(self) -> Object:
        subject = self.after or self.before
        if subject is None:
            raise ValueError("a step has a policy before it, after it, or both")
        return subject


def chosen_namespaces(
    listed: Sequence[Mapping[str, Any]], names: Sequence[str], selector: Mapping[str, str], excluded: Sequence[str]
) -> list[str]:
    """The namespaces that the baseline is for: those named, and those whose labels match.

    :param selector: label values; empty selects none.
    :param excluded: beyond the system's own, which only ``names`` can choose.
    :raises PolicyError: a named one is not there.
    """
    present = {namespace["metadata"]["name"]: namespace["metadata"].get("labels") or {} for namespace in listed}
    missing = sorted(set(names) - set(present))
    if missing:
        raise PolicyError(
            f"namespace {missing[0]!r}", "it is not there", "an existing one", "Create it first, or correct its name"
        )
    left_out = {*SYSTEM_NAMESPACES, *excluded} - set(names)
    selected = [
        name
        for name, labels in present.items()
        if selector and all(labels.get(key) == value for key, value in selector.items()) and name not in left_out
    ]
    return sorted({*names, *selected} - set(excluded))


def steps(
    live: Sequence[Object], namespaces: Sequence[str], names: Sequence[str], around: Surroundings, *, present: bool
) -> list[Step]:
    """The changes, namespace by namespace; in each, first what gives (allows come, denies go), then what takes.

    :param live: every NetworkPolicy of the cluster.
    :raises PolicyError: a policy of a wanted name is there and not ours.
    """
    by_place = {(policy["metadata"]["namespace"], policy["metadata"]["name"]): policy for policy in live}
    result: list[Step] = []
    for namespace in namespaces:
        wanted = policies(namespace, names, around) if present else []
        own = {
            policy["metadata"]["name"]: policy
            for policy in live
            if policy["metadata"]["namespace"] == namespace and is_marked(policy)
        }
        changes: list[Step] = []
        for policy in wanted:
            name = policy["metadata"]["name"]
            before = by_place.get((namespace, name))
            if before is not None and not is_marked(before):
                raise PolicyError(
                    f"NetworkPolicy '{namespace}/{name}'",
                    f"it is there and lacks the label {MANAGED_BY}",
                    "no policy of this name, or one of ours",
                    "Rename or remove it, or leave this policy out of the baseline",
                )
            if before is None or differs(before, policy):
                changes.append(Step(before, policy))
        kept = {policy["metadata"]["name"] for policy in wanted}
        changes += [Step(policy, None) for name, policy in own.items() if name not in kept]
        result += sorted(changes, key=_takes_away)
    return result


def _takes_away(step: Step) -> bool:
    """Whether a step can only forbid: a deny that comes, or an allow that goes."""
    return is_deny(step.subject) == (step.after is not None)


def differs(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a live policy says something else than wanted; defaults that the API server fills in do not count."""
    live = comparable(before)
    return bool(_without_empty(live["spec"]) != _without_empty(wanted["spec"]))


def _without_empty(value: Any) -> Any:
    """Lists and mappings without the members that mean nothing; an empty selector does mean something."""
    if isinstance(value, dict):
        return {key: _without_empty(one) for key, one in value.items() if one is not None and one != []}
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    return value
