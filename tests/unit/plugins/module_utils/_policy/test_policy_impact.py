# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a baseline would break: each kind of need is told, is broken by a bare deny, and is kept by its allow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.flows import seen_flows, told_flows
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.impact import (
    LISTED,
    Broken,
    broken,
    listing,
    require_at_most,
    warning_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import network_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import Surroundings, policies

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import End

AROUND = Surroundings(
    dns_addresses=("10.96.0.10",),
    api_endpoints=(("10.96.0.1", 443), ("192.0.2.1", 6443)),
    ingress_namespaces=("ingress",),
    monitoring_namespaces=("monitoring",),
    node_addresses=("192.0.2.1", "192.0.2.2"),
    called_ports=(("shop", "hooks"),),
)
CLUSTER = """
- {apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
- {apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop, labels: {app: web}}
  spec:
    nodeName: n2
    serviceAccountName: web
    containers:
      - ports:
          - {name: http, containerPort: 8080}
          - {name: hooks, containerPort: 8443}
          - {name: metrics, containerPort: 9000}
  status: {podIP: 10.1.0.1}
- apiVersion: v1
  kind: Pod
  metadata: {name: cart, namespace: shop, labels: {app: cart}}
  spec: {nodeName: n2}
  status: {podIP: 10.1.0.2}
- apiVersion: v1
  kind: Pod
  metadata: {name: proxy, namespace: ingress, labels: {app: proxy}}
  spec: {nodeName: n2}
  status: {podIP: 10.1.1.1}
- apiVersion: v1
  kind: Pod
  metadata: {name: prometheus, namespace: monitoring, labels: {app.kubernetes.io/name: prometheus}}
  status: {podIP: 10.1.2.1}
- apiVersion: v1
  kind: Pod
  metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
  status: {podIP: 10.1.3.1}
- apiVersion: v1
  kind: Service
  metadata: {name: kube-dns, namespace: kube-system}
  spec:
    selector: {k8s-app: kube-dns}
    clusterIP: 10.96.0.10
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
- apiVersion: v1
  kind: Service
  metadata: {name: kubernetes, namespace: default}
  spec: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop, labels: {team: shop}}
  spec:
    selector: {app: web}
    ports: [{name: web, port: 80, targetPort: http}, {name: hooks, port: 443, targetPort: hooks}]
"""
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def cluster() -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = yaml.safe_load(CLUSTER)
    return objects


def named(api_version: str, kind: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one", "namespace": "shop"}, **rest}


def lost(objects: list[dict[str, Any]], names: list[str], namespace: str = "shop") -> list[Broken]:
    now = inventory(objects)
    after = [*now.policies, *(network_policy(one) for one in policies(namespace, names, AROUND))]
    return broken(now, now.policies, after, told_flows(now, AROUND))


# What tells of the need; the reason that is given; the deny that breaks it; the allow that keeps it.
NEEDS: list[tuple[list[dict[str, Any]], str, str, str]] = [
    ([], "DNS of Service kube-system/kube-dns", "default-deny-egress", "allow-dns"),
    ([], "its account for the API server", "default-deny-egress", "allow-to-apiserver"),
    (
        [named("networking.k8s.io/v1", "Ingress", spec={"rules": [{"http": {"paths": [{"backend": BACKEND}]}}]})],
        "Ingress shop/one",
        "default-deny-ingress",
        "allow-from-ingress",
    ),
    (
        [named("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": BACKEND})],
        "Ingress shop/one",
        "default-deny-all",
        "allow-from-ingress",
    ),
    *(
        (
            [
                named(
                    f"gateway.networking.k8s.io/{version}",
                    kind,
                    spec={"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]},
                )
            ],
            f"{kind} shop/one",
            "default-deny-ingress",
            "allow-from-ingress",
        )
        for kind, version in (
            *(("HTTPRoute", "v1"), ("GRPCRoute", "v1"), ("TCPRoute", "v1alpha2")),
            *(("TLSRoute", "v1alpha2"), ("UDPRoute", "v1alpha2")),
        )
    ),
    (
        [
            named(
                "v1",
                "Service",
                spec={"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 30080}]},
            )
        ],
        "NodePort of Service shop/one",
        "default-deny-ingress",
        "allow-nodes",
    ),
    (
        [
            named(
                "v1",
                "Service",
                spec={
                    "type": "LoadBalancer",
                    "externalTrafficPolicy": "Local",
                    "selector": {"app": "web"},
                    "ports": [{"port": 80}],
                },
            )
        ],
        "LoadBalancer of Service shop/one",
        "default-deny-ingress",
        "allow-all-ingress",
    ),
    *(
        (
            [
                named(
                    "admissionregistration.k8s.io/v1",
                    kind,
                    webhooks=[{"clientConfig": {"service": {"namespace": "shop", "name": "web"}}}],
                )
            ],
            f"{kind} one",
            "default-deny-ingress",
            "allow-from-apiserver",
        )
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    ),
    (
        [
            named(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                spec={
                    "conversion": {
                        "strategy": "Webhook",
                        "webhook": {"clientConfig": {"service": {"namespace": "shop", "name": "web"}}},
                    }
                },
            )
        ],
        "conversion of CustomResourceDefinition one",
        "default-deny-ingress",
        "allow-from-apiserver",
    ),
    (
        [
            named(
                "apiregistration.k8s.io/v1",
                "APIService",
                spec={"service": {"namespace": "shop", "name": "web", "port": 443}},
            )
        ],
        "APIService one",
        "default-deny-ingress",
        "allow-from-apiserver",
    ),
    (
        [
            named(
                "monitoring.coreos.com/v1",
                "ServiceMonitor",
                spec={"selector": {"matchLabels": {"team": "shop"}}, "endpoints": [{"port": "web"}]},
            )
        ],
        "ServiceMonitor shop/one",
        "default-deny-ingress",
        "allow-from-monitoring",
    ),
    *(
        (
            [
                named(
                    "monitoring.coreos.com/v1",
                    "PodMonitor",
                    spec={"selector": {"matchLabels": {"app": "web"}}, "podMetricsEndpoints": [endpoint]},
                )
            ],
            "PodMonitor shop/one",
            "default-deny-ingress",
            "allow-from-monitoring",
        )
        for endpoint in ({"port": "metrics"}, {"portNumber": 9100}, {"targetPort": "metrics"})
    ),
]


@pytest.mark.parametrize(
    ("objects", "reason", "deny", "allow"), NEEDS, ids=[f"{number} {one[1]}" for number, one in enumerate(NEEDS)]
)
def test_need(objects: list[dict[str, Any]], reason: str, deny: str, allow: str) -> None:
    found = [one for one in lost([*cluster(), *objects], [deny]) if one.reason == reason]
    assert found
    assert {one.namespace for one in found} == {"shop"}
    assert all(f"isolated by NetworkPolicy 'shop/{deny}'" in one.why for one in found)
    assert not [one for one in lost([*cluster(), *objects], [deny, allow]) if one.reason == reason]


@pytest.mark.parametrize(
    ("namespace", "name", "labels"),
    [
        ("kube-system", "coredns", {"k8s-app": "kube-dns"}),
        ("kube-system", "rke2-coredns-rke2-coredns", {"k8s-app": "kube-dns"}),
        ("openshift-dns", "dns-default", {}),
    ],
)
def test_the_dns_of_other_clusters_is_needed_too(namespace: str, name: str, labels: dict[str, str]) -> None:
    objects = [one for one in cluster() if one["metadata"]["name"] != "kube-dns"]
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"selector": {"app": "dns"}, "ports": [{"port": 53, "targetPort": 5353, "protocol": "UDP"}]}
    objects.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    pod = {"name": "dns", "namespace": namespace, "labels": {"app": "dns"}}
    objects.append({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "status": {"podIP": "10.1.9.1"}})
    found = {one.reason: one.port for one in lost(objects, ["default-deny-egress"])}
    assert found[f"DNS of Service {namespace}/{name}"] == 5353


def test_what_does_not_work_now_does_not_break() -> None:
    deny = policies("shop", ["default-deny-egress"], AROUND)
    assert not [one for one in lost([*cluster(), *deny], ["default-deny-egress"]) if "DNS" in one.reason]


def test_probes_of_the_own_node_never_break() -> None:
    """A NodePort's traffic that arrives at the pod's own node goes on."""
    service = {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    found = lost([*cluster(), named("v1", "Service", spec=service)], ["default-deny-ingress"])
    assert {one.source for one in found if one.reason.startswith("NodePort")} == {"node:n1"}


def slices_of(*endpoints: dict[str, Any], name: str = "one", **rest: Any) -> dict[str, Any]:
    metadata = {"name": "piece", "namespace": "shop", "labels": {"kubernetes.io/service-name": name}}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "other", "port": 9, "protocol": "TCP"}]
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    return {**kind, "metadata": metadata, "endpoints": list(endpoints), "ports": ports, **rest}


def test_a_service_without_a_selector_is_known_by_its_endpoints() -> None:
    """Of an Ingress' port alone, and of endpoints that serve."""
    backend = {"service": {"name": "one", "port": {"number": 80}}}
    ports = [{"name": "http", "port": 80}, {"name": "other", "port": 9}]
    service = named("v1", "Service", spec={"ports": ports})
    ingress = named("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": backend})
    [web] = [one for one in cluster() if one["kind"] == "Pod" and one["metadata"]["name"] == "web"]
    own = web["status"]["podIP"]
    endpoints: list[dict[str, Any]] = [
        {"addresses": [own]},
        {"addresses": ["192.0.2.77"], "conditions": {"ready": False}},
    ]

    def told(*pieces: dict[str, Any]) -> set[tuple[str, int]]:
        found = lost([*cluster(), service, ingress, *pieces], ["default-deny-ingress"])
        return {(one.destination, one.port) for one in found if one.reason == "Ingress shop/one"}

    assert told(slices_of(*endpoints)) == {("shop/web", 8080)}
    assert told(slices_of(*endpoints, name="another")) == set()
    assert told(slices_of({"addresses": ["web.example.com"]}, addressType="FQDN")) == set()
    assert told() == set()


