# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_local_dns against a real API server, whose nodes have no kubelets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.coredns_objects import SERVICE
from tests.support.modules import Module, state_matrix
from tests.support.played_kubelets import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

DAEMON_SET = ObjectRef("apps/v1", "DaemonSet", "node-local-dns", "kube-system")
COREFILE = ObjectRef("v1", "ConfigMap", "node-local-dns", "kube-system")
UPSTREAM = ObjectRef("v1", "Service", "kube-dns-upstream", "kube-system")
KUBE_PROXY = ObjectRef("v1", "ConfigMap", "kube-proxy", "kube-system")
MADE = {
    "ServiceAccount 'kube-system/node-local-dns'",
    "Service 'kube-system/kube-dns-upstream'",
    "ConfigMap 'kube-system/node-local-dns'",
    "DaemonSet 'kube-system/node-local-dns'",
    "Service 'kube-system/node-local-dns'",
}


def set_mode(client: KubeClient, mode: str) -> None:
    metadata = {"name": KUBE_PROXY.name, "namespace": KUBE_PROXY.namespace}
    data = {"config.conf": f"kind: KubeProxyConfiguration\nmode: {mode!r}\n"}
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    apply_all(client, [wanted], force=True, check=False)


@pytest.fixture
def cache(installed: str, client: KubeClient) -> Iterator[Module]:
    """The module, on a cluster with CoreDNS and kube-proxy in its default mode."""
    before = client.get(KUBE_PROXY)
    set_mode(client, "")
    module = Module("node_local_dns", {"kubeconfig": installed, "wait_timeout": 5})
    yield module
    set_mode(client, "")
    module.succeeds(state="absent")
    if before is None:
        client.delete(KUBE_PROXY)


def found(client: KubeClient, ref: ObjectRef) -> dict[str, Any]:
    live = client.get(ref)
    assert live
    return live


def dns_address(client: KubeClient) -> str:
    return str(found(client, SERVICE)["spec"]["clusterIP"])


def arguments(client: KubeClient) -> dict[str, str]:
    [container] = found(client, DAEMON_SET)["spec"]["template"]["spec"]["containers"]
    words = container["args"]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_state_matrix(cache: Module, client: KubeClient) -> None:
    first = state_matrix(cache)
    assert {one["object"] for one in first["changes"]} == MADE
    assert first["bypass"] == first["taken"] == [dns_address(client)]
    again = cache.succeeds(check=True)
    assert again["bypass"] == []
    assert again["taken"] == [dns_address(client)]
    predicted = cache.succeeds(state="absent", check=True, diff=True)
    assert predicted["changed"]
    assert predicted["diff"]
    assert predicted["bypass"] == [dns_address(client)]
    assert cache.succeeds(state="absent")["changed"]
    assert not cache.succeeds(state="absent", check=True)["changed"]
    gone = cache.succeeds(state="absent")
    assert not gone["changed"]
    assert gone["bypass"] == []
    for ref in (DAEMON_SET, COREFILE, UPSTREAM):
        assert client.get(ref) is None
    assert found(client, SERVICE)


def test_removal_where_it_never_was_asks_for_nothing(cache: Module, client: KubeClient) -> None:
    client.delete(KUBE_PROXY)
    client.delete(SERVICE, propagation="Background")
    assert not cache.succeeds(state="absent")["changed"]


@pytest.mark.parametrize("mode", ["", "iptables", "nftables"])
def test_modes_in_which_it_takes_the_address_of_the_service(cache: Module, client: KubeClient, mode: str) -> None:
    set_mode(client, mode)
    done = cache.succeeds()
    assert done["mode"] == (mode or "iptables")
    assert done["servers"] == ["169.254.20.10", dns_address(client)]
    assert arguments(client)["-localip"] == f"169.254.20.10,{dns_address(client)}"
    assert done["advice"] == ""


