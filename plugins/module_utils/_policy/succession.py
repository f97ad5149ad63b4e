# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What becomes of the policies of earlier runs that a run does not write itself: pure.

A run may write another kind of policies than the one before it, or be for other namespaces. What it replaces goes after
the new policies are there. What stands for namespaces that it is not for stays: taking away somebody's protection
because a label went is not for a run to decide by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import NamespaceSteps, plan
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import (
    SELECTION,
    STAGED,
    everywhere_steps,
    selection_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import is_own

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

NAMESPACED = "NetworkPolicy"
KEEP, REMOVE = "keep", "remove"


@dataclass(frozen=True)
class Scope:
    """What a run is for.

    :param chosen: its namespaces.
    :param kind: of the policies that it writes; empty: it removes them.
    :param whole: whether it removes cluster-wide policies whatever namespaces they are for.
    :param everything: whether it removes those of every namespace.
    :param excluded: namespaces that nothing is removed from.
    :param deselected: what becomes of policies for namespaces that are not chosen: ``warn``, ``keep`` or ``remove``.
    """

    chosen: frozenset[str]
    kind: str = ""
    whole: bool = False
    everything: bool = False
    excluded: frozenset[str] = frozenset()
    deselected: str = "warn"


@dataclass(frozen=True)
class Succession:
    """What goes, stage by stage, after the new policies are there; and what to tell of that which stays."""

    stages: tuple[tuple[NamespaceSteps, ...], ...] = ()
    warnings: tuple[str, ...] = ()


def succession(
    scope: Scope, namespaces: Sequence[Object], live: Sequence[Object], wide: Mapping[str, Sequence[Object]]
) -> Succession:
    """What becomes of the policies that a run does not write itself.

    :param namespaces: all of the cluster.
    :param live: every NetworkPolicy of the cluster.
    :param wide: the cluster-wide policies by kind, of each kind that the cluster serves.
    """
    # It enforces nothing, so nothing that does makes room for it.
    if scope.kind == STAGED:
        return Succession()
    present = [one for one in namespaces if not one["metadata"].get("deletionTimestamp")]
    found = _namespaced(scope, {one["metadata"]["name"] for one in present}, live)
    for kind, policies in wide.items():
        steps = everywhere_steps(policies, [])
        if kind == scope.kind or not steps:
            continue
        goes, warning = _wide(scope, kind, policies, present)
        if goes:
            found = replace(found, stages=((NamespaceSteps("", tuple(steps)),), *found.stages))
        if warning:
            found = replace(found, warnings=(*found.warnings, warning))
    return found


def _namespaced(scope: Scope, present: Collection[str], live: Sequence[Object]) -> Succession:
    standing = {one["metadata"]["namespace"] for one in live if is_own(one)} & set(present)
    # What a run writes in the chosen namespaces is planned with what goes there.
    going = set() if scope.kind == NAMESPACED else standing & scope.chosen
    others = standing - scope.chosen
    if scope.everything or (scope.kind and scope.deselected == REMOVE):
        going |= others - scope.excluded
    stage = tuple(plan(live, {name: [] for name in sorted(going)}))
    left = sorted(others - going)
    warnings: list[str] = []
    if left and scope.kind and scope.deselected != KEEP:
        warnings.append(
            f"policies of the baseline stand in namespaces that this run is not for: {listed(left)}. They stay as they "
            "are and are not kept current. Choose these namespaces, remove the policies (state=absent with namespaces, "
            "or deselected=remove), or say deselected=keep where another play is for them."
        )
    return Succession((stage,) if stage else (), tuple(warnings))


def _wide(scope: Scope, kind: str, policies: Sequence[Object], namespaces: Sequence[Object]) -> tuple[bool, str]:
    """Whether the cluster-wide policies of a kind go, and what to tell where they stay."""
    if scope.everything or scope.whole or (scope.kind and scope.kind != NAMESPACED):
        return True, ""
    # A trial beside the policies of namespaces is what the staged kind is for.
    if scope.kind and kind == STAGED:
        return False, ""
    meant = _meant(policies, namespaces)
    if meant and meant <= scope.chosen:
        return True, ""
    if scope.kind and scope.deselected == REMOVE:
        return True, ""
    if scope.deselected == KEEP or not (scope.kind or meant is None or meant & scope.chosen):
        return False, ""
    # What denies goes first, so it is the policy that says most.
    main = ref_of(everywhere_steps(policies, [])[0].subject)
    others = "unknown namespaces" if meant is None else listed(sorted(meant - scope.chosen)) or "no namespace"
    return False, (
        f"{main} of an earlier run stands for {others} beside what this run is for, and stays. Remove it by "
        f"state=absent with cluster_wide={kind}, or choose these namespaces too."
    )


def _meant(policies: Sequence[Object], namespaces: Sequence[Object]) -> Optional[set[str]]:
    """The namespaces that our cluster-wide policies are for; ``None`` where they do not say."""
    told = [(one, selection_of(one)) for one in policies if is_own(one)]
    selectors = [Fields(str(ref_of(one))).selector(found, SELECTION) for one, found in told if found is not None]
    if not selectors:
        return None
    return {
        one["metadata"]["name"]
        for one in namespaces
        if any(selector.matches(one["metadata"].get("labels") or {}) for selector in selectors)
    }
