# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches of the CNI against a real API server, with the real DaemonSet controller; only kubelets are played.

Flannel's objects are the role's, Calico's and Cilium's those of upstream's manifest and chart. Weave Net, which nobody
publishes any more, is there by the names of its objects.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni import flannel as flannel_core
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import Calico, Pool
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_cluster import objects_of, remove
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_ipam import allocations
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import Placement
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    BETWEEN,
    LABEL,
    STEP,
    Record,
    SwitchError,
    Wish,
    pending,
    record_for,
    source_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_cluster import RBAC, ClusterSteps
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_node import NodeSteps
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_operator import CONFIGURATION, OPERATOR
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import (
    RECORD,
    agents,
    found,
    record_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_steering import HELD
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_tunnel import (
    BACKEND_DATA,
    PUBLIC_ADDRESS,
    TUNNEL_ADDRESS,
    TUNNEL_MAC,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import converge
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.api.test_calico import MIRROR
from tests.support.modules import Module
from tests.support.mortal import Killed, Mortal
from tests.support.played_kubelets import PlayedKubelets
from tests.support.workloads_double import WorkloadsDouble
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CIDR = "10.244.0.0/16"
CONTROL, WORKER = "control", "worker"
NODES = {CONTROL: ("10.244.0.0/24", "192.0.2.11"), WORKER: ("10.244.1.0/24", "192.0.2.12")}
MAC = "56:1d:8d:30:79:0{}"
SETTINGS: dict[str, dict[str, Any]] = {
    "calico": {
        "mode": "manifest",
        "encapsulation": "VXLAN",
        "pools": [],
        "bgp": False,
        "wireguard": False,
        "vxlan_port": 8472,
        "vxlan_vni": 1,
    },
    "flannel": {"backend": "vxlan", "port": 8472, "vni": 1, "direct_routing": False},
    "cilium": {
        "tunnel": "vxlan",
        "kube_proxy_replacement": False,
        "values": {"ipam": {"mode": "kubernetes"}},
    },
}
LABELS = {"app": "agent"}
WEAVE = ObjectRef("apps/v1", "DaemonSet", "weave-net", "kube-system")
NOT_READY = {"key": "node.cilium.io/agent-not-ready", "effect": "NoSchedule"}


# ---- the cluster ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ring(programs: Path, tmp_path: Path) -> Iterator[str]:
    """Two nodes whose kubelets are played, with a DaemonSet and a ReplicaSet's pod on the pod network."""
    with ApiRing(programs, tmp_path) as started:
        kubeconfig = str(started.kubeconfig)
        client = connect({"kubeconfig": kubeconfig})
        for number, (name, (cidr, address)) in enumerate(NODES.items()):
            client.create(node(number, name, cidr, address))
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        client.create(daemon_set("agent", "shop", LABELS, host_network=False))
        with PlayedKubelets(kubeconfig, ""):
            yield kubeconfig


@pytest.fixture
def client(ring: str) -> KubeClient:
    return connect({"kubeconfig": ring})


def node(number: int, name: str, cidr: str, address: str) -> dict[str, Any]:
    """A node as Flannel has left it."""
    notes = {BACKEND_DATA: f'{{"VNI":1,"VtepMAC":"{MAC.format(number)}"}}', PUBLIC_ADDRESS: address}
    roles = {"node-role.kubernetes.io/control-plane": ""} if name == CONTROL else {}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, **roles}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": notes},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "allocatable": {"cpu": "64", "memory": "64Gi", "pods": "110"},
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def daemon_set(name: str, namespace: str, labels: dict[str, str], *, host_network: bool = True) -> dict[str, Any]:
    pod = {
        "containers": [{"name": "main", "image": "registry.example.com/main:1"}],
        "hostNetwork": host_network,
        "tolerations": [{"operator": "Exists"}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def owned_pod(client: KubeClient, name: str, on: str) -> ObjectRef:
    """A pod of a ReplicaSet, whose controller does not run here."""
    labels = {"app": name}
    container = {"name": "main", "image": "registry.example.com/main:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": "shop"}
    owner = client.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": owner["metadata"]["uid"]}
    owned = {**metadata, "labels": labels, "ownerReferences": [{**reference, "controller": True}]}
    pod = {"nodeName": on, "containers": [container]}
    made = client.create({"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": pod})
    wait_ready(client, [made], 60.0)
    return ObjectRef("v1", "Pod", name, "shop")


def budget(client: KubeClient, name: str, *, allowed: int) -> None:
    """A PodDisruptionBudget as its controller, which does not run here, would leave it."""
    metadata = {"name": name, "namespace": "shop"}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}}
    ref = ObjectRef("policy/v1", "PodDisruptionBudget", name, "shop")
    client.apply({"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "spec": spec})
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1 + allowed, "desiredHealthy": 1, "expectedPods": 2}
    path = f"{client.path(ref.api_version, ref.kind, 'shop', name)}/status"
    body = {"status": {**status, "observedGeneration": 1}}
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")


# ---- the CNIs -------------------------------------------------------------------------------------------------------


def provide(client: KubeClient, cni: str, selector: dict[str, str]) -> None:
    """What the role of a CNI applies; nobody waits for pods here."""
    if cni == "flannel":
        objects = flannel_core.objects(flannel_core.Flannel((CIDR,), node_selector=selector))
    else:
        calico = Calico(
            "v3.28.5",
            (Pool("default-ipv4-ippool", CIDR),),
            mode="manifest",
            vxlan_port=8472,
            vxlan_vni=1,
            node=Placement(node_selector=selector),
        )
        objects = objects_of(calico, load([], [str(MIRROR / "calico" / "v3.28.5" / "calico.yaml")], {}))
    converge(client, objects, owner=cni, prune=False, force=False, check=False, timeout=60)


def take_away(client: KubeClient, cni: str) -> None:
    if cni == "calico":
        remove(client, check=False, timeout=90)


def switch(client: KubeClient, target: str, *, by: Any = None, only: int = 99) -> None:
    """All that the role does on the cluster.

    :param by: the client that takes the steps; it may die.
    :param only: how many nodes are switched before the run ends.
    """
    by = by or client
    wish = Wish(target, settings=SETTINGS[target])
    # A run of its own has not seen which kinds there were before.
    client.forget_kinds("crd.projectcalico.org/v1")
    cluster = found(client, list(NODES), {})
    if cluster.record is None and not source_of(cluster, wish):
        return
    record = record_for(cluster, wish)
    whole = ClusterSteps(by, check=False, timeout=60)
    nodes = NodeSteps(by, check=False, timeout=60)
    whole.begin(record)
    comes = record.target == record.other
    if comes and record.stage == "nodes" and not agents(client, target):
        provide(client, target, {LABEL: target})
    for one in pending(record, cluster.nodes)[:only]:
        nodes.empty(one.name, delete_unmanaged=False)
        nodes.fill(one.name)
        nodes.open(one.name)
    if only < len(NODES):
        return
    whole.settle()
    take_away(client, record.source)
    if comes and LABEL in str(agents(client, target)[0]["spec"]):
        provide(client, target, {})
    whole.end()


def nodes_of(client: KubeClient, cni: str) -> set[str]:
    """Where the agents of a CNI run, or will."""
    names: set[str] = set()
    for agent in agents(client, cni):
        labels = agent["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = client.list("v1", "Pod", agent["metadata"]["namespace"], selector)
        # One that was just made has no node yet.
        names |= {pod["spec"].get("nodeName", "") for pod in pods if not pod["metadata"].get("deletionTimestamp")}
    return names - {""}


def require_everywhere(client: KubeClient, cni: str) -> None:
    """Require agents on all nodes; their DaemonSet's last change is rolled out meanwhile, a pod at a time."""
    deadline = time.monotonic() + 60
    while (seen := nodes_of(client, cni)) != set(NODES) and time.monotonic() < deadline:
        time.sleep(0.5)
    # What was waited for: at another look the roll-out may be at the next pod.
    assert seen == set(NODES)


def require_ended(client: KubeClient, cni: str, gone: str) -> None:
    """One CNI on every node, all of them open, and no trace of the other or of the switch."""
    require_everywhere(client, cni)
    assert not agents(client, gone)
    assert client.get(RECORD) is None
    for one in client.list("v1", "Node"):
        notes = one["metadata"].get("annotations") or {}
        assert LABEL not in one["metadata"]["labels"]
        assert STEP not in notes
        assert not one["spec"].get("unschedulable")
        prefix = {"calico": "projectcalico.org/", "flannel": "flannel.alpha.coreos.com/"}[gone]
        assert not [name for name in notes if name.startswith(prefix)]
    for agent in agents(client, cni):
        assert HELD not in (agent["metadata"].get("annotations") or {})
        assert LABEL not in str(agent["spec"])


def agent_uids(client: KubeClient) -> set[str]:
    return {pod["metadata"]["uid"] for pod in client.list("v1", "Pod", "shop", "app=agent")}


# ---- Flannel and Calico ---------------------------------------------------------------------------------------------


def test_there_and_back_by_the_modules(ring: str, client: KubeClient) -> None:
    """Plan, every step with its state matrix, and the plan again; then the way back."""
    provide(client, "flannel", {})
    web = owned_pod(client, "web", WORKER)
    plan = Module(
        "cni_switch_plan", {"kubeconfig": ring, "pod_cidrs": [CIDR], "hosts": dict.fromkeys(NODES, "flannel")}
    )
    step = Module("cni_switch", {"kubeconfig": ring, "timeout": 60})
    told = plan.succeeds(target="calico", settings=SETTINGS["calico"])
    assert told["pending_nodes"] == [WORKER, CONTROL]
    assert told["record"] == {
        "default": "flannel",
        "other": "calico",
        "target": "calico",
        "way": "joined",
        "stage": "nodes",
    }
    before = agent_uids(client)
    begun = matrix(step, state="begun", record=told["record"])
    assert begun["done"][1].startswith("DaemonSet 'kube-flannel/kube-flannel-ds': away from nodes with label")
    provide(client, "calico", told["node_selector"])
    assert nodes_of(client, "flannel") == set(NODES), "nobody has lost anything yet"
    assert nodes_of(client, "calico") == set()
    emptied = matrix(step, state="emptied", node_name=WORKER)
    assert {f"Node '{WORKER}' cordoned", "Pod 'shop/web' evicted"} <= set(emptied["done"])
    assert nodes_of(client, "flannel") == {CONTROL}
    filled = matrix(step, state="filled", node_name=WORKER)
    assert [line for line in filled["done"] if line.startswith("Pod 'shop/agent-")]
    assert nodes_of(client, "calico") == {WORKER}
    assert matrix(step, state="opened", node_name=WORKER)["done"] == [f"Node '{WORKER}' uncordoned"]
    for state in ("emptied", "filled", "opened"):
        assert step.succeeds(state=state, node_name=CONTROL)["changed"] is True
    assert client.get(web) is None
    assert not before & agent_uids(client), "pods that draining leaves were recreated"
    require_joined(client)
    matrix(step, state="settled")
    provide(client, "calico", {})
    matrix(step, state="ended")
    require_ended(client, "calico", "flannel")
    assert plan.succeeds(target="calico", settings=SETTINGS["calico"])["plan"] == []
    switch(client, "flannel")
    require_ended(client, "flannel", "calico")


def matrix(module: Module, **options: Any) -> dict[str, Any]:
    """Check, run, check again, run again."""
    predicted = module.succeeds(check=True, diff=True, **options)
    assert predicted["changed"] is True
    first = module.succeeds(diff=True, **options)
    assert first["changed"] is True
    assert set(predicted["done"]) <= set(first["done"]), "what check mode says, happens"
    for check in (True, False):
        assert module.succeeds(check=check, **options)["changed"] is False
    return first


def require_joined(client: KubeClient) -> None:
    """Calico knows every node as Flannel's: its addresses, and its end of the tunnel."""
    for number, (name, (cidr, _address)) in enumerate(NODES.items()):
        live = client.get(ObjectRef("v1", "Node", name))
        assert live
        notes = live["metadata"]["annotations"]
        assert (notes[TUNNEL_ADDRESS], notes[TUNNEL_MAC]) == (cidr.partition("/")[0], MAC.format(number))
    blocks = list(client.list("crd.projectcalico.org/v1", "IPAMBlock"))
    assert {block["spec"]["affinity"] for block in blocks} == {f"host:{name}" for name in NODES}
    assert len(blocks) == 4 * len(NODES)
    assert sorted(one.address for one in allocations(blocks)) == ["10.244.0.0", "10.244.1.0"]


def test_killed_after_every_single_write(client: KubeClient) -> None:
    """A run that dies right after each of its writes goes on where it was, there and on the way back."""
    provide(client, "flannel", {})
    for target, gone in (("calico", "flannel"), ("flannel", "calico")):
        owned_pod(client, "web", WORKER)
        deaths = 0
        while True:
            try:
                switch(client, target, by=Mortal(client, 1))
            except Killed:
                deaths += 1
                assert deaths < 100, "no run gets any further"
            else:
                break
        require_ended(client, target, gone)
        # Record, DaemonSet, two nodes with five writes each and a pod of a DaemonSet, one eviction; the end.
        assert deaths > 15, deaths


def test_back_from_the_middle(client: KubeClient) -> None:
    """One node is switched, one is half-way; the other target brings both back."""
    provide(client, "flannel", {})
    switch(client, "calico", only=1)
    assert (nodes_of(client, "calico"), nodes_of(client, "flannel")) == ({WORKER}, {CONTROL})
    NodeSteps(client, check=False, timeout=60).empty(CONTROL, delete_unmanaged=False)
    live = client.get(ObjectRef("v1", "Node", CONTROL))
    assert live
    assert live["metadata"]["labels"][LABEL] == BETWEEN
    with pytest.raises(SwitchError, match="nodes are left: control"):
        ClusterSteps(client, check=False, timeout=60).settle()
    switch(client, "flannel")
    require_ended(client, "flannel", "calico")


def test_a_budget_is_honoured_and_named(ring: str, client: KubeClient) -> None:
    provide(client, "flannel", {})
    owned_pod(client, "web", WORKER)
    budget(client, "web", allowed=0)
    step = Module("cni_switch", {"kubeconfig": ring, "timeout": 3})
    record = {"default": "flannel", "other": "calico", "target": "calico", "way": "apart"}
    step.succeeds(state="begun", record=record)
    said = step.fails(state="emptied", node_name=WORKER)
    assert "node 'worker': pods are still there after 3 s: Pod 'shop/web': Cannot evict pod" in said
    assert "disruption budget web" in said
    assert nodes_of(client, "flannel") == set(NODES), "the node keeps its network until it is empty"
    budget(client, "web", allowed=1)
    assert "Node 'worker' has left flannel" in step.succeeds(state="emptied", node_name=WORKER, timeout=60)["done"]


def test_a_node_that_was_cordoned_stays_so(client: KubeClient) -> None:
    provide(client, "flannel", {})
    client.patch(ObjectRef("v1", "Node", WORKER), {"spec": {"unschedulable": True}})
    switch(client, "calico")
    live = client.get(ObjectRef("v1", "Node", WORKER))
    assert live
    assert live["spec"]["unschedulable"] is True
    assert STEP not in live["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"state": "emptied"}, "state is emptied but all of the following are missing: node_name"),
        ({"state": "begun"}, "state is begun but all of the following are missing: record"),
        ({"state": "filled", "node_name": WORKER}, "switch of the CNI: none is under way"),
        ({"state": "settled"}, "switch of the CNI: none is under way; expected one that has begun. Run the playbook"),
        ({"state": "left"}, "value of state must be one of"),
        ({"state": "begun", "record": {"from": "flannel"}}, "record: it notes no switch"),
    ],
)
def test_bad_input(api: str, options: dict[str, Any], said: str) -> None:
    assert said in Module("cni_switch", {"kubeconfig": api}).fails(**options)


def test_steps_out_of_their_order(ring: str, client: KubeClient) -> None:
    provide(client, "flannel", {})
    step = Module("cni_switch", {"kubeconfig": ring, "timeout": 2})
    step.succeeds(state="begun", record={"default": "flannel", "other": "calico", "target": "calico", "way": "apart"})
    for state, name, said in (
        ("filled", WORKER, "node 'worker': it still has flannel"),
        ("filled", "nowhere", "node 'nowhere': this cluster has none of that name"),
        ("settled", None, "nodes are left: "),
        ("ended", None, "it has not come to its end"),
    ):
        assert said in step.fails(state=state, node_name=name)
    step.succeeds(state="emptied", node_name=WORKER, timeout=60)
    # Nothing of Calico has been applied.
    lacking = step.fails(state="filled", node_name=WORKER)
    assert "node 'worker': calico does not work there after 2 s: 0 of its agents of calico are there" in lacking
    assert "or go back with cni_switch_to: flannel" in lacking


def test_problems_are_named_together(ring: str, client: KubeClient) -> None:
    provide(client, "flannel", {})
    pod = {"nodeName": WORKER, "containers": [{"name": "main", "image": "registry.example.com/main:1"}]}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "debug", "namespace": "shop"}, "spec": pod})
    owned_pod(client, "web", WORKER)
    budget(client, "web", allowed=0)
    path = f"{client.path('policy/v1', 'PodDisruptionBudget', 'shop', 'web')}/status"
    body = {"status": {"desiredHealthy": 1, "expectedPods": 1}}
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    plan = Module("cni_switch_plan", {"kubeconfig": ring, "pod_cidrs": [CIDR], "hosts": {CONTROL: "flannel"}})
    settings = {**SETTINGS["calico"], "vxlan_port": 4789}
    for check in (True, False):
        said = plan.fails(check=check, target="calico", settings=settings)
        assert "4 things stand in its way" in said
        for part in (
            "node worker: no host of this play",
            "PodDisruptionBudget 'shop/web': it wants 1 healthy pods and counts 1",
            "pod shop/debug: no controller makes it again",
            "set calico_vxlan_port: 8472",
        ):
            assert part in said