def test_the_profiles_break_nothing_that_is_known() -> None:
    objects = [*cluster(), *(obj for need in NEEDS for obj in need[0] if obj["kind"] != "Service")]
    everything = ["allow-dns", "allow-to-apiserver", "allow-same-namespace", "allow-from-ingress"]
    everything += ["allow-from-monitoring", "allow-from-apiserver", "allow-nodes", "default-deny-all"]
    assert lost(objects, everything) == []
    assert len(lost(objects, ["default-deny-all"])) > 10


# ---- logs ------------------------------------------------------------------------------------------------------------

HUBBLE = {
    "flow": {
        "verdict": "FORWARDED",
        "IP": {"source": "10.1.0.2", "destination": "10.1.0.1"},
        "l4": {"TCP": {"destination_port": 8080}},
        "source": {"namespace": "shop", "pod_name": "cart"},
        "destination": {"namespace": "shop", "pod_name": "web"},
    }
}
CALICO = {
    "action": "allow",
    "proto": "tcp",
    "dest_port": 8080,
    "source_namespace": "shop",
    "source_name": "cart",
    "source_ip": "10.1.0.2",
    "dest_namespace": "shop",
    "dest_name": "web",
    "dest_ip": "10.1.0.1",
}


def name_of(end: End) -> str:
    return end if isinstance(end, str) else end.name


