# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of policies: which namespaces, which objects, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import Step, chosen_namespaces, plan
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.difference import differences
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import network_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import DIRECTIONS, TRANSITION
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PROFILES,
    TEMPLATES,
    Surroundings,
    policies,
    transition,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

AROUND = Surroundings(
    dns_addresses=("10.96.0.10",),
    api_endpoints=(("10.96.0.1", 443), ("192.0.2.1", 6443)),
    ingress_namespaces=("ingress",),
    monitoring_namespaces=("monitoring",),
    node_addresses=("192.0.2.1", "2001:db8::1"),
    called_ports=(("shop", 8443), ("shop", "hooks")),
)


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


LISTED = [
    *(namespace(name, team="shop") for name in ("kube-system", "kube-vip", "openshift-dns", "calico-system")),
    *(namespace(name, team="shop") for name in ("shop", "cart")),
    {"metadata": {"name": "leaving", "labels": {"team": "shop"}, "deletionTimestamp": "2026-01-01T00:00:00Z"}},
]


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


def steps(live: list[Any], names: Sequence[str], custom: Sequence[Any] = (), space: str = "shop") -> list[Step]:
    wanted = policies(space, names, AROUND, custom) if names or custom else []
    return [step for one in plan(live, {space: wanted}) for step in one.steps]


def actions(changes: list[Step]) -> list[tuple[str, str]]:
    return [(step.action, step.subject["metadata"]["name"]) for step in changes]


def after(live: list[Any], changes: list[Step]) -> list[Any]:
    """The policies after some changes."""
    there = {policy["metadata"]["name"]: policy for policy in live}
    for step in changes:
        name = step.subject["metadata"]["name"]
        if step.after is None:
            del there[name]
        else:
            there[name] = step.after
    return list(there.values())


def pods() -> list[dict[str, Any]]:
    places = [("shop", "web", "10.1.0.1"), ("shop", "cart", "10.1.0.2"), ("data", "db", "10.1.1.1")]
    places += [("ingress", "proxy", "10.1.2.1"), ("monitoring", "prometheus", "10.1.3.1")]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": space, "labels": {"app": name}},
            "status": {"podIP": address},
        }
        for space, name, address in places
    ]


def changed(before: list[Any], then: list[Any]) -> set[tuple[str, ...]]:
    """What one set of policies allows and another does not, or the other way round."""
    objects = inventory(pods())
    first, last = ([network_policy(one) for one in some] for some in (before, then))
    return {
        (one.change, one.source, one.destination, *one.sources, *one.destinations, *one.ports)
        for one in differences(objects, first, last)
    }


