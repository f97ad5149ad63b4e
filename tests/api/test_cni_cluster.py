# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CNIs a cluster has, and what one has left at the API, against a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import state_of
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import MARKS
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.modules import Module, state_matrix
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

NODE = ObjectRef("v1", "Node", "worker")
FOREIGN = {"example.com/owner": "me", "flannelish.example.com/a": "b"}


@pytest.fixture(scope="module")
def ring(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own: definitions and nodes are the cluster's."""
    with ApiRing(programs, tmp_path_factory.mktemp("cnis")) as started:
        yield str(started.kubeconfig)


@pytest.fixture
def client(ring: str) -> Iterator[KubeClient]:
    client = connect({"kubeconfig": ring})
    client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE.name, "annotations": FOREIGN}})
    yield client
    for daemon_set in list(client.list("apps/v1", "DaemonSet")):
        place = daemon_set["metadata"]
        client.delete(ObjectRef("apps/v1", "DaemonSet", place["name"], place["namespace"]), propagation="Background")
    client.delete(NODE, propagation="Background")


def agent(client: KubeClient, name: str, image: str, namespace: str = "kube-system", **labels: str) -> None:
    pod = {"metadata": {"labels": {"a": name}}, "spec": {"containers": [{"name": "agent", "image": image}]}}
    spec = {"selector": {"matchLabels": {"a": name}}, "template": pod}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    client.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})


def annotate(client: KubeClient, **annotations: str) -> None:
    client.patch(NODE, {"metadata": {"annotations": annotations}})


def definition(group: str, kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": plural, "kind": kind}, "versions": [version]},
    }


def test_one_mixed_and_leftovers_are_told_apart(ring: str, client: KubeClient) -> None:
    info = Module("cni_cluster_info", {"kubeconfig": ring})
    assert {key: info.succeeds()[key] for key in ("state", "cnis", "changed")} == {
        "state": "none",
        "cnis": {},
        "changed": False,
    }
    agent(client, "kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.28.9")
    annotate(client, **{"flannel.alpha.coreos.com/backend-type": "vxlan"})
    one = info.succeeds(check=True)
    assert one["state"] == "one"
    flannel = one["cnis"]["flannel"]
    assert (flannel["running"], flannel["version"], flannel["annotated_nodes"]) == (True, "v0.28.9", 1)
    assert flannel["agents"] == ["DaemonSet 'kube-system/kube-flannel-ds'"]
    annotate(client, **{"projectcalico.org/IPv4Address": "192.0.2.1/24"})
    left = info.succeeds()
    assert left["state"] == "leftovers"
    assert (left["cnis"]["calico"]["running"], left["cnis"]["calico"]["annotated_nodes"]) == (False, 1)
    managed = {"app.kubernetes.io/managed-by": "Helm"}
    agent(client, "cilium", "quay.io/cilium/cilium:v1.20.0@sha256:" + 64 * "0", **managed)
    mixed = info.succeeds()
    assert mixed["state"] == "mixed"
    assert (mixed["cnis"]["cilium"]["version"], mixed["cnis"]["cilium"]["managed_by"]) == ("v1.20.0", "Helm")


def test_the_mode_is_what_each_cni_is_configured_for(ring: str, client: KubeClient) -> None:
    info = Module("cni_cluster_info", {"kubeconfig": ring})
    agent(client, "kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.28.9")
    agent(client, "cilium", "quay.io/cilium/cilium:v1.20.0")
    assert {cni: told["mode"] for cni, told in info.succeeds()["cnis"].items()} == {"flannel": "", "cilium": ""}
    config_map(client, "kube-flannel-cfg", **{"net-conf.json": '{"Backend": {"Type": "host-gw"}}'})
    config_map(client, "cilium-config", **{"routing-mode": "native", "kube-proxy-replacement": "true"})
    told = info.succeeds(check=True)["cnis"]
    assert (told["flannel"]["mode"], told["cilium"]["mode"]) == ("host-gw", "native, in place of kube-proxy")
    for name in ("kube-flannel-cfg", "cilium-config"):
        client.delete(ObjectRef("v1", "ConfigMap", name, "kube-system"))


