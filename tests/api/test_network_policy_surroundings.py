# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the baseline's allows take from a live cluster, and that they follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from tests.support.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SPACE = "surrounded"


@pytest.fixture
def made(client: KubeClient) -> Iterator[list[dict[str, Any]]]:
    """Objects to put here; they are applied by ``put`` and gone afterwards."""
    objects: list[dict[str, Any]] = []
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": {"team": SPACE}}})
    yield objects
    for one in reversed(objects):
        client.delete(ref_of(one), propagation="Background")


@pytest.fixture
def baseline(api: str) -> Iterator[Module]:
    chosen = {"namespace_selector": {"team": SPACE}}
    # The ring has no kubelet, so no pod takes its time to turn unready.
    module = Module("network_policy_baseline", {"kubeconfig": api, "batch_wait": 0, **chosen})
    yield module
    module.succeeds(state="absent")


def put(client: KubeClient, objects: list[dict[str, Any]], *more: dict[str, Any]) -> None:
    for one in more:
        objects.append(one)
        client.apply(one)


def named(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= rest.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def workload(kind: str, name: str, namespace: str, *arguments: str, **labels: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "example.com/c", "args": list(arguments)}]
    # Nothing is to run: no node has this label.
    pod_spec = {"containers": containers, "nodeSelector": {"surrounded": "nowhere"}}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return named("apps/v1", kind, name, namespace, metadata={"labels": labels}, spec=spec)