def seen(*entries: Any) -> list[tuple[str, str, str, int]]:
    text = "\n".join(map(json.dumps, entries))
    flows = seen_flows(text, "flows.json", inventory(cluster()))
    return [(name_of(one.source), name_of(one.destination), one.protocol, one.port) for one in flows]


def test_both_logs_say_the_same() -> None:
    assert seen(HUBBLE) == seen(CALICO) == seen(HUBBLE, CALICO, CALICO) == [("cart", "web", "TCP", 8080)]


def test_sides_without_a_pod_are_told_by_their_address() -> None:
    outside = {**CALICO, "source_namespace": "-", "source_name": "pub", "source_ip": "198.51.100.7"}
    node = {**outside, "source_ip": "192.0.2.1"}
    bare = {**outside, "source_ip": "10.1.0.2"}
    unknown = {**outside, "source_ip": None}
    assert [one[0] for one in seen(outside, node, bare, unknown)] == ["198.51.100.7", "n1", "cart", "203.0.113.1"]


@pytest.mark.parametrize(
    "entry",
    [
        {**CALICO, "action": "deny"},
        {**CALICO, "proto": "icmp"},
        {**CALICO, "dest_port": None},
        {**CALICO, "source_name": "gone"},
        {"flow": {**HUBBLE["flow"], "verdict": "DROPPED"}},
        {"flow": {**HUBBLE["flow"], "is_reply": True}},
        {"flow": {**HUBBLE["flow"], "l4": {"ICMPv4": {}}}},
    ],
)
def test_what_does_not_count(entry: Any) -> None:
    assert seen(entry) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", "flow log 'flows.json' line 1: it is neither a flow of Hubble nor of Calico"),
        ("[]\n", "flow log 'flows.json' line 1: it is neither"),
        (json.dumps(CALICO) + "\nnonsense\n", "flow log 'flows.json' line 2: it is no JSON"),
        (json.dumps({**CALICO, "dest_port": "http"}), "line 1: a field cannot be read: invalid literal for int()"),
        (json.dumps({**CALICO, "dest_port": [80]}), "line 1: a field cannot be read: int() argument must be"),
        (json.dumps({"flow": "x", "l4": {}}), "line 1: a field cannot be read: 'str' object has no attribute"),
        (json.dumps({"flow": {**HUBBLE["flow"], "l4": {"TCP": {"destination_port": "x"}}}}), "line 1: a field cannot"),
        (json.dumps({"flow": {**HUBBLE["flow"], "source": "shop/cart"}}), "line 1: a field cannot be read"),
    ],
)
def test_a_log_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        seen_flows(text, "flows.json", inventory(cluster()))
    assert message in str(error.value)