def test_the_same_cni_a_second_time_is_refused(ring: str, client: KubeClient) -> None:
    info = Module("cni_cluster_info", {"kubeconfig": ring})
    assert info.succeeds(expected="flannel")["state"] == "none"
    agent(client, "kube-flannel-ds", "quay.io/coreos/flannel:v0.14.0")
    message = info.fails(expected="flannel")
    assert "CNI flannel: DaemonSet 'kube-system/kube-flannel-ds' is there, which would run beside" in message
    assert "Remove that one as it was installed" in message


def test_another_cni_is_refused_before_it_is_on_any_node(ring: str, client: KubeClient) -> None:
    info = Module("cni_cluster_info", {"kubeconfig": ring, "expected": "flannel"})
    annotate(client, **{"projectcalico.org/IPv4Address": "192.0.2.1/24"})
    assert info.succeeds()["state"] == "leftovers"
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-flannel"}})
    agent(client, "kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.28.9", "kube-flannel")
    agent(client, "kube-multus-ds", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.2.2")
    info.succeeds()
    agent(client, "cilium", "quay.io/cilium/cilium:v1.20.0")
    message = info.fails(check=True)
    assert "CNI of this cluster: cilium (DaemonSet 'kube-system/cilium') is there; expected flannel alone" in message


def test_the_preflight_of_flannel_asks_for_pod_cidrs(ring: str, client: KubeClient) -> None:
    asked = {"kubeconfig": ring, "cni": "flannel", "image": "ghcr.io/flannel-io/flannel:v0.28.9"}
    preflight = Module("cni_preflight", {**asked, "pod_cidrs": ["10.244.0.0/16"]})
    assert "node worker: no podCIDR of IPv4" in preflight.fails(check=True)
    assert preflight.succeeds(node_selector={"example.com/cni": "flannel"})["changed"] is False
    client.patch(NODE, {"spec": {"podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24"]}})
    assert "warnings" not in preflight.succeeds(check=True, service_cidrs=["10.96.0.0/16"])
    assert "the Service network 10.244.128.0/17 overlaps the pod" in preflight.fails(service_cidrs=["10.244.128.0/17"])
    pinned = preflight.succeeds(image=f"ghcr.io/flannel-io/flannel@sha256:{64 * '0'}")
    assert "flannel of an unknown version: whether it fits is not checked" in str(pinned["warnings"])


def test_state_matrix_of_the_cleanup_leaves_what_is_beside(ring: str, client: KubeClient) -> None:
    cleanup = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": "calico", "wait_timeout": 60})
    annotate(client, **{"projectcalico.org/IPv4Address": "192.0.2.1/24", "flannel.alpha.coreos.com/public-ip": "x"})
    mine, other = definition("crd.projectcalico.org", "Widget"), definition("example.com", "Widget")
    held = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "finalizers": ["tigera.io/cleanup"]},
    }
    Module("manifest", {"kubeconfig": ring}).succeeds(definitions=[mine, other, held])
    first = state_matrix(cleanup)
    assert first["removed"] == [
        "Node 'worker': annotation projectcalico.org/IPv4Address",
        "CustomResourceDefinition 'widgets.crd.projectcalico.org' with 1 objects",
    ]
    definitions = {
        one["metadata"]["name"] for one in client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    }
    assert definitions == {"widgets.example.com"}
    node = client.get(NODE)
    assert node
    assert node["metadata"]["annotations"] == {**FOREIGN, "flannel.alpha.coreos.com/public-ip": "x"}


def test_a_taint_that_nobody_would_take_away_goes(ring: str, client: KubeClient) -> None:
    foreign = {"key": "example.com/dedicated", "effect": "NoSchedule"}
    taints = [{"key": "node.cilium.io/agent-not-ready", "effect": "NoExecute"}, foreign]
    client.patch(NODE, {"spec": {"taints": taints}})
    cleanup = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": "cilium"})
    assert state_matrix(cleanup)["removed"] == ["Node 'worker': taint node.cilium.io/agent-not-ready"]
    node = client.get(NODE)
    assert node
    assert node["spec"]["taints"] == [foreign]


