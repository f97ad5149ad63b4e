# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What the API says of a cluster whose CNI is to be switched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CALICO_API
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    LABEL,
    STEP,
    BudgetFacts,
    Found,
    NodeFacts,
    PodFacts,
    Record,
    SwitchError,
    record_from,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import (
    PodNetwork,
    live_calico,
    live_cilium,
    live_flannel,
    live_weave,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import uses_pod_network
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

RECORD = ObjectRef("v1", "ConfigMap", "netops-cni-switch", "kube-system")
# What each CNI runs on every node, by the names that upstream's manifests, operators and charts give.
AGENTS = {
    "calico": (("kube-system", "calico-node"), ("calico-system", "calico-node")),
    "cilium": (("kube-system", "cilium"), ("kube-system", "cilium-envoy")),
    "flannel": (("kube-flannel", "kube-flannel-ds"), ("kube-system", "kube-flannel-ds")),
    "weave": (("kube-system", "weave-net"),),
}
FLANNEL_CONFIG = "kube-flannel-cfg"
CILIUM_CONFIG = ObjectRef("v1", "ConfigMap", "cilium-config", "kube-system")
FELIX = ObjectRef(CALICO_API, "FelixConfiguration", "default")
KUBE_PROXY = ObjectRef("apps/v1", "DaemonSet", "kube-proxy", "kube-system")
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
# Policies by what a user calls them.
POLICIES = (
    ("NetworkPolicy", "networking.k8s.io/v1", "NetworkPolicy"),
    ("GlobalNetworkPolicy", CALICO_API, "GlobalNetworkPolicy"),
    ("NetworkPolicy of Calico", CALICO_API, "NetworkPolicy"),
    ("CiliumNetworkPolicy", "cilium.io/v2", "CiliumNetworkPolicy"),
    ("CiliumClusterwideNetworkPolicy", "cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
)


def agents(client: KubeClient, cni: str) -> list[Object]:
    """The DaemonSets of a CNI that are there."""
    found = [client.get(ObjectRef("apps/v1", "DaemonSet", name, namespace)) for namespace, name in AGENTS[cni]]
    return [one for one in found if one is not None]


def record_of(client: KubeClient) -> Optional[Record]:
    """The switch that is under way; nothing without one.

    :raises SwitchError: what is noted of it cannot be read.
    """
    live = client.get(RECORD)
    return None if live is None else record_from(live.get("data") or {}, str(RECORD))


def found(client: KubeClient, hosts: Sequence[str], active: Mapping[str, str]) -> Found:
    """The cluster as it is.

    :param hosts: the nodes that the play reaches.
    :param active: the CNI that their container runtimes use.
    """
    pods = [pod for pod in client.list("v1", "Pod") if uses_pod_network(pod)]
    has_kube_proxy = client.get(KUBE_PROXY) is not None
    replaces = (client.get(CILIUM_CONFIG) or {}).get("data", {}).get("kube-proxy-replacement") == "true"
    return Found(
        nodes=tuple(map(node_facts, client.list("v1", "Node"))),
        pods=tuple(map(_pod, pods)),
        installed=tuple(cni for cni in AGENTS if agents(client, cni)),
        hosts=tuple(hosts),
        budgets=tuple(
            _budget(one)
            for one in client.list("policy/v1", "PodDisruptionBudget")
            # Without a selector it selects none, other than with an empty one (k8s.io/api, policy/v1).
            if one["spec"].get("selector") is not None
        ),
        active=dict(active),
        policies={
            name: sum(1 for _one in client.list(api_version, kind))
            for name, api_version, kind in POLICIES
            if client.serves(api_version, kind)
        },
        is_operated=client.get(ObjectRef("apps/v1", "DaemonSet", "calico-node", "calico-system")) is not None,
        replaces_kube_proxy=replaces and not has_kube_proxy,
        has_kube_proxy=has_kube_proxy,
        record=record_of(client),
    )


def node_facts(node: Mapping[str, Any]) -> NodeFacts:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    labels = metadata.get("labels") or {}
    notes = metadata.get("annotations") or {}
    addresses = [one["address"] for one in status.get("addresses") or [] if one["type"] == "InternalIP"]
    ready = [one for one in status.get("conditions") or [] if one["type"] == "Ready"]
    return NodeFacts(
        name=metadata["name"],
        ready=bool(ready) and ready[0]["status"] == "True",
        schedulable=not spec.get("unschedulable"),
        is_control_plane=CONTROL_PLANE in labels,
        label=labels.get(LABEL, ""),
        step=notes.get(STEP, ""),
        pod_cidrs=tuple(spec.get("podCIDRs") or ()),
        address=next((one for one in addresses if ":" not in one), ""),
        notes=notes,
    )


def _pod(pod: Mapping[str, Any]) -> PodFacts:
    metadata, spec = pod["metadata"], pod["spec"]
    owners = [one["kind"] for one in metadata.get("ownerReferences") or [] if one.get("controller")]
    # Somebody has let it go already: nothing is lost that was to be kept.
    gone = "deleted" if metadata.get("deletionTimestamp") else ""
    ports = [port.get("hostPort") for one in spec["containers"] for port in one.get("ports") or []]
    return PodFacts(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node_name=spec["nodeName"],
        owner=owners[0] if owners else gone,
        labels=metadata.get("labels") or {},
        host_ports=tuple(port for port in ports if port),
        has_empty_dir=any("emptyDir" in volume for volume in spec.get("volumes") or []),
    )


def _budget(budget: Mapping[str, Any]) -> BudgetFacts:
    metadata, status = budget["metadata"], budget.get("status") or {}
    name = f"{metadata['namespace']}/{metadata['name']}"
    return BudgetFacts(
        namespace=metadata["namespace"],
        name=metadata["name"],
        selector=Fields(f"PodDisruptionBudget '{name}'").selector(budget["spec"]["selector"], "spec.selector"),
        expected=status.get("expectedPods", 0),
        desired=status.get("desiredHealthy", 0),
    )


def network_of(client: KubeClient, cni: str, nodes: Sequence[NodeFacts]) -> PodNetwork:
    """The pod network of a CNI that is there.

    :raises SwitchError: the object that tells it is not.
    """
    if cni == "flannel":
        [agent, *_others] = agents(client, cni)
        ref = ObjectRef("v1", "ConfigMap", FLANNEL_CONFIG, agent["metadata"]["namespace"])
        return live_flannel(_required(client, ref), nodes)
    if cni == "calico":
        pools, blocks = (list(client.list(CALICO_API, kind)) for kind in ("IPPool", "IPAMBlock"))
        return live_calico(pools, client.get(FELIX) or {}, blocks, nodes)
    if cni == "cilium":
        served = client.serves("cilium.io/v2", "CiliumNode")
        own = list(client.list("cilium.io/v2", "CiliumNode")) if served else []
        return live_cilium(_required(client, CILIUM_CONFIG), own, nodes)
    [agent, *_others] = agents(client, cni)
    return live_weave(agent, nodes)


def _required(client: KubeClient, ref: ObjectRef) -> Object:
    live = client.get(ref)
    if live is None:
        raise SwitchError(str(ref), "it is not there", "the configuration of the CNI that runs")
    return live


def agent_pods(client: KubeClient, cni: str, node_name: str) -> list[Object]:
    """The pods of a CNI's agents on a node."""
    pods: list[Object] = []
    for agent in agents(client, cni):
        labels = agent["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        place = f"spec.nodeName={node_name}"
        pods += client.list("v1", "Pod", agent["metadata"]["namespace"], selector, place)
    return pods


def lack_of(client: KubeClient, cni: str, node_name: str) -> str:
    """What a node still lacks before pods can run there with a CNI; empty when it lacks nothing."""
    pods = agent_pods(client, cni, node_name)
    wanted = len(agents(client, cni))
    if len(pods) < wanted or not wanted:
        return f"{len(pods)} of {wanted or 'its'} agents of {cni} are there"
    for pod in pods:
        reason = "it is on its way out" if pod["metadata"].get("deletionTimestamp") else not_ready(pod)
        if reason:
            return f"pod '{pod['metadata']['namespace']}/{pod['metadata']['name']}': {reason}"
    node = client.get(ObjectRef("v1", "Node", node_name)) or {}
    for one in (node.get("status") or {}).get("conditions") or []:
        if (one["type"], one["status"]) in {("Ready", "False"), ("Ready", "Unknown"), ("NetworkUnavailable", "True")}:
            return f"its condition {one['type']} is {one['status']}: {one.get('message', '')}"
    return ""