def service(name: str, namespace: str, **rest: Any) -> dict[str, Any]:
    spec = {"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}], **rest.pop("spec", {})}
    return named("v1", "Service", name, namespace, spec=spec, **rest)


def policy(client: KubeClient, name: str) -> dict[str, Any]:
    live = client.get(ObjectRef("networking.k8s.io/v1", "NetworkPolicy", name, SPACE))
    assert live, f"{name} is not there"
    spec: dict[str, Any] = live["spec"]
    return spec


def blocks(rules: list[dict[str, Any]], side: str) -> set[str]:
    return {peer["ipBlock"]["cidr"] for rule in rules for peer in rule[side] if "ipBlock" in peer}


def test_the_api_server_is_followed(client: KubeClient, made: list[dict[str, Any]], baseline: Module) -> None:
    baseline.succeeds(policies=["allow-to-apiserver"])
    before = blocks(policy(client, "allow-to-apiserver")["egress"], "to")
    assert "10.96.0.1/32" in before
    another = named(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "kubernetes-second",
        "default",
        metadata={"labels": {"kubernetes.io/service-name": "kubernetes"}},
        addressType="IPv4",
        endpoints=[{"addresses": ["198.51.100.6"]}],
        ports=[{"name": "https", "port": 6443, "protocol": "TCP"}],
    )
    put(client, made, another)
    changed = [{"object": f"NetworkPolicy '{SPACE}/allow-to-apiserver'", "action": "changed"}]
    assert baseline.succeeds(policies=["allow-to-apiserver"])["policies"] == changed
    egress = policy(client, "allow-to-apiserver")["egress"]
    assert blocks(egress, "to") == before | {"198.51.100.6/32"}
    assert [rule["ports"] for rule in egress if "198.51.100.6" in str(rule)] == [[{"protocol": "TCP", "port": 6443}]]
    client.delete(ref_of(another), propagation="Background")
    assert baseline.succeeds(policies=["allow-to-apiserver"])["policies"] == changed
    assert blocks(policy(client, "allow-to-apiserver")["egress"], "to") == before


@pytest.mark.parametrize(
    "labels",
    [
        {"app.kubernetes.io/name": "ingress-nginx"},
        {"app.kubernetes.io/name": "traefik"},
        {"app.kubernetes.io/managed-by": "envoy-gateway"},
        {"app": "istio-ingressgateway"},
        {"app": "contour"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_controller_of_ingresses_is_found(
    client: KubeClient, made: list[dict[str, Any]], baseline: Module, labels: dict[str, str], kind: str
) -> None:
    client.apply(named("v1", "Namespace", "let-in"))
    put(client, made, workload(kind, "controller", "let-in", **labels))
    put(client, made, workload(kind, "something-else", SPACE, app="shop"))
    baseline.succeeds(policies=["allow-from-ingress"], ingress_namespaces=["another"])
    (rule,) = policy(client, "allow-from-ingress")["ingress"]
    (term,) = rule["from"][0]["namespaceSelector"]["matchExpressions"]
    assert term == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["another", "let-in"]}


def test_every_dns_is_found(client: KubeClient, made: list[dict[str, Any]], baseline: Module) -> None:
    """kubespray's Service has a name of its own, NodeLocal DNSCache any address."""
    label = {"labels": {"k8s-app": "kube-dns"}}
    put(
        client,
        made,
        service("coredns", "kube-system", metadata=label, spec={"clusterIP": "10.96.0.3"}),
        service("something", "kube-system", spec={"clusterIP": "10.96.0.4"}),
        workload("DaemonSet", "nodelocaldns", "kube-system", "-localip", "169.254.99.1,fd00::1", "-conf", "/c"),
    )
    baseline.succeeds(policies=["allow-dns"])
    (rule,) = policy(client, "allow-dns")["egress"]
    found = blocks([rule], "to")
    assert found >= {"10.96.0.3/32", "169.254.99.1/32", "fd00::1/128", "169.254.20.10/32", "169.254.25.10/32"}
    assert "10.96.0.4/32" not in found
    assert sorted((one["protocol"], one["port"]) for one in rule["ports"]) == [("TCP", 53), ("UDP", 53)]


def test_openshifts_dns_is_found(client: KubeClient, made: list[dict[str, Any]], baseline: Module) -> None:
    client.apply(named("v1", "Namespace", "openshift-dns"))
    put(client, made, service("dns-default", "openshift-dns", spec={"clusterIP": "10.96.0.5"}))
    baseline.succeeds(policies=["allow-dns"])
    first, second = policy(client, "allow-dns")["egress"]
    assert "10.96.0.5/32" in blocks([first], "to")
    assert {one["port"] for one in second["ports"]} == {5353}
    client.raw("DELETE", "/api/v1/namespaces/openshift-dns")


def definition() -> dict[str, Any]:
    """Its objects are converted by a Service of the namespace."""
    config = {"service": {"namespace": SPACE, "name": "converter", "path": "/convert", "port": 8443}}
    schema = {"openAPIV3Schema": {"type": "object"}}
    spec = {
        "group": "surrounded.example.com",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        "conversion": {
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config},
        },
    }
    name = "things.surrounded.example.com"
    return named("apiextensions.k8s.io/v1", "CustomResourceDefinition", name, spec=spec)


def test_conversions_between_versions_are_called_too(
    client: KubeClient, made: list[dict[str, Any]], baseline: Module
) -> None:
    ports = [{"name": "hook", "port": 8443, "targetPort": 9443}]
    put(client, made, service("converter", SPACE, spec={"ports": ports}), definition())
    baseline.succeeds(policies=["allow-from-apiserver", "default-deny-ingress"])
    (rule,) = policy(client, "allow-from-apiserver")["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9443}]


def test_the_nodes_ends_of_tunnels_are_nodes(client: KubeClient, made: list[dict[str, Any]], baseline: Module) -> None:
    """What comes from another node through Calico's or Flannel's tunnel bears such an address."""
    calico = {"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.0"}
    flannel = {"flannel.alpha.coreos.com/backend-type": "vxlan"}
    put(
        client,
        made,
        named("v1", "Node", "tunnelled-1", metadata={"annotations": calico}),
        named("v1", "Node", "tunnelled-2", metadata={"annotations": flannel}, spec={"podCIDR": "10.244.8.0/24"}),
        named("v1", "Node", "tunnelled-3", spec={"podCIDR": "10.244.9.0/24"}),
    )
    addresses = [{"type": "InternalIP", "address": "192.0.2.71"}, {"type": "Hostname", "address": "tunnelled-1"}]
    body = {"status": {"addresses": addresses}}
    path = "/api/v1/nodes/tunnelled-1/status"
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    baseline.succeeds(policies=["allow-nodes"])
    found = blocks(policy(client, "allow-nodes")["ingress"], "from")
    assert found >= {"192.0.2.71/32", "10.244.7.0/32", "10.244.8.0/32"}
    assert "10.244.9.0/32" not in found


@pytest.mark.parametrize(
    ("config", "warns"),
    [({}, True), ({"policy-cidr-match-mode": "pods"}, True), ({"policy-cidr-match-mode": "pods nodes"}, False)],
    ids=str,
)
def test_cilium_takes_no_block_for_a_node(
    client: KubeClient, made: list[dict[str, Any]], baseline: Module, config: dict[str, str], warns: bool
) -> None:
    put(
        client,
        made,
        workload("DaemonSet", "cilium", "kube-system"),
        named("v1", "ConfigMap", "cilium-config", "kube-system", data=config),
    )
    done = baseline.succeeds(check=True, profile="zero-trust")
    assert done["enforcement"] == "Cilium"
    said = "allow-nodes, allow-to-apiserver will admit nobody. Set cluster_wide to CiliumClusterwideNetworkPolicy"
    assert (said in str(done.get("warnings"))) == warns
    assert "admit nobody" not in str(baseline.succeeds(check=True, policies=["allow-dns"]).get("warnings"))


def test_a_new_namespace_is_covered_by_the_next_run(
    client: KubeClient, made: list[dict[str, Any]], baseline: Module
) -> None:
    baseline.succeeds(policies=["default-deny-ingress"])
    put(client, made, named("v1", "Namespace", "surrounded-late", metadata={"labels": {"team": SPACE}}))
    done = baseline.succeeds(policies=["default-deny-ingress"])
    assert done["namespaces"] == [SPACE, "surrounded-late"]
    late = [{"object": "NetworkPolicy 'surrounded-late/default-deny-ingress'", "action": "created"}]
    assert done["policies"] == late


def test_what_is_gone_needs_no_removal(baseline: Module, made: list[dict[str, Any]]) -> None:
    assert made == []
    assert baseline.succeeds(namespaces=["never-was"], state="absent")["changed"] is False


def test_namespaces_that_are_not_there_let_nobody_in(baseline: Module, made: list[dict[str, Any]]) -> None:
    """A slip of the pen would show weeks later, when somebody misses the graphs."""
    assert made == []
    options: dict[str, Any] = {"monitoring_namespaces": ["monitorign"], "ingress_namespaces": ["nowhere"]}
    told = str(baseline.succeeds(check=True, **options)["warnings"])
    assert "monitoring_namespaces: namespace 'monitorign' is not there, so nobody is let in from it" in told
    assert "ingress_namespaces: namespace 'nowhere' is not there" in told
