# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds kube-proxy, as a real API server tells it, and this machine as a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.surroundings import (
    CILIUM,
    cluster_facts,
    read_node,
)
from tests.support.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PLACE = "default"
IMAGES = {
    "kube-proxy": "registry.k8s.io/kube-proxy:v1.36.3@sha256:0",
    "speaker": "quay.io/metallb/speaker:v0.15.2",
    "cilium": "quay.io/cilium/cilium:v1.18.0",
    "kube-vip": "ghcr.io/kube-vip/kube-vip:v1.0.1",
    "node-local-dns": "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4",
}


def layer_2_definition() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "L2Advertisement", "plural": "l2advertisements"}
    spec = {"group": "metallb.io", "scope": "Namespaced", "names": names, "versions": [version]}
    metadata = {"name": "l2advertisements.metallb.io"}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**kind, "metadata": metadata, "spec": spec}


def daemon_set(name: str, namespace: str) -> dict[str, Any]:
    pod = {"containers": [{"name": name, "image": IMAGES[name]}], "nodeSelector": {"nobody": "has"}}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}


@pytest.fixture
def surrounded(client: KubeClient) -> Iterator[None]:
    """kube-proxy among MetalLB, NodeLocal DNSCache and a Cilium that replaces it."""
    places = {name: "kube-system" if name == "kube-proxy" else PLACE for name in IMAGES if name != "kube-vip"}
    client.delete(ObjectRef("apps/v1", "DaemonSet", "kube-proxy", "kube-system"), propagation="Background")
    for name in places:
        client.create(daemon_set(name, places[name]))
    metadata = {"name": CILIUM.name, "namespace": CILIUM.namespace}
    client.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"kube-proxy-replacement": "true"}}
    )
    yield
    client.delete(CILIUM, propagation="Background")
    for name, place in places.items():
        client.delete(ObjectRef("apps/v1", "DaemonSet", name, place), propagation="Background")


@pytest.mark.usefixtures("surrounded")
def test_everything_in_the_way_is_named_at_once(api: str, client: KubeClient) -> None:
    node = Module("kube_proxy_node_info").succeeds(name="a")["facts"]
    assert read_node(node).kernel == node["kernel"]
    bare = {**node, "modules": {}, "kernel": "4.19.0"}
    module = Module("kube_proxy_preflight", {"kubeconfig": api})
    message = module.fails(mode="ipvs", nodes=[bare, {**bare, "name": "b"}])
    assert "mode ipvs: 3 things stand in its way. (1) kube-proxy: Cilium (kube-proxy-replacement) serves" in message
    assert "(2) MetalLB: every node would answer ARP" in message
    assert "(3) kernel module ip_vs, ip_vs_rr, nf_conntrack on a, b: kernel 4.19.0 does not have it" in message
    client.patch(CILIUM, {"data": {"kube-proxy-replacement": "false"}})
    assert "kube-proxy refuses kernel 4.19.0" in module.fails(mode="nftables", nodes=[bare])
    assert module.succeeds(mode="iptables", nodes=[bare])["version"] == "v1.36.3"
    good = {**bare, "modules": dict.fromkeys(("ip_vs", "ip_vs_lc", "nf_conntrack"), "loadable")}
    told = module.succeeds(mode="ipvs", scheduler="lc", strict_arp=True, nodes=[good])
    assert any("KEP-5495" in str(warning) for warning in told["warnings"])


@pytest.mark.usefixtures("surrounded")
def test_the_surroundings_as_the_api_tells_them(client: KubeClient) -> None:
    facts = cluster_facts(client, "v1.36.3")
    assert (facts.announcers, facts.has_node_local_dns, facts.calico_nftables) == (("MetalLB",), True, None)


@pytest.mark.parametrize(
    ("settings", "announcers"),
    [
        ({"vip_arp": "true", "svc_enable": "true"}, ("kube-vip",)),
        # Its own address alone, which is on no link of IPVS; and BGP.
        ({"vip_arp": "true", "cp_enable": "true"}, ()),
        ({"vip_arp": "false", "svc_enable": "true"}, ()),
    ],
)
def test_kube_vip_counts_where_it_answers_arp_for_services(
    client: KubeClient, settings: dict[str, str], announcers: tuple[str, ...]
) -> None:
    made = daemon_set("kube-vip", PLACE)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": name, "value": value} for name, value in settings.items()]
    client.create(made)
    try:
        assert cluster_facts(client, "v1.36.3").announcers == announcers
    finally:
        client.delete(ref_of(made), propagation="Background")


@pytest.mark.usefixtures("surrounded")
def test_metallb_that_speaks_bgp_alone_needs_nothing(api: str) -> None:
    # A session of its own, as each task has: what a server does not serve is remembered.
    client = connect({"kubeconfig": api})
    definition = layer_2_definition()
    client.create(definition)
    try:
        wait_ready(client, [definition], 60.0)
        assert cluster_facts(client, "v1.36.3").announcers == ()
        place = {"name": "first", "namespace": PLACE}
        client.create({"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": place})
        assert cluster_facts(client, "v1.36.3").announcers == ("MetalLB",)
    finally:
        client.delete(ref_of(definition), propagation="Background")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": []}, "missing required arguments: mode"),
        ({"mode": "userspace", "nodes": []}, "value of mode must be one of: iptables, ipvs, nftables"),
        ({"mode": "ipvs", "scheduler": "fast", "nodes": []}, "value of scheduler must be one of"),
        ({"mode": "ipvs", "nodes": []}, "DaemonSet 'kube-system/kube-proxy': it is not there"),
    ],
)
def test_bad_input_is_named(api: str, options: dict[str, Any], message: str) -> None:
    assert message in Module("kube_proxy_preflight", {"kubeconfig": api}).fails(**options)
