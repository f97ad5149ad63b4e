# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that read or move the whole cluster, against a real API server; no kubelet runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError, KubeClient
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import CORDONED
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import drain as drained
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import inventory_ref, write_inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import MANAGED_BY, MANAGER, ObjectRef
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTAINERS = [{"name": "one", "image": "example.com/one"}]
# What its agent writes to its node.
OF_FLANNEL = {"flannel.alpha.coreos.com/backend-type": "vxlan"}
KUBE_PROXY = ("kube-proxy", "kube-system")
CLUSTER = """\
kind: ClusterConfiguration
networking:
  podSubnet: 10.244.0.0/16,2001:db8:244::/56
  serviceSubnet: 10.96.0.0/16
"""


@pytest.fixture
def nodes(client: KubeClient) -> Iterator[list[str]]:
    names = ["node-a", "node-b"]
    for number, name in enumerate(names, start=1):
        client.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        addresses = [{"type": "InternalIP", "address": f"192.0.2.{number}"}]
        path = f"/api/v1/nodes/{name}/status"
        body: dict[str, Any] = {"status": {"addresses": addresses}}
        client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    yield names
    for name in names:
        client.delete(ObjectRef("v1", "Node", name), propagation="Background")


@pytest.fixture
def kubeadm(client: KubeClient) -> Iterator[None]:
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ClusterConfiguration": CLUSTER}}
    client.apply(body)
    yield
    client.delete(ObjectRef("v1", "ConfigMap", "kubeadm-config", "kube-system"), propagation="Background")


@pytest.mark.usefixtures("kubeadm", "nodes")
def test_a_cluster_says_what_its_networks_are(api: str) -> None:
    result = Module("cluster_network_info", {"kubeconfig": api}).succeeds()
    assert result["changed"] is False
    assert result["pod_cidrs"] == ["10.244.0.0/16", "2001:db8:244::/56"]
    assert result["service_cidrs"] == ["10.96.0.0/16"]
    assert result["kubernetes_version"].startswith("v1.")
    assert [(node["name"], node["addresses"]) for node in result["nodes"]] == [
        ("node-a", ["192.0.2.1"]),
        ("node-b", ["192.0.2.2"]),
    ]


@pytest.mark.parametrize(
    ("configuration", "mode"),
    [
        ("mode: nftables\n", "nftables"),
        ("mode: ipvs\n", "ipvs"),
        # As kubeadm makes it: what the version has by default.
        ('mode: ""\n', "iptables"),
        (None, ""),
    ],
)
def test_a_cluster_says_in_which_mode_its_kube_proxy_is(
    api: str, client: KubeClient, configuration: str | None, mode: str
) -> None:
    info, ref = Module("cluster_network_info", {"kubeconfig": api}), ObjectRef("v1", "ConfigMap", *KUBE_PROXY)
    head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    if configuration is not None:
        metadata = dict(zip(("name", "namespace"), KUBE_PROXY))
        text = {"config.conf": head + configuration}
        client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": text})
    try:
        assert info.succeeds()["kube_proxy_mode"] == mode
        assert info.succeeds(kube_proxy_mode="nftables")["kube_proxy_mode"] == "nftables"
    finally:
        client.delete(ref, propagation="Background")


@pytest.mark.usefixtures("kubeadm", "nodes")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pod_cidrs": ["192.0.2.0/24"]}, "address of node node-a 192.0.2.1/32: it overlaps the pod network"),
        ({"service_cidrs": ["10.244.7.0/24"]}, "Service network 10.244.7.0/24: it overlaps the pod network"),
        ({"kubeconfig": "/nonexistent"}, "kubeconfig '/nonexistent'"),
    ],
)
def test_networks_that_cannot_work_are_named(api: str, options: dict[str, Any], message: str) -> None:
    assert message in Module("cluster_network_info", {"kubeconfig": api}).fails(**options)


