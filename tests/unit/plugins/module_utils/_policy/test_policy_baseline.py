# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of policies: which namespaces, which objects, in which order."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import chosen_namespaces, steps
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PROFILES,
    TEMPLATES,
    PolicyError,
    Surroundings,
    policies,
)

AROUND = Surroundings(
    dns_addresses=("10.96.0.10",),
    api_endpoints=(("10.96.0.1", 443), ("192.0.2.1", 6443)),
    ingress_namespaces=("ingress",),
    monitoring_namespaces=("monitoring",),
    node_addresses=("192.0.2.1", "2001:db8::1"),
)


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


LISTED = [namespace("kube-system", team="shop"), namespace("shop", team="shop"), namespace("cart", team="shop")]


@pytest.mark.parametrize(
    ("names", "selector", "excluded", "chosen"),
    [
        ([], {}, [], []),
        (["shop"], {}, [], ["shop"]),
        ([], {"team": "shop"}, [], ["cart", "shop"]),
        ([], {"team": "shop"}, ["cart"], ["shop"]),
        (["kube-system"], {"team": "shop"}, [], ["cart", "kube-system", "shop"]),
        ([], {"team": "other"}, [], []),
    ],
)
def test_which_namespaces(names: list[str], selector: dict[str, str], excluded: list[str], chosen: list[str]) -> None:
    assert chosen_namespaces(LISTED, names, selector, excluded) == chosen


def test_a_namespace_that_is_not_there_is_named() -> None:
    with pytest.raises(PolicyError, match="namespace 'shopp': it is not there"):
        chosen_namespaces(LISTED, ["shopp"], {}, [])


def actions(changes: list[Any]) -> list[tuple[str, str]]:
    return [(step.action, step.subject["metadata"]["name"]) for step in changes]


def test_allows_come_before_denies_and_go_after_them() -> None:
    names = PROFILES["zero-trust"]
    come = actions(steps([], ["shop"], names, AROUND, present=True))
    assert [name for _action, name in come[-2:]] == ["default-deny-ingress", "default-deny-egress"]
    assert {action for action, _name in come} == {"created"}
    live = policies("shop", names, AROUND)
    go = actions(steps(live, ["shop"], names, AROUND, present=False))
    assert [name for _action, name in go[:2]] == ["default-deny-ingress", "default-deny-egress"]
    assert {action for action, _name in go} == {"deleted"}


def test_a_rerun_does_nothing_and_a_foreign_edit_is_repaired() -> None:
    live = policies("shop", PROFILES["zero-trust"], AROUND)
    assert steps(live, ["shop"], PROFILES["zero-trust"], AROUND, present=True) == []
    live[0]["spec"]["egress"] = []
    assert len(steps(live, ["shop"], PROFILES["zero-trust"], AROUND, present=True)) == 1


def test_the_policies_of_others_stay() -> None:
    foreign = {"metadata": {"name": "theirs", "namespace": "shop"}, "spec": {}}
    assert steps([foreign], ["shop"], (), AROUND, present=False) == []
    foreign["metadata"] = {"name": "default-deny-ingress", "namespace": "shop"}
    with pytest.raises(PolicyError, match=r"NetworkPolicy 'shop/default-deny-ingress'.*lacks the label"):
        steps([foreign], ["shop"], PROFILES["ingress-deny"], AROUND, present=True)


def test_a_smaller_profile_removes_what_it_no_longer_has() -> None:
    live = policies("shop", PROFILES["zero-trust"], AROUND)
    changes = actions(steps(live, ["shop"], PROFILES["ingress-deny"], AROUND, present=True))
    assert changes == [
        ("deleted", "default-deny-egress"),
        ("deleted", "allow-dns"),
        ("deleted", "allow-to-apiserver"),
    ]


def test_dns_is_one_peer_with_both_selectors() -> None:
    (policy,) = policies("shop", ["allow-dns"], AROUND)
    first = policy["spec"]["egress"][0]["to"][0]
    assert set(first) == {"namespaceSelector", "podSelector"}
    blocks = [peer["ipBlock"]["cidr"] for peer in policy["spec"]["egress"][0]["to"][1:]]
    assert blocks == ["10.96.0.10/32", "169.254.20.10/32", "169.254.25.10/32", "169.254.169.254/32"]


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_every_template_lists_its_types(name: str) -> None:
    """A type that is not listed makes its rules inert; one that is listed without rules isolates."""
    (policy,) = policies("shop", [name], Surroundings())
    spec = policy["spec"]
    for kind in ("ingress", "egress"):
        assert not spec.get(kind) or kind.capitalize() in spec["policyTypes"]
    assert spec["podSelector"] == {}


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(PolicyError, match="policy 'deny': there is no such template"):
        policies("shop", ["deny"], AROUND)
