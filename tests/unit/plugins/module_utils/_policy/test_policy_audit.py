# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits: what the checks find and leave alone, what a change does, and the forms of a report."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._policy import report as reports
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Question, Report, audit, breach
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit_task import run_audit
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import CHECKS, SEVERITIES
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.page import page

CLUSTER = """
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: data, labels: {team: data}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop, labels: {app: web}}
  spec: {containers: [{ports: [{name: http, containerPort: 80}]}]}
  status: {podIPs: [{ip: 10.1.0.1}]}
- {apiVersion: v1, kind: Pod, metadata: {name: cart, namespace: shop, labels: {app: cart}}, status: {podIP: 10.1.0.2}}
- {apiVersion: v1, kind: Pod, metadata: {name: db, namespace: data, labels: {app: db}}, status: {podIP: 10.1.1.1}}
- apiVersion: v1
  kind: Pod
  metadata: {name: agent, namespace: data, labels: {app: agent}}
  spec: {hostNetwork: true, nodeName: n1, containers: []}
  status: {podIP: 192.0.2.11}
- apiVersion: v1
  kind: Pod
  metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
  status: {podIP: 10.1.2.1}
- apiVersion: v1
  kind: Service
  metadata: {name: kubernetes, namespace: default}
  spec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}
  endpoints: [{addresses: [192.0.2.1]}]
  ports: [{port: 6443}]
"""
DENY = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}


def cluster() -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = yaml.safe_load(CLUSTER)
    return objects


def policy(spec: Any, name: str = "one", namespace: str = "shop") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def wide(spec: Any, name: str = "one") -> dict[str, Any]:
    kind, version = "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2"
    whole = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": whole}


def to(*peers: Any, **rest: Any) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": list(peers), **rest}]}


def source(*peers: Any, **rest: Any) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": list(peers), **rest}]}


SHOP_WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
ALL_PODS: dict[str, Any] = {"namespaceSelector": {}}