def pod(client: KubeClient, name: str, owner: str, **spec: Any) -> None:
    """A pod that is bound to a node; its owner is there, and no controller for it."""
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if owner:
        template = {"metadata": {"labels": {"a": name}}, "spec": {"containers": [{"name": "one", "image": "one"}]}}
        workload = {"selector": {"matchLabels": {"a": name}}, "template": template}
        place = {"name": name, "namespace": "default"}
        made = client.apply({"apiVersion": "apps/v1", "kind": owner, "metadata": place, "spec": workload})
        reference = {"apiVersion": "apps/v1", "kind": owner, "name": name, "uid": made["metadata"]["uid"]}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    # Without a grace period the API server deletes it by itself: no kubelet has to agree.
    body = {"nodeName": "node-a", "terminationGracePeriodSeconds": 0, "containers": CONTAINERS, **spec}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})


@pytest.fixture
def drain(api: str, client: KubeClient, nodes: list[str]) -> Iterator[Module]:
    client.patch(ObjectRef("v1", "Node", nodes[0]), {"metadata": {"annotations": OF_FLANNEL}})
    module = Module("node_drain", {"kubeconfig": api})
    yield module
    for found in client.list("v1", "Pod", "default"):
        client.delete(ObjectRef("v1", "Pod", found["metadata"]["name"], "default"), propagation="Background")
    for kind in ("ReplicaSet", "DaemonSet"):
        for found in client.list("apps/v1", kind, "default"):
            client.delete(ObjectRef("apps/v1", kind, found["metadata"]["name"], "default"), propagation="Background")


def test_state_matrix_of_node_drain(drain: Module, client: KubeClient) -> None:
    client.patch(ObjectRef("v1", "Node", "node-b"), {"spec": {"unschedulable": True}})
    pod(client, "web", "ReplicaSet")
    pod(client, "proxy", "DaemonSet", hostNetwork=True)
    first = state_matrix(drain, state="drained", cni="flannel")
    assert first["done"] == ["Node 'node-a' cordoned", "Pod 'default/web' deleted"]
    assert [found["metadata"]["name"] for found in client.list("v1", "Pod", "default")] == ["proxy"]
    released = state_matrix(drain, state="released")
    assert released["done"] == ["Node 'node-a' uncordoned"]
    nodes = {node["metadata"]["name"]: node for node in client.list("v1", "Node")}
    assert not nodes["node-a"]["spec"].get("unschedulable")
    assert CORDONED not in (nodes["node-a"]["metadata"].get("annotations") or {})
    assert nodes["node-b"]["spec"]["unschedulable"] is True, "somebody else cordoned it"


def test_pods_are_let_be_where_the_cluster_has_nothing_of_the_cni(drain: Module, client: KubeClient) -> None:
    """Whoever repeats a removal, or names another CNI than the one that runs, does not lose pods by it."""
    pod(client, "web", "ReplicaSet")
    for check in (True, False):
        assert drain.succeeds(check=check, state="drained", cni="cilium")["done"] == []
    assert client.list("v1", "Pod", "default")
    assert not any(node["spec"].get("unschedulable") for node in client.list("v1", "Node"))
    assert "missing: cni" in drain.fails(state="drained")


def test_pods_are_let_be_where_somebody_else_installed_the_cni(drain: Module, client: KubeClient) -> None:
    """Its agents would stay, and no pod could come back."""
    pod(client, "web", "ReplicaSet")
    pod(client, "kube-flannel-ds", "DaemonSet", hostNetwork=True)
    for check in (True, False):
        message = drain.fails(check=check, state="drained", cni="flannel")
        assert "CNI flannel: DaemonSet 'default/kube-flannel-ds' is there, and not of this collection" in message
    assert len(list(client.list("v1", "Pod", "default"))) == 2
    assert not any(node["spec"].get("unschedulable") for node in client.list("v1", "Node"))
    own = {"metadata": {"labels": {MANAGED_BY: MANAGER}}}
    client.patch(ObjectRef("apps/v1", "DaemonSet", "kube-flannel-ds", "default"), own)
    assert "Pod 'default/web' deleted" in drain.succeeds(check=True, state="drained", cni="flannel")["done"]


