# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline as a cluster-wide policy: it says what the namespaced one says, as far as its kind can."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Question, audit
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import SYSTEM_NAMESPACES
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.clusterwide import cluster_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.difference import differences
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import (
    API_VERSIONS,
    Subject,
    everywhere,
    everywhere_steps,
    expression,
    networks_of,
    subject_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import network_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PROFILES,
    TEMPLATES,
    Surroundings,
    policies,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cilium_rules import refusals
from tests.support.definitions import MIRROR, published

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import Step

AROUND = Surroundings(
    dns_addresses=("10.96.0.10",),
    api_endpoints=(("192.0.2.1", 6443),),
    ingress_namespaces=("ingress",),
    monitoring_namespaces=("monitoring",),
    node_addresses=("192.0.2.1",),
    called_ports=(("", 8443),),
)
MAIL = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"]}}], "ports": [{"port": 587}]}
CUSTOM = ({"name": "allow-mail", "egress": [MAIL, {"to": [], "ports": [{"port": 9000, "endPort": 9010}]}]},)
SPACES = ("shop", "data", "ingress", "monitoring", "kube-system")
SUBJECT = subject_of([], {"team": "shop"}, SYSTEM_NAMESPACES, ["shop", "data"])
ONE = subject_of(["shop"], {}, SYSTEM_NAMESPACES, ["shop"])
KINDS = tuple(API_VERSIONS)


def made(
    kind: str, names: Sequence[str], custom: Sequence[Any] = (), subject: Subject = SUBJECT
) -> list[dict[str, Any]]:
    return everywhere(kind, subject, policies("", names, AROUND, custom))


def cluster() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, space in enumerate(SPACES):
        labels = {"team": "shop"} if space in {"shop", "data", "kube-system"} else {}
        found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}})
        app = {"k8s-app": "kube-dns"} if space == "kube-system" else {"app": "web"}
        for place in (1, 2):
            metadata = {"name": f"p{place}", "namespace": space, "labels": app}
            status = {"podIP": f"10.{number}.0.{place}"}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})
    return found


def changed(
    names: Sequence[str],
    custom: Sequence[Any] = (),
    kind: str = "ClusterNetworkPolicy",
    subject: Subject = SUBJECT,
) -> set[tuple[str, str, str]]:
    """What the cluster-wide baseline lets through that the namespaced one does not, and the other way round."""
    apart = [one for space in subject.present for one in policies(space, names, AROUND, custom)]
    found = differences(
        inventory(cluster()),
        [network_policy(one) for one in apart],
        [cluster_policy(one) for one in made(kind, names, custom, subject)],
    )
    return {(one.change, one.source, one.destination) for one in found}


@pytest.mark.parametrize("kind", ["ClusterNetworkPolicy", "AdminNetworkPolicy"])
@pytest.mark.parametrize("profile", ["ingress-deny", "zero-trust"])
def test_as_a_policy_of_the_cluster_it_differs_only_in_what_comes_from_outside(profile: str, kind: str) -> None:
    """Ingress rules of these kinds know pods alone."""
    assert changed(PROFILES[profile], CUSTOM if profile == "zero-trust" else (), kind) == {
        ("gained", "(outside)", "shop"),
        ("gained", "(outside)", "data"),
    }


@pytest.mark.parametrize("profile", ["ingress-deny", "zero-trust"])
def test_the_only_baseline_admin_network_policy_says_it_for_one_namespace(profile: str) -> None:
    custom = CUSTOM if profile == "zero-trust" else ()
    assert changed(PROFILES[profile], custom, "BaselineAdminNetworkPolicy", ONE) == {("gained", "(outside)", "shop")}
    names = [name for name in PROFILES[profile] if name != "allow-same-namespace"]
    assert changed(names, custom, "BaselineAdminNetworkPolicy") == {
        ("gained", "(outside)", "shop"),
        ("gained", "(outside)", "data"),
    }
    for several in (SUBJECT, subject_of([], {"team": "shop"}, SYSTEM_NAMESPACES, ["shop"])):
        with pytest.raises(PolicyError, match="it cannot say 'the same namespace' of several namespaces; expected one"):
            made("BaselineAdminNetworkPolicy", PROFILES[profile], (), several)