# ---- Weave Net, and Cilium ------------------------------------------------------------------------------------------


def install_weave(client: KubeClient) -> None:
    """Weave Net's objects by their names."""
    labels = {"name": "weave-net"}
    place = {"name": "weave-net", "namespace": "kube-system"}
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "weave-net"}, "rules": []}
    client.create(role)
    client.create(daemon_set("weave-net", "kube-system", labels))


def test_weave_to_cilium_by_the_chart(ring: str, client: KubeClient, programs: Path) -> None:
    install_weave(client)
    cilium = Module(
        "cilium",
        {
            "kubeconfig": ring,
            "version": "1.20.0",
            "chart_ref": str(programs / "cilium-chart"),
            "helm": str(programs / "helm"),
            "pod_cidrs": [CIDR],
            "values": {"ipam": {"mode": "kubernetes"}},
            "wait_timeout": 90,
        },
    )
    wish = Wish("cilium", "apart", settings=SETTINGS["cilium"])
    cluster = found(client, list(NODES), {})
    record = record_for(cluster, wish)
    assert record == Record("weave", "cilium", "cilium", "apart")
    whole = ClusterSteps(client, check=False, timeout=90)
    nodes = NodeSteps(client, check=False, timeout=90)
    whole.begin(record)
    with WorkloadsDouble(ring):
        cilium.succeeds(node_selector={LABEL: "cilium"}, hubble=False)
    assert configured(client)["unmanaged-pod-watcher-interval"] == "0"
    require_everywhere(client, "weave")
    assert nodes_of(client, "cilium") == set()
    for number, name in enumerate((WORKER, CONTROL), start=1):
        nodes.empty(name, delete_unmanaged=False)
        assert name not in nodes_of(client, "weave")
        nodes.fill(name)
        nodes.open(name)
        assert len(nodes_of(client, "cilium")) == number
    whole.settle()
    assert client.get(WEAVE) is None
    assert client.get(ObjectRef(RBAC, "ClusterRole", "weave-net")) is None
    with pytest.raises(SwitchError, match="DaemonSet 'kube-system/cilium': it still follows the label"):
        whole.end()
    with WorkloadsDouble(ring):
        cilium.succeeds()
    assert configured(client)["unmanaged-pod-watcher-interval"] == "15s"
    whole.end()
    assert record_of(client) is None
    require_everywhere(client, "cilium")
    assert all(LABEL not in one["metadata"]["labels"] for one in client.list("v1", "Node"))