def test_agents_of_calicos_operator_are_of_whom_installed_that(drain: Module, client: KubeClient) -> None:
    pod(client, "calico-node", "DaemonSet", hostNetwork=True)
    message = drain.fails(check=True, state="drained", cni="calico")
    assert "CNI calico: DaemonSet 'default/calico-node' is there, and not of this collection" in message
    client.create(write_inventory("calico", []))
    try:
        assert drain.succeeds(check=True, state="drained", cni="calico")["changed"] is True
    finally:
        client.delete(inventory_ref("calico"))


def test_a_pod_that_comes_back_under_its_name_is_not_waited_for(
    drain: Module, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drain
    pod(client, "web-0", "ReplicaSet")
    [first] = client.list("v1", "Pod", "default")
    delete = KubeClient.delete

    def as_a_statefulset_does(self: KubeClient, ref: ObjectRef, **options: Any) -> bool:
        deleted = delete(self, ref, **options)
        body = {key: first["metadata"][key] for key in ("name", "namespace", "ownerReferences")}
        self.create({"apiVersion": "v1", "kind": "Pod", "metadata": body, "spec": {"containers": CONTAINERS}})
        return deleted

    monkeypatch.setattr(KubeClient, "delete", as_a_statefulset_does)
    assert "Pod 'default/web-0' deleted" in drained(client, check=False, timeout=3.0)
    monkeypatch.undo()
    [again] = client.list("v1", "Pod", "default")
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


def test_only_the_pod_that_was_read_is_deleted(drain: Module, client: KubeClient) -> None:
    assert drain
    pod(client, "web", "ReplicaSet")
    ref = ObjectRef("v1", "Pod", "web", "default")
    with pytest.raises(ConflictError, match="UID"):
        client.delete(ref, uid="0-0-0")
    assert client.get(ref)


@pytest.mark.parametrize("owner", ["DaemonSet", ""])
def test_pods_that_would_not_come_back_are_named(drain: Module, client: KubeClient, owner: str) -> None:
    pod(client, "lonely", owner)
    message = drain.fails(state="drained", cni="flannel")
    assert "Pod 'default/lonely': 1 pods on the pod network are of a DaemonSet, of a file on a node, or of" in message
    assert not any(node["spec"].get("unschedulable") for node in client.list("v1", "Node"))


def test_static_pods_are_named_for_they_never_go(drain: Module, client: KubeClient) -> None:
    node = client.get(ObjectRef("v1", "Node", "node-a")) or {}
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": node["metadata"]["uid"], "controller": True}
    mirror = {"kubernetes.io/config.mirror": "0"}
    metadata = {"name": "local-node-a", "namespace": "default", "annotations": mirror, "ownerReferences": [owner]}
    spec = {"nodeName": "node-a", "terminationGracePeriodSeconds": 0, "containers": CONTAINERS}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    assert "Pod 'default/local-node-a': 1 pods on the pod network" in drain.fails(state="drained", cni="flannel")
    assert not any(node["spec"].get("unschedulable") for node in client.list("v1", "Node"))


def test_connectivity_says_what_it_could_not_prove(api: str, client: KubeClient) -> None:
    module = Module("connectivity_check", {"kubeconfig": api})
    assert module.succeeds(check=True)["summary"] == ["check mode: nothing was proven"]
    namespace = ObjectRef("v1", "Namespace", "netops-connectivity")
    assert client.get(namespace) is None
    assert "expected NAMESPACE/NAME" in module.fails(check=True, pull_secrets=["regcred"])
    assert "Secret 'default/nothing': it is not there" in module.fails(pull_secrets=["default/nothing"])
    assert client.get(namespace) is None
    for node in client.list("v1", "Node"):
        client.delete(ObjectRef("v1", "Node", node["metadata"]["name"]), propagation="Background")
    message = module.fails(timeout=20)
    assert "connectivity of the cluster: no test pod runs; expected one on every node" in message
    left = client.get(namespace)
    assert left is None or left["metadata"].get("deletionTimestamp"), "it takes its pods away also when it fails"