CUSTOM = (
    {"name": "allow-mail", "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 587}]}]},
)
SETS: list[tuple[Sequence[str], Sequence[Any]]] = [
    ((), ()),
    (PROFILES["ingress-deny"], ()),
    (PROFILES["zero-trust"], ()),
    (PROFILES["zero-trust"], CUSTOM),
    (("allow-all-egress", "default-deny-ingress", "allow-nodes"), ()),
    (("default-deny-all",), ()),
]


@pytest.mark.parametrize("begin", range(len(SETS)))
@pytest.mark.parametrize("end", range(len(SETS)))
def test_killed_at_any_step_nothing_is_lost_that_both_ends_allow_nor_opened_that_neither_does(
    begin: int, end: int
) -> None:
    """Never is there a policy without the allows that belong to it."""
    old, new = (policies("shop", SETS[one][0], AROUND, SETS[one][1]) for one in (begin, end))
    changes = steps(old, *SETS[end])
    both = [*old, *(one for one in new if one["metadata"]["name"] not in {had["metadata"]["name"] for had in old})]
    bridge = transition("shop", [one["spec"] for one in (*old, *new)]) if old or new else None
    allowed = [old, new, [*both, *([bridge] if bridge else [])]]
    for count in range(len(changes) + 1):
        standing = after(old, changes[:count])
        assert any(not changed(standing, one) for one in allowed), actions(changes[:count])
        # A run that finds it so ends where it was to end.
        assert not changed(after(standing, steps(standing, *SETS[end])), new)
    final = after(old, changes)
    assert sorted(one["metadata"]["name"] for one in final) == sorted(one["metadata"]["name"] for one in new)


def test_without_the_bridge_something_would_be_lost() -> None:
    """The first policy alone isolates, and allows less than all of them."""
    new = policies("shop", PROFILES["zero-trust"], AROUND)
    assert any(one[0] == "lost" for one in changed(new, new[:1]))


def test_a_change_of_one_policy_needs_no_bridge() -> None:
    live = policies("shop", ("allow-dns", "allow-same-namespace"), AROUND)
    assert actions(steps(live, ("allow-dns", "allow-same-namespace", "allow-nodes"))) == [("created", "allow-nodes")]


def test_a_rerun_does_nothing_and_a_foreign_edit_is_repaired() -> None:
    live = policies("shop", PROFILES["zero-trust"], AROUND)
    assert steps(live, PROFILES["zero-trust"]) == []
    live[0]["spec"]["egress"] = []
    assert actions(steps(live, PROFILES["zero-trust"])) == [("changed", live[0]["metadata"]["name"])]


def test_what_a_killed_run_left_goes() -> None:
    live = policies("shop", PROFILES["zero-trust"], AROUND)
    left = transition("shop", [one["spec"] for one in live])
    assert actions(steps([*live, left], PROFILES["zero-trust"])) == [("deleted", TRANSITION)]


def test_the_policies_of_others_stay() -> None:
    foreign: dict[str, Any] = {"metadata": {"name": "theirs", "namespace": "shop"}, "spec": {}}
    assert steps([foreign], ()) == []
    foreign["metadata"] = {"name": "default-deny-ingress", "namespace": "shop"}
    with pytest.raises(PolicyError, match=r"NetworkPolicy 'shop/default-deny-ingress'.*lacks the label"):
        steps([foreign], PROFILES["ingress-deny"])


MARK = {"app.kubernetes.io/managed-by": "netops.kubernetes"}
EVERY_POD: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress"]}
# What the module ``manifest`` applies bears the collection's mark too.
APPLIED: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("allow-db", {}, EVERY_POD),
    ("allow-nodes", {"netops.kubernetes/owner": "shop"}, EVERY_POD),
    ("allow-nodes", {"app": "web"}, EVERY_POD),
    ("allow-nodes", {}, {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}),
    ("allow-nodes", {}, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
]


def applied(name: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": {**MARK, **labels}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(("name", "labels", "spec"), APPLIED)
def test_what_the_collection_applied_otherwise_is_not_the_baselines(
    name: str, labels: dict[str, str], spec: dict[str, Any]
) -> None:
    theirs = applied(name, labels, spec)
    live = [*policies("shop", ["allow-all-egress", "default-deny-ingress"], AROUND), theirs]
    assert theirs in after(live, steps(live, ["default-deny-ingress"]))
    assert after(live, steps(live, ())) == [theirs]
    custom = [{"name": name, "ingress": [{}]}] if name == "allow-db" else []
    with pytest.raises(PolicyError, match=f"NetworkPolicy 'shop/{name}': it is there and lacks the label netops.kube"):
        steps([theirs], ["allow-nodes"], custom)


def test_somebody_elses_policy_is_not_taken_for_the_bridge() -> None:
    theirs = applied(TRANSITION, {"app": "web"}, EVERY_POD)
    with pytest.raises(PolicyError, match="NetworkPolicy 'shop/baseline-transition': it is there and lacks the label"):
        steps([theirs], PROFILES["zero-trust"])


def unlabelled(policy: dict[str, Any]) -> dict[str, Any]:
    """As the baseline wrote it before it had a label of its own."""
    return {**policy, "metadata": {**policy["metadata"], "labels": dict(MARK)}}


@pytest.mark.parametrize("profile", ["ingress-deny", "zero-trust"])
def test_older_policies_of_the_baseline_are_known_and_get_its_label(profile: str) -> None:
    wanted = policies("shop", PROFILES[profile], AROUND)
    live = [unlabelled(one) for one in wanted]
    assert after(live, steps(live, ())) == []
    left = unlabelled(transition("shop", [one["spec"] for one in live]))
    assert after([*live, left], steps([*live, left], ())) == []
    then = after(live, steps(live, PROFILES[profile]))
    assert {one["metadata"]["name"]: one for one in then} == {one["metadata"]["name"]: one for one in wanted}
    assert steps(then, PROFILES[profile]) == []


def test_a_smaller_profile_removes_what_it_no_longer_has() -> None:
    live = policies("shop", PROFILES["zero-trust"], AROUND)
    (one,) = plan(live, {"shop": policies("shop", PROFILES["ingress-deny"], AROUND)})
    assert sorted(actions(one.lasting)) == [
        ("changed", "allow-same-namespace"),
        ("deleted", "allow-dns"),
        ("deleted", "allow-to-apiserver"),
        ("deleted", "default-deny-egress"),
    ]


def test_a_profile_of_ingress_leaves_egress_alone() -> None:
    """An allow that lists Egress would isolate it."""
    made = policies("shop", PROFILES["ingress-deny"], AROUND)
    assert {kind for one in made for kind in one["spec"]["policyTypes"]} == {"Ingress"}
    assert not any(one[:2] == ("lost", "shop") and one[2] != "shop" for one in changed([], made))


def test_an_allow_of_ones_own_does_not_isolate_where_its_profile_does_not() -> None:
    both = {"name": "allow-shop", "ingress": [{}], "egress": [{"ports": [{"port": 8080}]}]}

    def types(profile: str, custom: dict[str, Any]) -> list[str]:
        made = {one["metadata"]["name"]: one["spec"] for one in policies("shop", PROFILES[profile], AROUND, [custom])}
        assert ("egress" in made["allow-shop"]) == ("Egress" in made["allow-shop"]["policyTypes"])
        return list(made["allow-shop"]["policyTypes"])

    assert types("ingress-deny", both) == ["Ingress"]
    assert types("zero-trust", both) == ["Ingress", "Egress"]
    # Nothing would be left of it: whoever writes it for this profile wants it.
    assert types("ingress-deny", {"name": "allow-shop", "egress": [{}]}) == ["Egress"]


def test_dns_is_one_peer_with_both_selectors() -> None:
    (policy,) = policies("shop", ["allow-dns"], AROUND)
    first = policy["spec"]["egress"][0]["to"][0]
    assert set(first) == {"namespaceSelector", "podSelector"}
    blocks = [peer["ipBlock"]["cidr"] for peer in policy["spec"]["egress"][0]["to"][1:]]
    assert blocks == ["10.96.0.10/32", "169.254.20.10/32", "169.254.25.10/32", "169.254.169.254/32"]


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_every_template_lists_its_types(name: str) -> None:
    """A type that is not listed makes its rules inert; one that is listed without rules isolates."""
    (policy,) = policies("shop", [name], AROUND)
    spec = policy["spec"]
    for kind in ("ingress", "egress"):
        assert not spec.get(kind) or kind.capitalize() in spec["policyTypes"]
    assert spec["podSelector"] == {}
    assert tuple(spec["policyTypes"]) == DIRECTIONS[name]


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(PolicyError, match="policy 'deny': there is no such template"):
        policies("shop", ["deny"], AROUND)


def test_the_api_server_may_call_what_it_is_told_to() -> None:
    (policy,) = policies("shop", ["allow-from-apiserver"], AROUND)
    (rule,) = policy["spec"]["ingress"]
    assert [one["port"] for one in rule["ports"]] == [8443, "hooks"]
    assert {"ipBlock": {"cidr": "2001:db8::1/128"}} in rule["from"]
    assert policies("data", ["allow-from-apiserver"], AROUND) == []


def test_openshift_answers_dns_on_a_port_of_its_own() -> None:
    (policy,) = policies("shop", ["allow-dns"], Surroundings(openshift=True))
    theirs = policy["spec"]["egress"][1]
    assert {one["port"] for one in theirs["ports"]} == {5353}


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ({"name": "allow-dns", "ingress": [{}]}, "custom policy 'allow-dns': the name is taken"),
        ({"name": TRANSITION, "ingress": [{}]}, "custom policy 'baseline-transition': the name is taken"),
        ({"name": "mine"}, "custom policy 'mine': it has no rules; expected ingress or egress"),
        ({"name": "mine", "ingress": [{"to": []}]}, "spec.ingress[0] has 'to'; expected from and ports"),
        ({"name": "mine", "ingress": [{"ports": [{"port": "80"}]}]}, "is the text '80'; expected a number"),
        (
            {"name": "mine", "egress": [{"ports": [{"endPort": 9}]}]},
            "custom policy 'mine': spec.egress[0].ports[0].endPort",
        ),
        ({"name": "mine", "egress": [{"to": [{"ipBlock": {"cidr": "x"}}]}]}, "expected a network such as"),
    ],
)
def test_a_wrong_custom_policy_is_named(custom: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as error:
        policies("shop", [], AROUND, [custom])
    assert message in str(error.value)
