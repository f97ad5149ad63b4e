# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Pod networks in terms in which two CNIs can be compared: which addresses a node's pods get, and how packets go.

One that is there is read from the CNI's own objects: Flannel's ConfigMap, Calico's pools, blocks and
FelixConfiguration, Cilium's ConfigMap and CiliumNodes, the environment of Weave's DaemonSet. One that is wanted is
read from the settings of its role.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CalicoError, pools_of
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import TUNNELS
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import require_pod_cidrs
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import SwitchError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_tunnel import is_claimable
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import Pool
    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import NodeFacts

# What each project takes where nobody says it (flannel, backends.md; calico, FelixConfiguration; cilium, values.yaml;
# weave, IPALLOC_RANGE).
FLANNEL_PORT, FLANNEL_VNI = 8472, 1
CALICO_PORT, CALICO_VNI = 4789, 4096
CILIUM_PORT = 8472
CILIUM_PORTS = {"vxlan": CILIUM_PORT, "geneve": 6081}
WEAVE_RANGE = "10.32.0.0/12"
ANY_NODE = "any node"


@dataclass(frozen=True)
class PodNetwork:
    """A CNI's pod network.

    :param ranges: by node, the networks that its pods' addresses are from.
    :param shared: networks that any node's pods get addresses from.
    :param pod_cidrs: by node, what Kubernetes has given it.
    :param port: UDP port of VXLAN; 0 without.
    :param not_plain_vxlan: why its packets are not those of one VXLAN over IPv4 between all nodes.
    :param way_to_other_addresses: how to give it other addresses, as an imperative sentence.
    """

    cni: str
    ranges: Mapping[str, tuple[str, ...]]
    shared: tuple[str, ...] = ()
    pod_cidrs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    port: int = 0
    vni: int = 0
    not_plain_vxlan: tuple[str, ...] = ()
    serves_host_ports: bool = True
    way_to_other_addresses: str = ""

    @property
    def all_ranges(self) -> list[tuple[str, str]]:
        """Every network with the node whose pods get addresses of it, or ANY_NODE."""
        own = [(cidr, name) for name, cidrs in sorted(self.ranges.items()) for cidr in cidrs]
        return own + [(cidr, ANY_NODE) for cidr in self.shared]


def pod_cidrs(nodes: Iterable[NodeFacts]) -> dict[str, tuple[str, ...]]:
    return {node.name: node.pod_cidrs for node in nodes}


# ---- networks that are there ----------------------------------------------------------------------------------------


def live_flannel(config_map: Mapping[str, Any], nodes: Sequence[NodeFacts]) -> PodNetwork:
    """Flannel as its ConfigMap says it."""
    conf = json.loads((config_map.get("data") or {}).get("net-conf.json") or "{}")
    backend = conf.get("Backend") or {}
    return _flannel(
        nodes,
        kind=str(backend.get("Type") or "udp"),
        port=int(backend.get("Port") or FLANNEL_PORT),
        vni=int(backend.get("VNI") or FLANNEL_VNI),
        is_direct=bool(backend.get("DirectRouting")),
    )


def _flannel(nodes: Sequence[NodeFacts], *, kind: str, port: int, vni: int, is_direct: bool) -> PodNetwork:
    reasons = [] if kind == "vxlan" else [f"its back-end is {kind}, not vxlan"]
    reasons += ["it routes directly within a network" for _one in [1] if is_direct]
    return PodNetwork(
        cni="flannel",
        ranges=pod_cidrs(nodes),
        pod_cidrs=pod_cidrs(nodes),
        port=port if kind == "vxlan" else 0,
        vni=vni,
        not_plain_vxlan=(*reasons, *_families(nodes)),
        way_to_other_addresses=(
            "Flannel takes the nodes' podCIDR: move pods to a Calico pool of another network first "
            "(calico_pools, docs/calico.md), and recreate them"
        ),
    )


def _families(nodes: Iterable[NodeFacts]) -> list[str]:
    six = any(":" in cidr for node in nodes for cidr in node.pod_cidrs)
    return ["nodes have podCIDRs of IPv6"] if six else []


