# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From the policies that are there to the baseline that is wanted: pure, in the only safe order.

Every policy isolates what it selects, an allow as well, so in no order of many writes is a namespace's traffic what it
was or what it will be. One policy that says what all of them say together comes first and goes last instead; see
``templates.transition``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import (
    TRANSITION,
    is_labelled,
    is_own,
    require_own,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    is_deny,
    moved,
    transition,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

# What the cluster itself stands on is never isolated unless it is asked for by name.
SYSTEM_NAMESPACES = (
    *("kube-system", "kube-public", "kube-node-lease", "kube-flannel", "calico-system", "calico-apiserver"),
    *("tigera-operator", "cilium-secrets", "netops-connectivity", "netops-enforcement-probe"),
)
# Kubernetes keeps the first to itself (kubernetes.io, Namespaces, "Initial namespaces"), OpenShift the second.
SYSTEM_PREFIXES = ("kube-", "openshift-")


def system_namespaces(names: Iterable[str]) -> list[str]:
    """Those of some namespaces that belong to the cluster itself."""
    return [name for name in names if name in SYSTEM_NAMESPACES or name.startswith(SYSTEM_PREFIXES)]


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
    # Nothing new can be written into one on its way out.
    going = {one["metadata"]["name"] for one in listed if one["metadata"].get("deletionTimestamp")}
    left_out = {*system_namespaces(present), *excluded, *going} - set(names)
    selected = [
        name
        for name, labels in present.items()
        if selector and all(labels.get(key) == value for key, value in selector.items()) and name not in left_out
    ]
    return sorted({*names, *selected} - set(excluded))


@dataclass(frozen=True)
class NamespaceSteps:
    """The changes of one namespace, in the order in which they are safe; empty: of cluster-wide policies."""

    namespace: str
    steps: tuple[Step, ...]

    @property
    def lasting(self) -> list[Step]:
        """The changes that remain: without the policy that comes and goes."""
        kept = [one for one in self.steps if one.subject["metadata"]["name"] != TRANSITION]
        return kept or list(self.steps)


def plan(live: Sequence[Object], wanted: Mapping[str, Sequence[Object]]) -> list[NamespaceSteps]:
    """The changes of every namespace that has some.

    :param live: every NetworkPolicy of the cluster.
    :param wanted: the policies of ours by namespace; empty: ours go.
    :raises PolicyError: a policy of a wanted name is there and not ours.
    """
    by_namespace: dict[str, dict[str, Object]] = {}
    for policy in live:
        by_namespace.setdefault(policy["metadata"]["namespace"], {})[policy["metadata"]["name"]] = policy
    bridges = _Bridges()
    found = [
        NamespaceSteps(name, tuple(_steps(name, by_namespace.get(name, {}), some, bridges)))
        for name, some in wanted.items()
    ]
    return [one for one in found if one.steps]


class _Bridges:
    """The policies that come and go; where the same stand together, all but their place is one object in memory."""

    def __init__(self) -> None:
        self._made: dict[str, Object] = {}

    def over(self, namespace: str, specs: Sequence[Mapping[str, Any]]) -> Object:
        key = json.dumps(specs, sort_keys=True)
        if key not in self._made:
            self._made[key] = transition(namespace, specs)
        return moved(self._made[key], namespace)


def _steps(namespace: str, there: Mapping[str, Object], wanted: Sequence[Object], bridges: _Bridges) -> list[Step]:
    own = {name: policy for name, policy in there.items() if is_own(policy)}
    changes: list[Step] = []
    for policy in wanted:
        name = policy["metadata"]["name"]
        before = there.get(name)
        if before is not None:
            require_own(before, "Rename or remove it, or leave this policy out of the baseline")
        if before is None or differs(before, policy) or not is_labelled(before):
            changes.append(Step(before, policy))
    kept = {policy["metadata"]["name"] for policy in wanted}
    changes += [Step(policy, None) for name, policy in own.items() if name not in {*kept, TRANSITION}]
    changes.sort(key=_takes_away)
    standing = own.get(TRANSITION)
    if standing is None and len(changes) <= 1:
        return changes
    if not changes:
        return [Step(standing, None)]
    if standing is None and TRANSITION in there:
        require_own(there[TRANSITION], "Rename or remove it: a policy of this name comes and goes with every change")
    # What a run that was killed has left still counts, and so does every policy of before.
    specs = [policy["spec"] for policy in own.values() if not policy["spec"].get("podSelector")]
    bridge = bridges.over(namespace, [*specs, *(policy["spec"] for policy in wanted)])
    if standing is not None and not differs(standing, bridge) and is_labelled(standing):
        return [*changes, Step(standing, None)]
    return [Step(standing, bridge), *changes, Step(bridge, None)]


def _takes_away(step: Step) -> bool:
    """Whether a step can only forbid: a deny that comes, or an allow that goes."""
    return is_deny(step.subject) == (step.after is not None)


def differs(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a live policy says something else than wanted; defaults that the API server fills in do not count."""
    return bool(_without_empty(before["spec"]) != _without_empty(wanted["spec"]))


def _without_empty(value: Any) -> Any:
    """Lists and mappings without the members that mean nothing; an empty selector does mean something."""
    if isinstance(value, dict):
        return {key: _without_empty(one) for key, one in value.items() if one is not None and one != []}
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    return value