def configured(client: KubeClient) -> dict[str, str]:
    live = client.get(CONFIGURATION)
    assert live
    content: dict[str, str] = live["data"]
    return content


def test_from_cilium_its_operator_lets_pods_and_nodes_be_that_cilium_has_left(client: KubeClient) -> None:
    said = {"unmanaged-pod-watcher-interval": "15s", "other": "kept"}
    place = {"name": CONFIGURATION.name, "namespace": CONFIGURATION.namespace}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": said})
    client.create(daemon_set("cilium", "kube-system", {"k8s-app": "cilium"}))
    labels = {"name": OPERATOR.name}
    spec = {**daemon_set("cilium-operator", "kube-system", labels)["spec"], "replicas": 1}
    place = {"name": OPERATOR.name, "namespace": OPERATOR.namespace}
    client.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place, "spec": spec})
    require_everywhere(client, "cilium")
    foreign = {"key": "example.com/dedicated", "effect": "PreferNoSchedule"}
    client.patch(ObjectRef("v1", "Node", WORKER), {"spec": {"taints": [foreign, NOT_READY]}})
    whole = ClusterSteps(client, check=False, timeout=90)
    nodes = NodeSteps(client, check=False, timeout=90)
    away = Record("cilium", "flannel", "flannel", "apart")
    whole.begin(away)
    assert configured(client) == {**said, "unmanaged-pod-watcher-interval": "0", "set-cilium-node-taints": "false"}
    operator = client.get(OPERATOR)
    assert operator
    assert operator["spec"]["template"]["metadata"]["annotations"]
    begun = len(whole.done)
    whole.begin(away)
    assert len(whole.done) == begun
    provide(client, "flannel", {LABEL: "flannel"})
    nodes.empty(WORKER, delete_unmanaged=False)
    nodes.fill(WORKER)
    nodes.open(WORKER)
    worker = client.get(ObjectRef("v1", "Node", WORKER))
    assert worker
    assert worker["spec"]["taints"] == [foreign]
    # The way back: while nodes have the other CNI the operator lets them be, and then it is as it was.
    back = Record("cilium", "flannel", "cilium", "apart")
    whole.begin(back)
    assert configured(client)["unmanaged-pod-watcher-interval"] == "0"
    nodes.empty(WORKER, delete_unmanaged=False)
    nodes.fill(WORKER)
    nodes.open(WORKER)
    whole.settle()
    assert configured(client) == said
    operator = client.get(OPERATOR)
    assert operator
    assert not operator["spec"]["template"]["metadata"].get("annotations")
    require_everywhere(client, "cilium")


def test_weave_to_calico_in_a_network_of_its_own(client: KubeClient) -> None:
    install_weave(client)
    switch_apart(client, "calico")
    require_everywhere(client, "calico")
    assert client.get(WEAVE) is None
    assert record_of(client) is None


def switch_apart(client: KubeClient, target: str) -> None:
    wish = Wish(target, "apart", settings=SETTINGS[target])
    record = record_for(found(client, list(NODES), {}), wish)
    whole = ClusterSteps(client, check=False, timeout=90)
    nodes = NodeSteps(client, check=False, timeout=90)
    whole.begin(record)
    provide(client, target, {LABEL: target})
    for name in (WORKER, CONTROL):
        nodes.empty(name, delete_unmanaged=False)
        nodes.fill(name)
        nodes.open(name)
    whole.settle()
    provide(client, target, {})
    whole.end()