def live_calico(
    pools: Sequence[Mapping[str, Any]],
    felix: Mapping[str, Any],
    blocks: Sequence[Mapping[str, Any]],
    nodes: Sequence[NodeFacts],
) -> PodNetwork:
    """Calico as its pools, its default FelixConfiguration and its blocks say it.

    A block is its node's; one of no node counts for all.
    """
    ranges: dict[str, tuple[str, ...]] = {node.name: () for node in nodes}
    shared: list[str] = []
    for block in blocks:
        spec = block["spec"]
        owner = str(spec.get("affinity") or "").partition("host:")[2]
        if owner in ranges:
            ranges[owner] = (*ranges[owner], spec["cidr"])
        elif any(one is not None for one in spec.get("allocations") or []):
            shared.append(spec["cidr"])
    settings = felix.get("spec") or {}
    reasons = [
        f"pool {pool['metadata']['name']} is not all VXLAN"
        for pool in pools
        if pool["spec"].get("vxlanMode") != "Always" and not pool["spec"].get("disabled")
    ]
    reasons += ["it encrypts with WireGuard" for _one in [1] if settings.get("wireguardEnabled")]
    return PodNetwork(
        cni="calico",
        ranges=ranges,
        shared=tuple(shared),
        pod_cidrs=pod_cidrs(nodes),
        port=int(settings.get("vxlanPort") or CALICO_PORT),
        vni=int(settings.get("vxlanVNI") or CALICO_VNI),
        not_plain_vxlan=(*reasons, *_families(nodes)),
    )


def live_cilium(
    config_map: Mapping[str, Any], cilium_nodes: Sequence[Mapping[str, Any]], nodes: Sequence[NodeFacts]
) -> PodNetwork:
    """Cilium as its ConfigMap and its CiliumNodes say it."""
    settings = config_map.get("data") or {}
    own = {
        one["metadata"]["name"]: tuple(((one.get("spec") or {}).get("ipam") or {}).get("podCIDRs") or ())
        for one in cilium_nodes
    }
    is_tunnel = settings.get("routing-mode", "tunnel") == "tunnel"
    return PodNetwork(
        cni="cilium",
        ranges={node.name: own.get(node.name) or node.pod_cidrs for node in nodes},
        pod_cidrs=pod_cidrs(nodes),
        port=int(settings.get("tunnel-port") or CILIUM_PORT) if is_tunnel else 0,
    )


def live_weave(daemon_set: Mapping[str, Any], nodes: Sequence[NodeFacts]) -> PodNetwork:
    """Weave Net as the environment of its DaemonSet says it: one range for all nodes."""
    containers = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or []
    set_to = [
        one.get("value")
        for container in containers
        for one in container.get("env") or []
        if one["name"] == "IPALLOC_RANGE"
    ]
    return PodNetwork(
        cni="weave",
        ranges={node.name: () for node in nodes},
        shared=(str((set_to or [None])[0] or WEAVE_RANGE),),
        pod_cidrs=pod_cidrs(nodes),
    )


# ---- networks that are wanted ---------------------------------------------------------------------------------------


def wanted(cni: str, settings: Mapping[str, Any], cidrs: Sequence[str], nodes: Sequence[NodeFacts]) -> PodNetwork:
    """The network that a role would make.

    :param settings: what the role's task file ``settings`` tells.
    :param cidrs: the cluster's pod networks.
    :raises NetopsError: a setting cannot be read; or it gives addresses of the nodes' podCIDRs, and a node has none: it
        would be emptied for a CNI that never works on it.
    """
    if cni == "flannel":
        require_pod_cidrs(pod_cidrs(nodes), cidrs)
        return _flannel(
            nodes,
            kind=str(settings["backend"]),
            port=int(settings["port"]),
            vni=int(settings["vni"]),
            is_direct=bool(settings["direct_routing"]),
        )
    if cni == "calico":
        return _wanted_calico(settings, cidrs, nodes)
    return _wanted_cilium(settings, cidrs, nodes)