OWN: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "own", "namespace": "shop"},
    "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
}


@pytest.mark.parametrize(
    ("kind", "own_opens", "own_closes"),
    [
        ("ClusterNetworkPolicy", True, True),
        ("BaselineAdminNetworkPolicy", True, True),
        ("AdminNetworkPolicy", False, True),
    ],
)
def test_what_a_namespaces_own_policies_can_do(kind: str, own_opens: bool, own_closes: bool) -> None:
    """In the baseline tier they overrule it; before them, they cannot open what it denies and decide what it passes."""
    wide = made(kind, ["allow-same-namespace", "default-deny-ingress"], (), ONE)

    def verdict(ingress: list[dict[str, Any]], source: str) -> str:
        own = {**OWN, "spec": {**OWN["spec"], "ingress": ingress}}
        [answer] = audit([*cluster(), *wide, own], [Question(source, "shop/p1", "TCP", 80)]).answers
        return answer.verdict

    everybody: list[dict[str, Any]] = [{}]
    assert verdict(everybody, "data/p1") == ("allowed" if own_opens else "denied")
    assert verdict([], "shop/p2") == ("denied" if own_closes else "allowed")
    assert verdict(everybody, "shop/p2") == "allowed"


def test_ports_in_the_words_of_v1alpha1() -> None:
    ports: list[dict[str, Any]] = [{"port": 587}, {"port": "dns", "protocol": "UDP"}, {"protocol": "SCTP"}]
    ports.append({"port": 9000, "endPort": 9010})
    (policy,) = made("AdminNetworkPolicy", ["default-deny-egress"], [{"name": "mine", "egress": [{"ports": ports}]}])
    assert policy["spec"]["priority"] == 1000
    assert policy["spec"]["egress"][0]["action"] == "Pass"
    assert policy["spec"]["egress"][0]["ports"] == [
        {"portNumber": {"protocol": "TCP", "port": 587}},
        {"namedPort": "dns"},
        {"portRange": {"protocol": "SCTP", "start": 1, "end": 65535}},
        {"portRange": {"protocol": "TCP", "start": 9000, "end": 9010}},
    ]