# The check, policies that it finds, what the text says, and policies that come near and that it leaves alone.
CASES: list[tuple[str, list[Any], str, list[Any]]] = [
    (
        "missing-types",
        [policy({"podSelector": {}, "egress": [{}]})],
        "guessed from its rules",
        [policy({"podSelector": {}})],
    ),
    ("missing-types", [policy({"podSelector": {}, "egress": []})], "nothing that goes out is isolated", [policy(DENY)]),
    ("inert-rules", [policy({**DENY, "egress": [{}]})], "does not list Egress", [policy({**DENY, "egress": []})]),
    (
        "end-port",
        [policy(source(ports=[{"protocol": "TCP", "endPort": 90}]))],
        "needs a port",
        [policy(source(ports=[{"port": 80, "endPort": 80}]))],
    ),
    (
        "end-port",
        [policy(source(ports=[{"port": "http", "endPort": 90}]))],
        "by number",
        [policy(source(ports=[{"port": "http"}]))],
    ),
    ("end-port", [policy(source(ports=[{"port": 90, "endPort": 80}]))], "endPort 80 is below port 90", []),
    (
        "except-outside",
        [policy(source({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["198.51.100.0/24"]}}))],
        "198.51.100.0/24 is not within 192.0.2.0/24",
        [policy(source({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}}))],
    ),
    (
        "except-outside",
        [policy(source({"ipBlock": {"cidr": "2001:db8::/32", "except": ["192.0.2.0/24"]}}))],
        "192.0.2.0/24 is not within 2001:db8::/32",
        [policy(source({"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}}))],
    ),
    (
        "unknown-field",
        [wide({"ingress": [{"action": "Deny", "from": [{"planets": {}}]}]})],
        "the rule denies everything",
        [wide({"ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]})],
    ),
    (
        "selects-nothing",
        [policy({**DENY, "podSelector": {"matchLabels": {"role": "none"}}})],
        "no pod is one of the pods (role=none) of namespace shop",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "web"}}})],
    ),
    (
        "peer-selects-nothing",
        [policy(source({"namespaceSelector": {"matchLabels": {"zone": "moon"}}}))],
        "nobody is one of the pods (all) of namespaces (zone=moon)",
        [policy(source({"namespaceSelector": {"matchLabels": {"team": "data"}}}))],
    ),
    (
        "selector-typo",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "wbe"}}})],
        "app=wbe is borne by nobody; app=web is",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "cart"}}})],
    ),
    (
        "selector-typo",
        [policy(source({"namespaceSelector": {"matchLabels": {"teams": "data"}}}))],
        "teams=data is borne by nobody; team=data is",
        [policy(source({"namespaceSelector": {"matchExpressions": [{"key": "teams", "operator": "DoesNotExist"}]}}))],
    ),
    (
        "peers-joined",
        [
            policy(
                source(
                    {"namespaceSelector": {"matchLabels": {"team": "data"}}},
                    {"podSelector": {"matchLabels": {"app": "db"}}},
                )
            )
        ],
        "in one item, such pods of those namespaces",
        [
            policy(
                source(
                    {
                        "namespaceSelector": {"matchLabels": {"team": "data"}},
                        "podSelector": {"matchLabels": {"app": "db"}},
                    }
                )
            ),
            policy(source({"namespaceSelector": {"matchLabels": {"team": "data"}}}, SHOP_WEB), "two"),
        ],
    ),
    (
        "unresolved-port",
        [policy(source(ports=[{"port": "metrics"}]))],
        "no destination calls a port of TCP 'metrics'",
        [policy(source(ports=[{"port": "http"}]))],
    ),
    (
        "unresolved-port",
        [policy(source(ports=[{"protocol": "UDP", "port": "http"}]))],
        "of UDP 'http'",
        [policy(to(SHOP_WEB, ports=[{"port": "http"}]))],
    ),
    (
        "shadowed-rule",
        [policy({**DENY, "ingress": [{"from": [{"podSelector": {}}]}, {"from": [SHOP_WEB], "ports": [{"port": 80}]}]})],
        "other rules of the policy allow",
        [
            policy(
                {
                    **DENY,
                    "ingress": [
                        {"from": [SHOP_WEB], "ports": [{"port": 80}]},
                        {"from": [SHOP_WEB], "ports": [{"port": 81}]},
                    ],
                }
            )
        ],
    ),
    (
        "shadowed-rule",
        [
            wide(
                {
                    "ingress": [
                        {"action": "Deny", "from": [{"namespaces": {}}]},
                        {"action": "Accept", "from": [{"namespaces": {}}]},
                    ]
                }
            )
        ],
        "decide before it",
        [
            wide(
                {
                    "ingress": [
                        {"action": "Accept", "from": [{"namespaces": {"matchLabels": {"team": "data"}}}]},
                        {"action": "Deny", "from": [{"namespaces": {}}]},
                    ]
                }
            )
        ],
    ),
    (
        "redundant-policy",
        [policy(source(SHOP_WEB)), policy(source({"podSelector": {}}), "two")],
        "NetworkPolicy 'shop/two' select the same pods",
        [policy(source(SHOP_WEB)), policy(source(ALL_PODS, ports=[{"port": 80}]), "two"), policy(DENY, "three")],
    ),
    (
        "same-priority",
        [
            wide({"ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}),
            wide({"ingress": [{"action": "Accept", "from": [{"namespaces": {}}]}]}, "two"),
        ],
        "which one counts is not defined",
        [
            wide({"ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}),
            wide({"priority": 2, "ingress": [{"action": "Accept", "from": [{"namespaces": {}}]}]}, "two"),
            wide({"ingress": [{"action": "Deny", "from": [{"namespaces": {}}], "protocols": [{"tcp": {}}]}]}, "three"),
        ],
    ),
    (
        "host-network",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "agent"}}}, namespace="data")],
        "data/agent, which are on their node's network",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "db"}}}, namespace="data")],
    ),
    (
        "block-of-pods",
        [policy(source({"ipBlock": {"cidr": "10.1.1.0/24"}}))],
        "10.1.1.0/24 holds data/db",
        [policy(source({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}))],
    ),
    (
        "dns-forgotten",
        [policy(to({"podSelector": {}}))],
        "reach no DNS; isolated by NetworkPolicy 'shop/one'",
        [policy(to(ALL_PODS, ports=[{"protocol": "UDP", "port": 53}]))],
    ),
    (
        "open-admin-port",
        [policy(source({"ipBlock": {"cidr": "0.0.0.0/0"}}, ports=[{"port": 22}]))],
        "TCP 22 (SSH) is open to 0.0.0.0/0",
        [policy(source({"ipBlock": {"cidr": "198.51.100.0/24"}}, ports=[{"port": 22}]))],
    ),
    (
        "open-admin-port",
        [policy(source(ports=[{"port": 5000, "endPort": 6000}]))],
        "TCP 5432 (PostgreSQL) is open to everybody",
        [policy(source(ports=[{"port": 80}]))],
    ),
    (
        "open-admin-port",
        [policy(source({"ipBlock": {"cidr": "::/0"}}))],
        "every port is open to ::/0",
        [policy(source({"ipBlock": {"cidr": "0.0.0.0/0"}}, ports=[{"port": 443}]))],
    ),
    (
        "stale-api-server",
        [policy(to({"ipBlock": {"cidr": "192.0.2.9/32"}}, ports=[{"port": 6443}]))],
        "192.0.2.9 is not the API server's; it is at 10.96.0.1, 192.0.2.1",
        [
            policy(
                to({"ipBlock": {"cidr": "192.0.2.1/32"}}, {"ipBlock": {"cidr": "10.96.0.1/32"}}, ports=[{"port": 6443}])
            )
        ],
    ),
    (
        "open-namespace",
        [policy(DENY)],
        "each of its 1 pods is open to everybody",
        [policy(DENY), policy(DENY, namespace="data")],
    ),
    (
        "open-pods",
        [policy({**DENY, "podSelector": {"matchLabels": {"app": "web"}}})],
        "1 of 2 pods are open to everybody: shop/cart",
        [policy(DENY)],
    ),
    (
        "open-egress",
        [policy(DENY)],
        "2 of 2 pods may connect to everything",
        [policy(to()), policy({**to(), "egress": []}, namespace="data")],
    ),
    (
        "not-evaluated",
        [{"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "x", "namespace": "shop"}}],
        "it may allow or deny",
        [{"apiVersion": "projectcalico.org/v3", "kind": "StagedGlobalNetworkPolicy", "metadata": {"name": "x"}}],
    ),
]


def found(name: str, objects: list[Any]) -> list[str]:
    return [one.text for one in audit([*cluster(), *objects]).findings if one.check.name == name]


@pytest.mark.parametrize(
    ("name", "objects", "text", "harmless"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_check(name: str, objects: list[Any], text: str, harmless: list[Any]) -> None:
    assert any(text in one for one in found(name, objects)), found(name, objects)
    if name == "open-egress":
        harmless = [policy({**to(), "egress": []}, namespace=space) for space in ("shop", "data")]
    assert not found(name, harmless)


# ---- both families of addresses --------------------------------------------------------------------------------------

SIX = {"10.1.0.1": "fd00:1::1", "10.1.0.2": "fd00:1::2", "10.1.1.1": "fd00:1:0:1::1", "10.1.2.1": "fd00:1:0:2::1"}
V4: dict[str, Any] = {"ipBlock": {"cidr": "192.0.2.0/24"}}
V6: dict[str, Any] = {"ipBlock": {"cidr": "2001:db8::/32"}}
NARROW6: dict[str, Any] = {"ipBlock": {"cidr": "2001:db8:1::/48"}}


def dual(*only: str) -> list[dict[str, Any]]:
    """The cluster with addresses of both families, but for the pods that have IPv6 alone."""
    objects = cluster()
    for one in objects:
        status = one.get("status") or {}
        first = status.get("podIP") or (status.get("podIPs") or [{}])[0].get("ip")
        if first in SIX:
            kept = [] if one["metadata"]["name"] in only else [{"ip": first}]
            one["status"] = {"podIPs": [*kept, {"ip": SIX[first]}]}
    return objects


def checks(objects: list[Any]) -> set[tuple[str, str]]:
    """What the checks of rules and selectors find: check and object."""
    found = audit(objects).findings
    return {(one.check.name, one.subject) for one in found if one.check.id.startswith("NP2")}


def test_a_policy_of_one_family_is_not_said_to_add_nothing() -> None:
    one = "NetworkPolicy 'shop/one'"
    wide = policy(source(V4), "wide")
    assert ("redundant-policy", one) not in checks([*dual(), wide, policy(source(V6))])
    assert ("redundant-policy", one) not in checks([*dual(), wide, policy(source(V4, V6))])
    assert ("redundant-policy", one) not in checks([*cluster(), wide, policy(source(V6))])
    assert ("redundant-policy", one) in checks([*dual(), policy(source(V4, V6), "wide"), policy(source(NARROW6))])


def test_a_rule_of_one_family_is_not_said_to_add_nothing() -> None:
    one = ("shadowed-rule", "NetworkPolicy 'shop/one'")

    def rules(*peers: list[Any]) -> dict[str, Any]:
        return policy({**DENY, "ingress": [{"from": some} for some in peers]})

    assert one not in checks([*dual(), rules([V4, ALL_PODS], [ALL_PODS, V6])])
    assert one not in checks([*dual(), rules([V4], [V6])])
    assert one in checks([*dual(), rules([V6], [NARROW6])])
    assert one in checks([*dual(), rules([V4, V6], [NARROW6, V4])])


def test_pods_of_one_family_are_selected() -> None:
    objects = [*dual("web"), policy(source({**SHOP_WEB})), policy({**DENY, **SHOP_WEB}, "two")]
    assert not {one for one in checks(objects) if one[0] in {"selects-nothing", "peer-selects-nothing"}}
    named = policy({**source(ports=[{"port": "http"}]), **SHOP_WEB})
    assert ("unresolved-port", "NetworkPolicy 'shop/one'") not in checks([*dual("web"), named])
    lacking = policy({**source(ports=[{"port": "https"}]), **SHOP_WEB})
    assert ("unresolved-port", "NetworkPolicy 'shop/one'") in checks([*dual("web"), lacking])


def test_policies_that_disagree_in_one_family_disagree() -> None:
    rules = [{"action": action, "to": [{"networks": ["2001:db8::/32"]}]} for action in ("Accept", "Deny")]
    some = [wide({"egress": [rule]}, name) for name, rule in zip(("one", "two"), rules)]
    assert ("same-priority", "ClusterNetworkPolicy 'one'") in checks([*dual(), *some])


OPEN6: dict[str, Any] = {"ipBlock": {"cidr": "::/0"}}
OPEN4: dict[str, Any] = {"ipBlock": {"cidr": "0.0.0.0/0"}}


def test_a_hole_in_one_family_is_no_coverage() -> None:
    """Everybody has an address of IPv6 here, so the block lets everybody in over it, and nobody over IPv4."""
    report = audit([*dual(), policy(source(OPEN6))])
    [shop] = [one for one in report.coverage if one.namespace == "shop"]
    assert (shop.pods, shop.ingress, shop.open_ingress) == (2, 0, ("shop/web", "shop/cart"))
    assert shop.open_over == {"shop/web": 6, "shop/cart": 6}
    [text] = [one.text for one in report.findings if one.subject == "Namespace 'shop'" and one.check.id == "NP304"]
    assert text.endswith("is open to everybody in some family of addresses: shop/web over IPv6, shop/cart over IPv6")
    report = audit([*dual(), policy({**source(OPEN6), **SHOP_WEB}), policy(DENY, "two")])
    [text] = [one.text for one in report.findings if one.subject == "Namespace 'shop'" and one.check.id == "NP305"]
    assert text == "1 of 2 pods are open to everybody: shop/web over IPv6"
    [shop] = [one for one in audit([*dual(), policy(to(OPEN6))]).coverage if one.namespace == "shop"]
    assert shop.egress == 0


def test_pods_of_one_family_are_covered() -> None:
    rows = {one.namespace: one for one in audit([*dual("web"), policy(DENY)]).coverage}
    assert (rows["shop"].pods, rows["shop"].ingress, rows["shop"].open_over) == (2, 2, {})
    rows = {one.namespace: one for one in audit([*dual("web"), policy({**source(OPEN6), **SHOP_WEB})]).coverage}
    assert set(rows["shop"].open_ingress) == {"shop/web", "shop/cart"}
    assert rows["shop"].open_over == {}


def dns_service(*addresses: str) -> dict[str, Any]:
    spec = {"clusterIP": addresses[0], "clusterIPs": list(addresses), "ports": [{"port": 53, "protocol": "UDP"}]}
    metadata = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("peer", "addresses", "forgotten"),
    [
        (OPEN4, ("10.96.0.10",), False),
        (OPEN6, ("10.96.0.10",), True),
        (OPEN6, ("10.96.0.10", "fd00:96::a"), False),
        (OPEN4, ("fd00:96::a",), True),
        (OPEN6, (), False),
    ],
)
def test_dns_is_needed_in_a_family_in_which_it_is_served(
    peer: dict[str, Any], addresses: tuple[str, ...], forgotten: bool
) -> None:
    served = [dns_service(*addresses)] if addresses else []
    report = audit([*dual(), *served, policy(to(peer))])
    assert any(one.check.name == "dns-forgotten" for one in report.findings) == forgotten


def test_pods_of_ipv6_alone_need_dns_too() -> None:
    objects = [*dual("web", "dns"), policy({**to(), **SHOP_WEB, "egress": []})]
    [text] = [one.text for one in audit(objects).findings if one.check.name == "dns-forgotten"]
    assert text.startswith("shop/web reach no DNS; isolated by NetworkPolicy 'shop/one'")


def test_the_matrix_says_where_families_differ() -> None:
    report = audit([*dual(), policy(source(OPEN6))])
    told = [(one.source, one.destination, one.reach, one.family) for one in report.matrix.differing]
    assert ("data", "shop", "all", 6) in told
    assert all(destination == "shop" for _source, destination, _reach, _family in told)
    assert reach(report)["data", "shop"] == "none"
    assert "Namespaces where families differ" in reports.text(report)
    assert "IPv6" in page(report)
    assert report.to_output()["matrix"]["differing"]
    assert audit([*dual(), policy(DENY)]).matrix.differing == ()


def test_the_matrix_knows_namespaces_of_one_family() -> None:
    seen = reach(audit([*dual("dns"), policy(DENY)]))
    assert seen["data", "kube-system"] == "all"
    assert seen["kube-system", "shop"] == "none"
    seen = reach(audit([*dual("dns"), policy(DENY, namespace="kube-system")]))
    assert seen["shop", "kube-system"] == "none"
    # What it has of IPv4 is a pod on its node's network.
    report = audit([*dual("db"), policy(DENY, namespace="data")])
    told = [(one.source, one.destination, one.reach) for one in report.matrix.differing]
    assert ("shop", "data", "none") in told


def test_every_check_has_a_case() -> None:
    by_change = {"newly-allowed", "no-longer-allowed"}
    assert {case[0] for case in CASES} | by_change == set(CHECKS)
    assert len({one.id for one in CHECKS.values()}) == len(CHECKS)
    assert all(one.severity in SEVERITIES and one.remedy and one.title for one in CHECKS.values())


def test_ids_stay() -> None:
    """People put ids into their pipelines."""
    assert {one.id: one.name for one in CHECKS.values()} == {
        "NP101": "missing-types",
        "NP102": "inert-rules",
        "NP103": "end-port",
        "NP104": "except-outside",
        "NP105": "unknown-field",
        "NP201": "selects-nothing",
        "NP202": "peer-selects-nothing",
        "NP203": "selector-typo",
        "NP204": "peers-joined",
        "NP205": "unresolved-port",
        "NP206": "shadowed-rule",
        "NP207": "redundant-policy",
        "NP208": "same-priority",
        "NP209": "host-network",
        "NP210": "block-of-pods",
        "NP211": "not-evaluated",
        "NP301": "dns-forgotten",
        "NP302": "open-admin-port",
        "NP303": "stale-api-server",
        "NP304": "open-namespace",
        "NP305": "open-pods",
        "NP306": "open-egress",
        "NP401": "newly-allowed",
        "NP402": "no-longer-allowed",
    }


# ---- changes ---------------------------------------------------------------------------------------------------------


def changes(before: list[Any], after: list[Any]) -> set[tuple[str, str, str, tuple[str, ...]]]:
    report = audit([*cluster(), *after], before=[*cluster(), *before])
    return {(one.change, one.source, one.destination, one.ports) for one in report.differences}


def test_a_change_is_told_by_what_it_connects() -> None:
    closed = [policy(DENY)]
    opened = [
        policy(DENY),
        policy(source({"namespaceSelector": {"matchLabels": {"team": "data"}}}, ports=[{"port": 80}]), "two"),
    ]
    assert changes(closed, opened) == {("gained", "data", "shop", ("TCP 80",))}
    assert changes(opened, closed) == {("lost", "data", "shop", ("TCP 80",))}


def test_what_says_the_same_in_other_words_is_no_change() -> None:
    exact = [policy(source({"podSelector": {"matchLabels": {"app": "web"}}}))]
    other = [
        policy(
            source({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}), "two"
        )
    ]
    assert changes(exact, other) == set()


def test_a_new_way_in_from_outside_is_an_error() -> None:
    report = audit(cluster(), before=[*cluster(), policy(DENY)])
    severities = {one.subject: one.severity for one in report.findings if one.check.name == "newly-allowed"}
    assert severities["(outside) > shop"] == "error"
    assert severities["data > shop"] == "warning"


# ---- overview --------------------------------------------------------------------------------------------------------


def reach(report: Report) -> dict[tuple[str, str], str]:
    known = {(one.source, one.destination): one.reach for one in report.matrix.cells}
    names = report.matrix.namespaces
    return {(one, other): known.get((one, other), report.matrix.usual) for one in names for other in names}


def test_matrix_of_namespaces() -> None:
    seen = reach(audit([*cluster(), policy(source({"podSelector": {}}))]))
    assert seen["shop", "shop"] == "all"
    assert seen["data", "shop"] == "none"
    assert seen["shop", "data"] == "all"
    seen = reach(audit([*cluster(), policy(source(ALL_PODS, ports=[{"port": 80}]))]))
    assert seen["kube-system", "shop"] == "some"


def test_a_pod_alone_reaches_nobody_of_its_own() -> None:
    """What a pod reaches of itself is no reach between pods, and no lack of one."""
    assert reach(audit([*cluster(), policy(DENY, namespace="kube-system")]))["kube-system", "kube-system"] == "all"


def test_coverage_counts_pods() -> None:
    rows = {
        one.namespace: one
        for one in audit([*cluster(), policy({**DENY, "podSelector": {"matchLabels": {"app": "web"}}})]).coverage
    }
    assert (rows["shop"].pods, rows["shop"].ingress, rows["shop"].egress) == (2, 1, 0)
    assert (rows["data"].pods, rows["data"].host_network) == (1, 1)


def test_exposure_names_networks_and_ports() -> None:
    spec = source({"ipBlock": {"cidr": "198.51.100.0/24"}}, ports=[{"port": 443}])
    rows = {one.pods: one for one in audit([*cluster(), policy(spec)]).exposure}
    shop = rows["shop/web", "shop/cart"]
    assert shop.ingress == {"198.51.100.0/24": ["TCP 443"]}
    assert shop.egress == {"0.0.0.0/0": ["all"], "198.51.100.0/24": ["all"]}


def test_a_service_is_asked_by_its_pods() -> None:
    ports = [{"port": 8000, "targetPort": "http"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    objects = [*cluster(), {**service, "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7", "ports": ports}}]
    question = Question("data/db", "service:shop/web", "TCP", 8000)
    assert audit(objects, [question]).answers[0].verdict == "allowed"
    closed = audit([*objects, policy(DENY)], [question]).answers[0]
    assert closed.verdict == "denied"
    assert "isolated by NetworkPolicy 'shop/one'; no rule of these allows it" in reports.why(closed)
    named = policy(to({"ipBlock": {"cidr": "10.96.0.7/32"}}), namespace="data")
    assert "the Service's own address" in reports.why(audit([*objects, named], [question]).answers[0])


def test_pods_of_workloads_stand_for_themselves() -> None:
    template = {"metadata": {"labels": {"app": "job"}}, "spec": {"containers": []}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"}}
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "night", "namespace": "shop"}}
    objects = [
        *cluster(),
        {**deployment, "spec": {"template": template}},
        {**cron, "spec": {"jobTemplate": {"spec": {"template": template}}}},
    ]
    answers = audit(
        [*objects, policy(DENY)], [Question("data/db", "shop/Deployment/api"), Question("data/db", "shop/night")]
    ).answers
    assert [one.verdict for one in answers] == ["denied", "denied"]
    assert "has no address yet" in reports.why(answers[0])


def test_pods_without_addresses_are_where_the_pod_network_is() -> None:
    template = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": []}}
    objects = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"template": template},
        }
        for name in ("api", "front")
    ]
    question = Question("shop/api", "shop/front", "TCP", 80)
    for block, networks, verdict in (
        ({"cidr": "10.0.0.0/8"}, [], "denied"),
        ({"cidr": "10.0.0.0/8"}, ["10.244.0.0/16"], "allowed"),
        ({"cidr": "0.0.0.0/0"}, [], "allowed"),
        ({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, [], "denied"),
        ({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, ["10.244.0.0/16"], "denied"),
        ({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, ["172.16.0.0/16"], "allowed"),
    ):
        answer = audit([*objects, policy(to({"ipBlock": block}))], [question], pod_networks=networks).answers[0]
        assert answer.verdict == verdict, (block, networks)


# ---- forms -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole() -> Report:
    objects = [*cluster(), policy(source({"ipBlock": {"cidr": "0.0.0.0/0"}}, ports=[{"port": 22}]), "<b>&|")]
    return audit(
        objects,
        [Question("data/db", "shop/web", "TCP", 80)],
        before=cluster(),
        places={"NetworkPolicy 'shop/<b>&|'": ("a/b.yml", 7)},
    )


class Page(HTMLParser):
    """Counts what a page is made of, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in {"meta", "circle", "path"}:
            self.open.append(tag)
        self.loads += [f"{name}={value}" for name, value in attrs if name in {"src", "href", "data", "action"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_needs_nothing_but_itself(whole: Report) -> None:
    text = page(whole)
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    assert parser.loads == []
    assert "script" not in parser.seen
    assert "url(http" not in text
    assert "@import" not in text
    assert parser.seen.count("svg") == 1
    assert parser.seen.count("b") == 0, "what a policy is called is text"
    assert any("NetworkPolicy 'shop/<b>&|'" in word for word in parser.words)


def test_sarif_places_findings_in_files(whole: Report) -> None:
    run = json.loads(reports.sarif(whole))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    placed = [one for one in run["results"] if one["ruleId"] == "NP302"]
    location = placed[0]["locations"][0]["physicalLocation"]
    assert location == {"artifactLocation": {"uri": "a/b.yml"}, "region": {"startLine": 7}}
    for one in run["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["level"] in {"error", "warning", "note"}
        assert one["message"]["text"]
        assert one["partialFingerprints"]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("manifests/web.yaml", "manifests/web.yaml"),
        ("../my manifests/50%#1.yaml", "../my%20manifests/50%25%231.yaml"),
        ("a:b/läden.yaml", "a%3Ab/l%C3%A4den.yaml"),
        ("back\\slash.yaml", "back%5Cslash.yaml"),
        ("/srv/my manifests/web.yaml", "file:///srv/my%20manifests/web.yaml"),
    ],
)
def test_sarif_names_files_by_uris(file: str, uri: str) -> None:
    report = audit(
        [*cluster(), policy({"podSelector": {}, "egress": [{}]})], places={"NetworkPolicy 'shop/one'": (file, 3)}
    )
    results = json.loads(reports.sarif(report))["runs"][0]["results"]
    [place] = [place for one in results for place in one["locations"] if "physicalLocation" in place][:1]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}
    # What it means is the same file again.
    split = urlsplit(uri)
    assert (split.scheme, unquote(split.path)) == ("file" if file.startswith("/") else "", file)


def test_text_markdown_and_json_say_the_same(whole: Report) -> None:
    output = json.loads(reports.as_json(whole))
    assert output["reachability"][0]["verdict"] == "denied"
    for text in (reports.text(whole), reports.markdown(whole)):
        assert "TCP 22 (SSH) is open to 0.0.0.0/0" in text
        assert "denied" in text
        assert "a/b.yml:7" in text
    rows = [line for line in reports.markdown(whole).splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)
    assert "<b>&\\|" in reports.markdown(whole)


@pytest.mark.parametrize(("threshold", "fails"), [("never", False), ("error", True), ("warning", True), ("note", True)])
def test_a_threshold_fails_the_audit(whole: Report, threshold: str, fails: bool) -> None:
    assert bool(breach(whole, threshold)) == fails
    assert not fails or "expected none. The first is NP" in breach(whole, threshold)


# ---- manifests -------------------------------------------------------------------------------------------------------

NOTHING: dict[str, Any] = {
    **{
        name: []
        for name in ("src", "definitions", "before_src", "before_definitions", "pod_networks", "reachable", "formats")
    },
    "live": None,
    "fail_on": "never",
}


def test_folders_lists_helm_output_and_values(tmp_path: Path) -> None:
    inner = tmp_path / "chart" / "templates"
    inner.mkdir(parents=True)
    (tmp_path / "chart" / "values.yaml").write_text("replicas: 2\nnames: [a]\n")
    text = (
        "---\n# Source: chart/templates/a.yaml\n"
        + yaml.safe_dump(cluster()[0])
        + "---\n---\n"
        + yaml.safe_dump(policy(to({"podSelector": {}})))
    )
    (inner / "a.yaml").write_text(text)
    (inner / "pods.json").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "PodList",
                "items": [
                    {"metadata": one["metadata"], "status": one["status"]} for one in cluster() if one["kind"] == "Pod"
                ],
            }
        )
    )
    result = run_audit({**NOTHING, "src": [str(tmp_path)], "formats": ["text"], "fail_on": "error"})
    assert result["summary"]["pods"] == 5
    assert result["failed"] is True
    assert "dns-forgotten" in result["msg"]
    (forgotten,) = [one for one in result["findings"] if one["id"] == "NP301"]
    assert (forgotten["file"], forgotten["line"]) == (str(inner / "a.yaml"), 3), "where its namespace is written"
    assert result["reports"]["text"].startswith("Network policies\n")


def test_findings_know_their_line(tmp_path: Path) -> None:
    file = tmp_path / "all.yml"
    file.write_text(yaml.safe_dump(cluster()[0]) + "---\n" + yaml.safe_dump(policy({**DENY, "egress": [{}]})))
    result = run_audit({**NOTHING, "src": [str(file)]})
    (one,) = [one for one in result["findings"] if one["id"] == "NP102"]
    line = file.read_text().splitlines().index("---") + 2
    assert (one["file"], one["line"]) == (str(file), line)


def test_manifests_are_compared(tmp_path: Path) -> None:
    for name, extra in (("before", []), ("after", [policy(DENY)])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "all.yml").write_text(yaml.safe_dump_all([*cluster(), *extra]))
    result = run_audit({**NOTHING, "src": [str(tmp_path / "after")], "before_src": [str(tmp_path / "before")]})
    assert {one["change"] for one in result["differences"]} == {"lost"}


def test_the_guide_lists_the_checks() -> None:
    guide = (Path(__file__).parents[5] / "docs" / "network_policy_audit.md").read_text()
    for one in CHECKS.values():
        assert f"| {one.id} | `{one.name}` | {one.severity} | {one.title} |" in guide