def _wanted_calico(settings: Mapping[str, Any], cidrs: Sequence[str], nodes: Sequence[NodeFacts]) -> PodNetwork:
    pools = [pool for pool in _asked_pools(settings, cidrs) if not pool.disabled]
    reasons = [] if settings["mode"] == "manifest" else ["its operator does not leave the tunnel's settings alone"]
    encapsulations = {pool.encapsulation for pool in pools}
    if encapsulations - {"VXLAN"}:
        reasons.append(f"calico_encapsulation is {', '.join(sorted(map(str, encapsulations)))}, not VXLAN")
    reasons += [f"calico_{name} is set" for name in ("bgp", "wireguard") if settings[name]]
    # A node's blocks are claimed for it where its podCIDR lies in a pool, so that both CNIs give it the same addresses.
    held = {
        node.name: {cidr: pool for cidr in node.pod_cidrs for pool in pools if _holds(pool, cidr)} for node in nodes
    }
    outside = sorted(node.name for node in nodes if len(held[node.name]) != len(node.pod_cidrs))
    reasons += [f"no pool holds the podCIDR of {', '.join(outside)}" for _one in [1] if outside]
    claims = {
        name: {cidr: pool for cidr, pool in some.items() if _is_claimed(pool, cidr)} for name, some in held.items()
    }
    claimed = {pool for some in claims.values() for pool in some.values()}
    wide = [(pool, cidr) for name, some in held.items() for cidr, pool in some.items() if cidr not in claims[name]]
    open_pools = {pool for pool, _cidr in wide}
    return PodNetwork(
        cni="calico",
        ranges={name: tuple(some) for name, some in claims.items()},
        shared=tuple(pool.cidr for pool in pools if pool in open_pools or pool not in claimed),
        pod_cidrs=pod_cidrs(nodes),
        port=int(settings["vxlan_port"]),
        vni=int(settings["vxlan_vni"]),
        not_plain_vxlan=(*reasons, *_families(nodes)),
        way_to_other_addresses="Name a pool of another network in calico_pools"
        + "".join(
            f" for {pool.cidr}: a podCIDR such as {cidr} has too many blocks of /{pool.blocks} to give its node all"
            for pool, cidr in wide[:1]
        ),
    )


def _asked_pools(settings: Mapping[str, Any], cidrs: Sequence[str]) -> Sequence[Pool]:
    try:
        return pools_of(cidrs, settings["pools"], settings["encapsulation"])
    except CalicoError as error:
        raise SwitchError(f"calico_pools, {error.subject}", error.seen, error.expected) from error


def _holds(pool: Pool, cidr: str) -> bool:
    return within(network("podCIDR", cidr), [network("pool", pool.cidr)])


def _is_claimed(pool: Pool, cidr: str) -> bool:
    return is_claimable(network("podCIDR", cidr), pool.blocks)


def _wanted_cilium(settings: Mapping[str, Any], cidrs: Sequence[str], nodes: Sequence[NodeFacts]) -> PodNetwork:
    values = settings["values"]
    ipam = values.get("ipam") or {}
    per_node = ipam.get("mode") == "kubernetes"
    if per_node:
        require_pod_cidrs(pod_cidrs(nodes), cidrs)
    operator = ipam.get("operator") or {}
    pools = [
        *(operator.get("clusterPoolIPv4PodCIDRList") or [one for one in cidrs if ":" not in one]),
        *(operator.get("clusterPoolIPv6PodCIDRList") or [one for one in cidrs if ":" in one]),
    ]
    chained = (values.get("cni") or {}).get("chainingMode") == "portmap"
    tunnel = settings["tunnel"]
    if tunnel not in TUNNELS:
        raise SwitchError("cilium_tunnel", repr(tunnel), f"one of {', '.join(TUNNELS)}")
    return PodNetwork(
        cni="cilium",
        ranges=pod_cidrs(nodes) if per_node else {node.name: () for node in nodes},
        shared=() if per_node else tuple(pools),
        pod_cidrs=pod_cidrs(nodes),
        port=int(values.get("tunnelPort") or CILIUM_PORTS[tunnel]) if tunnel != "none" else 0,
        serves_host_ports=bool(settings["kube_proxy_replacement"]) or chained,
        way_to_other_addresses=(
            "Set cilium_values: {ipam: {mode: kubernetes}}, or name another network in "
            "cilium_values.ipam.operator.clusterPoolIPv4PodCIDRList"
        ),
    )
