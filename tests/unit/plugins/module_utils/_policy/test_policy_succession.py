# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the policies of earlier runs: what goes, in which order, and what is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import (
    API_VERSIONS,
    everywhere,
    subject_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.succession import Scope, Succession, succession
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PROFILES,
    Surroundings,
    policies,
)

SPACES = ("shop", "data", "other", "kube-system")
LISTED: list[dict[str, Any]] = [
    {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, "team": name[:1]}}} for name in SPACES
]
NAMES = PROFILES["zero-trust"]
WIDE = tuple(kind for kind in API_VERSIONS if kind != "BaselineAdminNetworkPolicy")


def apart(*names: str) -> list[dict[str, Any]]:
    return [one for name in names for one in policies(name, NAMES, Surroundings())]


def wide(kind: str, *names: str) -> dict[str, list[dict[str, Any]]]:
    subject = subject_of(names, {}, ["kube-system"], names)
    return {kind: everywhere(kind, subject, policies("", NAMES, Surroundings()))}


def scope(*chosen: str, **more: Any) -> Scope:
    return Scope(frozenset(chosen), **more)


def going(found: Succession) -> list[set[str]]:
    """What goes, stage by stage: namespaces, or kinds."""
    return [
        {one.namespace or step.subject["kind"] for one in stage for step in one.lasting if step.after is None}
        for stage in found.stages
    ]


@pytest.mark.parametrize("old", WIDE)
@pytest.mark.parametrize("new", WIDE)
def test_a_change_of_kind_leaves_nothing_behind(old: str, new: str) -> None:
    found = succession(scope("shop", "data", kind=new), LISTED, apart("shop"), wide(old, "shop", "data"))
    if new == "StagedGlobalNetworkPolicy":
        assert found == Succession(), "a trial makes nothing go"
    else:
        assert going(found) == ([{old}, {"shop"}] if old != new else [{"shop"}])
        assert found.warnings == ()


def test_what_denies_goes_before_what_allows() -> None:
    found = succession(scope("shop", kind="GlobalNetworkPolicy"), LISTED, [], wide("ClusterNetworkPolicy", "shop"))
    [[one]] = found.stages
    assert [step.subject["metadata"]["name"] for step in one.steps] == ["netops-baseline", "netops-baseline-shop"]


@pytest.mark.parametrize("old", WIDE)
def test_back_to_policies_of_namespaces(old: str) -> None:
    standing = wide(old, "shop", "data")
    staged = old == "StagedGlobalNetworkPolicy"
    whole = succession(scope("shop", "data", "other", kind="NetworkPolicy"), LISTED, [], standing)
    assert (going(whole), whole.warnings) == ([] if staged else [{old}], ())
    part = succession(scope("shop", kind="NetworkPolicy"), LISTED, [], standing)
    assert going(part) == []
    assert staged or f"{old} 'netops-baseline' of an earlier run stands for data beside" in part.warnings[0]
    silent = succession(scope("shop", kind="NetworkPolicy", deselected="keep"), LISTED, [], standing)
    assert silent == Succession()
    for_all = succession(scope("shop", kind="NetworkPolicy", deselected="remove"), LISTED, [], standing)
    assert going(for_all) == ([] if staged else [{old}])


def test_one_that_does_not_say_what_it_is_for_stays_and_is_named() -> None:
    standing = wide("ClusterNetworkPolicy", "shop")
    for one in standing["ClusterNetworkPolicy"]:
        one["metadata"]["annotations"] = {"netops.kubernetes/baseline-namespaces": "{"}
    found = succession(scope("shop", kind="NetworkPolicy"), LISTED, [], standing)
    assert going(found) == []
    assert "stands for unknown namespaces beside" in found.warnings[0]


@pytest.mark.parametrize("kind", ["NetworkPolicy", "ClusterNetworkPolicy"])
def test_namespaces_that_are_not_chosen_any_more_are_named(kind: str) -> None:
    leaving = {"metadata": {"name": "leaving", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    live = apart("shop", "data", "other", "leaving")
    found = succession(scope("shop", kind=kind, excluded=frozenset({"other"})), [*LISTED, leaving], live, {})
    assert going(found) == ([] if kind == "NetworkPolicy" else [{"shop"}])
    assert "that this run is not for: data, other. They stay" in found.warnings[0]
    removing = scope("shop", kind=kind, excluded=frozenset({"other"}), deselected="remove")
    found = succession(removing, [*LISTED, leaving], live, {})
    assert going(found) == ([{"data"}] if kind == "NetworkPolicy" else [{"data", "shop"}])
    assert "that this run is not for: other. They stay" in found.warnings[0]
    found = succession(scope("shop", kind=kind, deselected="keep"), LISTED, live, {})
    assert found.warnings == ()


def test_many_namespaces_are_named_in_few_words() -> None:
    names = [f"n{number:03}" for number in range(500)]
    listed = [{"metadata": {"name": name, "labels": {}}} for name in names]
    found = succession(scope(kind="NetworkPolicy"), listed, apart(*names), {})
    assert "n009 and 490 more. They" in found.warnings[0]


def test_removal() -> None:
    standing = {**wide("GlobalNetworkPolicy", "shop", "data"), **wide("ClusterNetworkPolicy", "other")}
    live = apart("shop", "data", "other")
    everything = succession(scope(everything=True, excluded=frozenset({"other"})), LISTED, live, standing)
    assert going(everything) == [{"ClusterNetworkPolicy"}, {"GlobalNetworkPolicy"}, {"shop", "data"}]
    chosen = succession(scope("shop"), LISTED, live, standing)
    assert going(chosen) == [{"shop"}]
    assert len(chosen.warnings) == 1
    assert chosen.warnings[0].startswith("GlobalNetworkPolicy 'netops-baseline' of an earlier run stands for data")
    covered = succession(scope("shop", "data"), LISTED, live, standing)
    assert (going(covered), covered.warnings) == ([{"GlobalNetworkPolicy"}, {"data", "shop"}], ())
    whole = succession(scope("shop", whole=True), LISTED, live, standing)
    assert going(whole) == [{"ClusterNetworkPolicy"}, {"GlobalNetworkPolicy"}, {"shop"}]


def test_the_policies_of_others_stay() -> None:
    metadata = {"name": "netops-baseline", "labels": {"app.kubernetes.io/managed-by": "netops.kubernetes"}}
    theirs = {"GlobalNetworkPolicy": [{"kind": "GlobalNetworkPolicy", "metadata": metadata}]}
    own = {"metadata": {"name": "theirs", "namespace": "shop"}, "spec": {}}
    assert succession(scope(everything=True), LISTED, [own], theirs) == Succession()