def test_mode_ipvs(cache: Module, client: KubeClient) -> None:
    cache.succeeds()
    set_mode(client, "ipvs")
    # Nobody runs pods on these nodes, so nothing is waited for while they are there.
    with nodes(client, ["worker-1", "worker-2"], {}):
        done = cache.succeeds(address="169.254.25.10", check=True)
    assert cache.succeeds(address="169.254.25.10")["changed"]
    assert done["servers"] == ["169.254.25.10"]
    assert done["taken"] == done["bypass"] == []
    assert arguments(client)["-localip"] == "169.254.25.10"
    assert done["kubelets"] == [{"node": name, "cluster_dns": []} for name in ("worker-1", "worker-2")]
    assert done["advice"] == (
        f"In mode ipvs kube-proxy keeps {dns_address(client)}, so the cache gets no question from pods of worker-1, "
        "worker-2. Set clusterDNS to 169.254.25.10 in /var/lib/kubelet/config.yaml there, and in ConfigMap "
        "kube-system/kubelet-config for nodes to come, restart the kubelets, then the pods"
    )
    assert done["advice"] in str(done["warnings"])


def test_what_node_cache_is_told(cache: Module, client: KubeClient) -> None:
    done = cache.succeeds(image="registry.example.com/dns:1", outside="node", names=["www.example.com"])
    assert done["questions"] == [
        {"name": "kubernetes.default.svc.cluster.local", "type": "A"},
        {"name": "www.example.com", "type": "A"},
    ]
    pod = found(client, DAEMON_SET)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example.com/dns:1"
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "Default")
    assert container["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"]}
    assert container["readinessProbe"]["httpGet"]["host"] == "169.254.20.10"
    assert arguments(client)["-upstreamsvc"] == UPSTREAM.name
    # It leads to where the DNS Service leads.
    assert found(client, UPSTREAM)["spec"]["selector"] == found(client, SERVICE)["spec"]["selector"]
    assert "forward . __PILLAR__UPSTREAM__SERVERS__\n" in found(client, COREFILE)["data"]["Corefile"]
    assert cache.succeeds(outside="coredns")["changed"]
    assert "UPSTREAM" not in found(client, COREFILE)["data"]["Corefile"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "somewhere"}, "address: 'somewhere' does not appear to be an IPv4 or IPv6 address"),
        ({"address": "127.0.0.53"}, "address: pods do not reach 127.0.0.53 on their node"),
        ({"address": "0.0.0.0"}, "address: pods do not reach 0.0.0.0 on their node"),
        ({"address": "224.0.0.1"}, "address: pods do not reach 224.0.0.1 on their node"),
        ({"address": "fd00::10"}, "; expected addresses of one family"),
        ({"outside": "nobody"}, "value of outside must be one of: coredns, node"),
    ],
)
def test_refused(cache: Module, client: KubeClient, options: dict[str, Any], said: str) -> None:
    assert said in cache.fails(**options)
    assert client.get(DAEMON_SET) is None


def test_the_address_of_the_service_is_refused(cache: Module, client: KubeClient) -> None:
    address = dns_address(client)
    assert f"address: {address} is that of the DNS Service; expected one that nobody has" in cache.fails(
        address=address
    )


def test_without_kube_proxy(cache: Module, client: KubeClient) -> None:
    client.delete(KUBE_PROXY)
    said = cache.fails()
    assert "kube-proxy: its configuration is not there; who serves Services instead decides where questions go" in said
    assert "With Cilium use its local redirect policy." in said


def test_without_a_dns_service(cache: Module, client: KubeClient) -> None:
    # In the foreground it would stay until the garbage collector has seen to its slices.
    client.delete(SERVICE, propagation="Background")
    assert cache.fails() == (
        "Service 'kube-system/kube-dns': it is not there, or selects no pods; expected the Service before CoreDNS."
    )


def test_a_cache_of_somebody_else(cache: Module, client: KubeClient) -> None:
    ref = ObjectRef("apps/v1", "DaemonSet", "nodelocaldns", "kube-system")
    labels = {"k8s-app": "nodelocaldns"}
    container = {"name": "node-cache", "image": "registry.k8s.io/dns/k8s-dns-node-cache:1.25.0"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    client.create(
        {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
    )
    try:
        said = cache.fails()
    finally:
        client.delete(ref, propagation="Background")
    assert "DaemonSet 'kube-system/nodelocaldns': a NodeLocal DNSCache of somebody else runs" in said
    assert "Remove it by what installed it." in said
    assert client.get(DAEMON_SET) is None