def test_what_another_project_defines_in_a_group_of_the_cni_is_its_own(ring: str, client: KubeClient) -> None:
    """As Tetragon, which needs no Cilium, does in cilium.io."""
    Module("manifest", {"kubeconfig": ring}).succeeds(definitions=[definition("cilium.io", "PodInfo")])
    info = Module("cni_cluster_info", {"kubeconfig": ring})
    assert info.succeeds()["state"] == "none"
    cleanup = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": "cilium"})
    assert cleanup.succeeds()["removed"] == []
    Module("manifest", {"kubeconfig": ring}).succeeds(definitions=[definition("cilium.io", "CiliumGadget")])
    told = info.succeeds()
    assert told["state"] == "leftovers"
    assert told["cnis"]["cilium"]["api_groups"] == ["cilium.io"]
    assert cleanup.succeeds()["removed"] == ["CustomResourceDefinition 'ciliumgadgets.cilium.io' with 0 objects"]
    kept = ObjectRef("apiextensions.k8s.io/v1", "CustomResourceDefinition", "podinfos.cilium.io")
    assert client.delete(kept, propagation="Background")


def test_a_finalizer_of_somebody_else_is_named(ring: str, client: KubeClient) -> None:
    gadgets = definition("cilium.io", "CiliumGadget")
    metadata = {"name": "a", "finalizers": ["example.com/x"]}
    held = {"apiVersion": "cilium.io/v1", "kind": "CiliumGadget", "metadata": metadata}
    Module("manifest", {"kubeconfig": ring}).succeeds(definitions=[gadgets, held])
    message = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": "cilium"}).fails(wait_timeout=2)
    assert "CustomResourceDefinition 'ciliumgadgets.cilium.io': it is still being deleted" in message
    client.forget_kinds("cilium.io/v1")
    client.patch(ObjectRef("cilium.io/v1", "CiliumGadget", "a"), {"metadata": {"finalizers": None}})


def test_one_that_runs_is_not_cleaned_up(ring: str, client: KubeClient) -> None:
    agent(client, "weave-net", "weaveworks/weave-kube:2.8.1")
    cleanup = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": "weave"})
    assert "CNI weave: DaemonSet 'kube-system/weave-net' is still there" in cleanup.fails()
    assert "the run refuses unless it is gone by then" in str(cleanup.succeeds(check=True)["warnings"])


@pytest.mark.parametrize("cni", ["calico", "flannel"])
def test_a_part_of_one_that_runs_is_not_cleaned_up(ring: str, client: KubeClient, cni: str) -> None:
    agent(client, "canal", "docker.io/calico/node:v3.28.5")
    notes = {"projectcalico.org/IPv4Address": "192.0.2.1/24", "flannel.alpha.coreos.com/public-ip": "192.0.2.1"}
    annotate(client, **notes)
    cleanup = Module("cni_cluster_cleanup", {"kubeconfig": ring, "cni": cni})
    assert f"CNI {cni}: DaemonSet 'kube-system/canal' is still there" in cleanup.fails()
    assert "DaemonSet 'kube-system/canal' is still there" in str(cleanup.succeeds(check=True)["warnings"])
    node = client.get(NODE)
    assert node
    assert node["metadata"]["annotations"] == {**FOREIGN, **notes}


@pytest.mark.parametrize("options", [{}, {"cni": "antrea"}, {"cni": "calico", "wait_timeout": "soon"}])
def test_bad_input_is_named(ring: str, options: dict[str, Any]) -> None:
    message = Module("cni_cluster_cleanup", {"kubeconfig": ring}).fails(**options)
    assert any(words in message for words in ("required arguments: cni", "value of cni must be one of", "wait_timeout"))


@pytest.mark.parametrize(
    ("running", "left", "state"),
    [
        ([], [], "none"),
        (["canal"], ["calico", "flannel"], "one"),
        (["canal"], ["cilium"], "leftovers"),
        (["multus", "calico"], [], "one"),
        (["flannel", "calico"], [], "mixed"),
    ],
)
def test_states(running: list[str], left: list[str], state: str) -> None:
    found = {**{cni: {"running": True} for cni in running}, **{cni: {"running": False} for cni in left}}
    assert state_of(found) == state
    assert set(found) <= set(MARKS)