def test_system_namespaces_are_not_meant() -> None:
    evaluated = [cluster_policy(one) for one in made("ClusterNetworkPolicy", ["default-deny-all"])]
    (main,) = evaluated
    selector = main.subject.namespaces
    assert selector
    chosen = [one for one in inventory(cluster()).namespaces.items() if selector.matches(one[1])]
    assert [name for name, _labels in chosen] == ["data", "shop"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_object_denies(kind: str) -> None:
    """So it takes effect at once."""
    objects = made(kind, PROFILES["zero-trust"], CUSTOM, ONE)
    name = "default" if kind == "BaselineAdminNetworkPolicy" else "netops-baseline"
    assert [one["kind"] for one in objects] == [kind] * len(objects)
    assert [one["metadata"]["name"] for one in objects if "Deny" in str(one)] in ([name], [])
    assert objects[-1]["metadata"]["name"] == name


def test_calico_says_protocol_ports_and_both_ends() -> None:
    (policy,) = made("GlobalNetworkPolicy", PROFILES["zero-trust"], CUSTOM)
    spec = policy["spec"]
    assert spec["namespaceSelector"].startswith("team == 'shop' && kubernetes.io/metadata.name not in {'calico-")
    assert spec["types"] == ["Ingress", "Egress"]
    assert {
        "action": "Allow",
        "protocol": "TCP",
        "destination": {"nets": ["198.51.100.0/24"], "notNets": ["198.51.100.128/25"], "ports": [587]},
    } in spec["egress"]
    assert {"action": "Allow", "protocol": "TCP", "destination": {"ports": ["9000:9010"]}} in spec["egress"]
    own = {"namespaceSelector": "kubernetes.io/metadata.name == 'shop'"}
    assert {"action": "Allow", "source": own, "destination": own} in spec["ingress"]
    assert {"action": "Allow", "source": {"nets": ["192.0.2.1/32"]}} in spec["ingress"]


def test_cilium_knows_nodes_and_the_api_server_by_name() -> None:
    (policy,) = made("CiliumClusterwideNetworkPolicy", PROFILES["zero-trust"], CUSTOM)
    main, *own = policy["specs"]
    assert main["enableDefaultDeny"] == {"ingress": True, "egress": True}
    assert {"fromEntities": ["host", "remote-node"]} in main["ingress"]
    assert {"toEntities": ["kube-apiserver"]} in main["egress"]
    assert len(own) == 2
    assert all(one["enableDefaultDeny"] == {"ingress": False, "egress": False} for one in own)
    ports = [{"port": "9000", "protocol": "TCP", "endPort": 9010}]
    assert {"toEntities": ["all"], "toPorts": [{"ports": ports}]} in main["egress"]


def test_cilium_denies_one_direction_alone() -> None:
    (policy,) = made("CiliumClusterwideNetworkPolicy", ["default-deny-ingress"])
    (main,) = policy["specs"]
    assert main["enableDefaultDeny"] == {"ingress": True, "egress": False}
    assert main["ingress"] == [{}]
    assert "egress" not in main


def test_ciliums_rule_of_combination() -> None:
    """What judges the policies below refuses what the agent refuses."""
    rule: dict[str, Any] = {"toEndpoints": [{}], "toCIDRSet": [{"cidr": "192.0.2.0/24"}], "toEntities": ["all"]}
    found = refusals({"spec": {"endpointSelector": {}, "egress": [rule]}})
    assert found[0] == "specs[0]: egress[0]: combining toEndpoints and toCIDRSet is not supported yet"
    assert len(found) == 3
    ports = [{"ports": [{"port": "1"}] * 41}]
    assert "too many ports" in str(refusals({"spec": {"endpointSelector": {}, "ingress": [{"toPorts": ports}]}}))
    assert refusals({"spec": {"endpointSelector": {}, "ingress": [{}]}}) == []
    assert refusals({"spec": {"endpointSelector": {}}})


@pytest.mark.parametrize("names", [*PROFILES.values(), *((name,) for name in TEMPLATES)])
@pytest.mark.parametrize("openshift", [False, True])
def test_ciliums_agent_takes_every_template(names: Sequence[str], openshift: bool) -> None:
    around = replace(AROUND, openshift=openshift)
    for made_of in (names, (*names, "default-deny-all")):
        if made_of:
            objects = everywhere("CiliumClusterwideNetworkPolicy", SUBJECT, policies("", made_of, around, CUSTOM))
            assert [text for one in objects for text in refusals(one)] == []


PEERS: tuple[dict[str, Any], ...] = (
    {"namespaceSelector": {}},
    {"namespaceSelector": {"matchLabels": {"team": "shop"}}, "podSelector": {"matchLabels": {"app": "web"}}},
    {"namespaceSelector": {"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}},
    {"ipBlock": {"cidr": "192.0.2.0/24"}},
    {"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}},
)
ENTRIES: tuple[dict[str, Any], ...] = (
    {"port": 80},
    {"port": 9000, "endPort": 9010},
    {"port": "dns", "protocol": "UDP"},
    {"protocol": "SCTP"},
)


def some(chance: random.Random) -> list[dict[str, Any]]:
    """Custom policies of any peers and ports."""
    found: list[dict[str, Any]] = []
    for number in range(chance.randint(1, 3)):
        one: dict[str, Any] = {"name": f"c{number}"}
        for direction, side in chance.sample((("ingress", "from"), ("egress", "to")), chance.randint(1, 2)):
            one[direction] = [
                {
                    **({side: chance.choices(PEERS, k=chance.randint(0, 4))} if chance.random() < 0.9 else {}),
                    **(
                        {"ports": chance.choices(ENTRIES, k=chance.choice((0, 1, 3, 60)))}
                        if chance.random() < 0.7
                        else {}
                    ),
                }
                for _number in range(chance.randint(0, 3))
            ]
        found.append(one)
    return found


@given(chance=st.randoms())
def test_ciliums_agent_takes_any_custom_policy_and_reads_what_was_written(chance: random.Random) -> None:
    custom = some(chance)
    (policy,) = made("CiliumClusterwideNetworkPolicy", ["default-deny-all"], custom)
    assert refusals(policy) == []
    for direction, side in (("ingress", "from"), ("egress", "to")):
        wanted: set[str] = set()
        for rule in (rule for one in custom for rule in one.get(direction) or []):
            entries = [port_of(port) for port in rule.get("ports") or [{}]]
            wanted |= {f"{kind_of(peer)} {entry}" for peer in rule.get(side) or [{}] for entry in entries}
        assert said(policy["specs"][0][direction], side) == wanted


def kind_of(peer: dict[str, Any]) -> str:
    """A peer of a NetworkPolicy, to compare."""
    if "ipBlock" in peer:
        return f"{peer['ipBlock']['cidr']} {peer['ipBlock'].get('except') or []}"
    if not peer:
        return "all"
    return str(PEERS.index(peer))


def port_of(port: dict[str, Any]) -> str:
    return f"{port.get('protocol', 'TCP')} {port.get('port', 0)} {port.get('endPort', '')}" if port else "any"


def said(rules: list[dict[str, Any]], side: str) -> set[str]:
    """Peers and ports of Cilium's rules, to compare."""
    space = "k8s:io.cilium.k8s.namespace.labels."
    endpoints = [
        {},
        {"matchLabels": {f"{space}team": "shop", "k8s:app": "web"}},
        {"matchExpressions": [{"key": f"{space}zone", "operator": "DoesNotExist"}]},
    ]
    found: set[str] = set()
    for rule in rules:
        peers = [str(endpoints.index(one)) for one in rule.get(f"{side}Endpoints") or []]
        peers += [f"{one['cidr']} {one.get('except') or []}" for one in rule.get(f"{side}CIDRSet") or []]
        peers += rule.get(f"{side}Entities") or []
        ports = [port_of(one) for entry in rule.get("toPorts") or [{"ports": [{}]}] for one in entry["ports"]]
        found |= {f"{peer} {port}" for peer in peers for port in ports}
    return found


@pytest.mark.parametrize("version", ["v3.31.7", "v3.32.1"])
@pytest.mark.parametrize("kind", ["GlobalNetworkPolicy", "StagedGlobalNetworkPolicy"])
def test_calicos_own_schema_knows_every_field(kind: str, version: str) -> None:
    [definition] = published(MIRROR / "calico" / version / "operator-crds.yaml", [kind])
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    (policy,) = made(kind, PROFILES["zero-trust"], CUSTOM)
    unknown = list(fields_unknown_to(schema["properties"]["spec"], policy["spec"], "spec"))
    assert unknown == []


def fields_unknown_to(schema: dict[str, Any], value: Any, path: str) -> list[str]:
    if isinstance(value, dict) and "properties" in schema:
        found = [f"{path}.{key}" for key in value if key not in schema["properties"]]
        for key in value.keys() & schema["properties"].keys():
            found += fields_unknown_to(schema["properties"][key], value[key], f"{path}.{key}")
        return found
    if isinstance(value, list) and "items" in schema:
        return [one for item in value for one in fields_unknown_to(schema["items"], item, f"{path}[]")]
    return []


# ---- order -----------------------------------------------------------------------------------------------------------


def names_of(steps: Sequence[Step]) -> list[tuple[str, str]]:
    return [(step.action, step.subject["metadata"]["name"]) for step in steps]


def test_what_accepts_comes_first_and_goes_last() -> None:
    wanted = made("ClusterNetworkPolicy", PROFILES["zero-trust"])
    come = names_of(everywhere_steps([], wanted))
    assert come == [
        ("created", "netops-baseline-shop"),
        ("created", "netops-baseline-data"),
        ("created", "netops-baseline"),
    ]
    assert names_of(everywhere_steps(wanted, []))[0] == ("deleted", "netops-baseline")
    gone = names_of(everywhere_steps(wanted, wanted[1:]))
    assert ("deleted", "netops-baseline-shop") in gone


def test_the_policies_of_others_stay() -> None:
    labels = {"app.kubernetes.io/managed-by": "netops.kubernetes"}
    foreign = {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy"}
    other = {**foreign, "metadata": {"name": "theirs", "labels": labels}}
    assert everywhere_steps([other], []) == []
    for marks in ({}, labels):
        taken = {**foreign, "metadata": {"name": "netops-baseline", "labels": marks}}
        assert everywhere_steps([taken], []) == []
        with pytest.raises(
            PolicyError, match="ClusterNetworkPolicy 'netops-baseline': it is there and lacks the label"
        ):
            everywhere_steps([taken], made("ClusterNetworkPolicy", ["default-deny-all"]))


def test_the_only_baseline_is_not_ours_by_the_collections_mark() -> None:
    """The module ``manifest`` puts it on whatever it applies."""
    labels = {"app.kubernetes.io/managed-by": "netops.kubernetes"}
    theirs: dict[str, Any] = {"kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default", "labels": labels}}
    assert everywhere_steps([theirs], []) == []
    with pytest.raises(PolicyError, match="BaselineAdminNetworkPolicy 'default': it is there and lacks the label"):
        everywhere_steps([theirs], made("BaselineAdminNetworkPolicy", ["default-deny-all"]))


# ---- what cannot be said ---------------------------------------------------------------------------------------------


def test_namespaces_by_name_or_by_label() -> None:
    named = subject_of(["shop"], {}, [], ["shop"]).selector
    assert named == {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]}
    with pytest.raises(PolicyError, match="namespaces and namespace_selector are both given; expected one of them"):
        subject_of(["shop"], {"team": "shop"}, [], [])
    with pytest.raises(PolicyError, match="cluster-wide baseline: no namespace is chosen; expected one of them"):
        subject_of([], {}, [], [])


def test_pods_of_the_own_namespace_cannot_be_said() -> None:
    custom = ({"name": "mine", "ingress": [{"from": [{"podSelector": {}}]}]},)
    with pytest.raises(PolicyError, match="policy 'mine': a peer means pods of the policy's own namespace"):
        made("GlobalNetworkPolicy", ["default-deny-all"], custom)


def test_a_policy_has_room_for_so_many_rules() -> None:
    custom = [{"name": f"c{number}", "egress": [MAIL]} for number in range(26)]
    with pytest.raises(PolicyError, match="it has 27 rules of egress; expected at most 25"):
        made("ClusterNetworkPolicy", ["default-deny-egress"], custom)


def test_a_block_without_its_exceptions() -> None:
    assert networks_of({"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}) == ["192.0.2.0/25"]
    assert networks_of({"cidr": "192.0.2.0/24", "except": ["192.0.2.0/24"]}) == []
    assert networks_of({"cidr": "192.0.2.0/24", "except": ["2001:db8::/32"]}) == ["192.0.2.0/24"]
    with pytest.raises(PolicyError, match=r"block 0.0.0.0/0: without its exceptions it is 32 networks; expected"):
        networks_of({"cidr": "0.0.0.0/0", "except": ["192.0.2.1/32"]})


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, "all()"),
        ({"matchLabels": {"a": "b", "c": ""}}, "a == 'b' && c == ''"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, "a in {'b', 'c'}"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, "a not in {'b'}"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "has(a)"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!has(a)"),
    ],
)
def test_a_selector_in_calicos_language(selector: dict[str, Any], text: str) -> None:
    assert expression(selector) == text