def test_the_gate_counts_by_namespace() -> None:
    found = lost(cluster(), ["default-deny-egress"])
    require_at_most(found, None)
    require_at_most(found, len(found))
    with pytest.raises(PolicyError, match=rf"{len(found)} connections that work would break \(shop {len(found)}\)"):
        require_at_most(found, len(found) - 1)


# ---- how it is told --------------------------------------------------------------------------------------------------


def many(namespaces: int, each: int) -> list[Broken]:
    return [
        Broken(f"n{number:03}", "a/b", f"n{number:03}/p{place}", "TCP", 80, "seen in log", "no rule allows it")
        for number in range(namespaces)
        for place in range(each)
    ]


def test_a_warning_counts_and_names_the_first() -> None:
    assert warning_of([], would=True) == ""
    assert warning_of(many(1, 1), would=True) == (
        "impact: 1 connections that work would break (n000 1): a/b > n000/p0 TCP 80 (seen in log), no rule allows it."
    )
    assert "that work break (n000 2, n001 2)" in warning_of(many(2, 2), would=False)
    large = warning_of(many(1000, 10), would=True)
    assert "n009 10, 990 more namespaces)" in large
    assert large.endswith("; and 9995 more, all in the result impact.")
    assert len(large) < 1000


def test_a_diff_lists_namespace_by_namespace() -> None:
    assert listing([]) == ""
    assert listing(many(2, 1)).splitlines() == [
        "breaks by policies of namespace n000:",
        "  a/b > n000/p0 TCP 80 (seen in log), no rule allows it",
        "breaks by policies of namespace n001:",
        "  a/b > n001/p0 TCP 80 (seen in log), no rule allows it",
    ]
    lines = listing(many(1000, 10)).splitlines()
    assert len(lines) == LISTED + LISTED // 10 + 1
    assert lines[-1] == "and 9800 more, all in the result impact"