# ---- what a node's firewall has to know ----------------------------------------------------------------------------


def config_map(client: KubeClient, name: str, **data: str) -> None:
    metadata = {"name": name, "namespace": "kube-system"}
    client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def test_how_a_cni_that_runs_carries_packets(ring: str, client: KubeClient) -> None:
    info = Module("cluster_network_info", {"kubeconfig": ring})
    nothing = info.succeeds()
    assert (nothing["cnis"], nothing["cnis_unread"]) == ({}, "")
    agent(client, "kube-proxy", "registry.k8s.io/kube-proxy:v1.36.3")
    agent(client, "kube-multus-ds", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.2.2")
    agent(client, "cilium", "quay.io/cilium/cilium:v1.20.0")
    assert info.succeeds()["cnis"] == {"cilium": {}}, "its ConfigMap is not there"
    config_map(
        client, "cilium-config", **{"routing-mode": "tunnel", "tunnel-protocol": "geneve", "tunnel-port": "6082"}
    )
    seen = info.succeeds(check=True)
    assert seen["cnis"] == {"cilium": {"encapsulations": ["geneve"], "port": 6082, "add_ons": []}}
    assert seen["api_requests"] == nothing["api_requests"] + 1
    agent(client, "weave-net", "weaveworks/weave-kube:2.8.1")
    assert sorted(info.succeeds()["cnis"]) == ["cilium", "weave"]


def test_how_a_calico_that_runs_carries_packets(ring: str, client: KubeClient) -> None:
    info = Module("cluster_network_info", {"kubeconfig": ring})
    agent(client, "calico-node", "quay.io/calico/node:v3.32.1")
    assert info.succeeds()["cnis"] == {"calico": {}}, "there are no pools"
    group = "crd.projectcalico.org"
    pool = {
        "apiVersion": f"{group}/v1",
        "kind": "IPPool",
        "metadata": {"name": "one"},
        "spec": {"cidr": "10.244.0.0/16", "ipipMode": "CrossSubnet", "vxlanMode": "Never"},
    }
    felix = {
        "apiVersion": f"{group}/v1",
        "kind": "FelixConfiguration",
        "metadata": {"name": "default"},
        "spec": {"wireguardEnabled": True},
    }
    wanted = [definition(group, "IPPool"), definition(group, "FelixConfiguration"), pool, felix]
    Module("manifest", {"kubeconfig": ring}).succeeds(definitions=wanted)
    assert info.succeeds()["cnis"] == {
        "calico": {"encapsulations": ["ipip-crosssubnet"], "port": 0, "add_ons": ["wireguard"]}
    }


def test_who_may_not_look_learns_the_rest(ring: str, client: KubeClient) -> None:
    """The permissions that the module needed before it told CNIs."""
    agent(client, "kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.28.9")
    user = {"kind": "ServiceAccount", "name": "reader", "namespace": "default"}
    config_map(client, "kube-proxy", **{"config.conf": "{kind: KubeProxyConfiguration, mode: nftables}"})
    known = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["kubeadm-config"], "verbs": ["get"]}
    rules = [known, {"apiGroups": [""], "resources": ["services", "nodes", "pods"], "verbs": ["get", "list"]}]
    rbac = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "reader"}, "rules": rules}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "reader"},
        "subjects": [user],
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "default"}}
    for one in (account, role, binding):
        client.apply(one)
    path = "/api/v1/namespaces/default/serviceaccounts/reader/token"
    token = client.raw("POST", path, body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    config = yaml.safe_load(Path(ring).read_text())
    server = config["clusters"][0]["cluster"]["server"]
    options = {"host": server, "api_key": token["status"]["token"], "validate_certs": False}
    told = Module("cluster_network_info", options).succeeds()
    assert told["cnis"] == {}
    assert "daemonsets.apps is forbidden" in told["cnis_unread"]
    assert told["kube_proxy_mode"] == ""
    assert Module("cluster_network_info", {"kubeconfig": ring}).succeeds()["kube_proxy_mode"] == "nftables"
    assert [one["name"] for one in told["nodes"]] == [NODE.name]
