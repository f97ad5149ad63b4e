# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether a cluster can have a CNI, before anything of it is applied: versions, pod networks, nodes, another CNI."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import PresenceError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import require_pod_cidrs
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import META
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import way_out
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.cluster import kernels_of, node_of
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import VERSION, require_supported
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.plan import (
    Wanted,
    mtu_warnings,
    pod_network_plan,
    require_apart,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object


@dataclass(frozen=True)
class Packets:
    """How a CNI carries packets between nodes.

    :param interfaces: MTU by interface that they take, by node; a node of which none is known is left out.
    :param encapsulation: in the CNI's words; empty takes the planner's default.
    :param wireguard: whether Calico or Cilium encrypts them.
    :param mtu: the CNI's own setting; 0 leaves it to the CNI.
    :param network: whose packets get most added; empty where all networks of pods are alike.
    """

    interfaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    encapsulation: str = ""
    wireguard: bool = False
    mtu: int = 0
    network: str = ""


@dataclass(frozen=True)
class Candidate:
    """A CNI that a cluster is to have.

    :param version: empty where nobody knows it, as of an image that is named by its digest alone.
    :param pod_cidrs: one network, or one of each family.
    :param pools: in their place networks of which there may be several of a family; their capacity is not planned.
    :param service_cidrs: those of the cluster, as far as they are known.
    :param block_sizes: prefix length of a node's piece by family, where it is not the CNI's default.
    :param node_selector: labels of the nodes that it is for; empty: all.
    :param force: make warnings of what its project does not support.
    :param dataplane: ``iptables`` or ``nftables``, whichever it writes rules with; empty where that is not asked.
    :param kube_proxy_mode: empty where nobody knows it.
    """

    cni: str
    version: str
    pod_cidrs: Sequence[str] = ()
    block_sizes: Mapping[int, int] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    pools: Sequence[str] = ()
    packets: Packets = field(default_factory=Packets)
    service_cidrs: Sequence[str] = ()
    dataplane: str = ""
    kube_proxy_mode: str = ""


def preflight(client: KubeClient, candidate: Candidate) -> list[str]:
    """Read the cluster, and require that it can have the CNI; returns warnings.

    :raises NetopsError: it cannot.
    """
    return require_fitting(candidate, client.server_version, list(client.list("v1", "Node")))


def require_fitting(candidate: Candidate, kubernetes: str, nodes: Sequence[Object]) -> list[str]:
    """Require that a cluster can have a CNI.

    Pods a node count as one: how many a node will really have, nobody can say for sure of a cluster that is there.

    :param kubernetes: the API server's version.
    :param nodes: all of the cluster.
    :returns: warnings.
    :raises NetopsError: its project does not support the versions, its network cannot be, or a node lacks something.
    """
    own = [node for node in nodes if candidate.node_selector.items() <= (node["metadata"].get("labels") or {}).items()]
    warnings = [*_require_versions(candidate, kubernetes, own), *_of_dataplane(candidate)]
    sizes = dict(candidate.block_sizes)
    if candidate.cni == "flannel":
        pieces = {node["name"]: node["pod_cidrs"] for node in map(node_of, own)}
        require_pod_cidrs(pieces, candidate.pod_cidrs)
        # As kube-controller-manager cuts them.
        cut = [network("podCIDR", cidr) for cidrs in pieces.values() for cidr in cidrs]
        sizes = {one.version: one.prefixlen for one in cut}
    networks = candidate.pod_cidrs or candidate.pools
    if networks:
        packets = candidate.packets
        wanted = Wanted(
            networks,
            candidate.cni,
            nodes=[node_of(node) for node in nodes],
            interfaces={node: devices for node, devices in packets.interfaces.items() if devices},
            encapsulation=packets.encapsulation,
            wireguard=packets.wireguard,
            block_sizes=sizes,
            pods_per_node=1,
            mtu=packets.mtu,
        )
        # Which Services a cluster has is not planned here: of them overlaps matter alone.
        require_apart(replace(wanted, service_cidrs=candidate.service_cidrs))
        if candidate.pod_cidrs:
            warnings += pod_network_plan(wanted)["warnings"]
        else:
            warnings += mtu_warnings(replace(wanted, pod_cidrs=[packets.network] if packets.network else networks))
    return warnings


def _of_dataplane(candidate: Candidate) -> list[str]:
    """That both write rules with the same is what Calico's guide to nftables asks for, and Flannel's EnableNFTables."""
    mode, dataplane = candidate.kube_proxy_mode, candidate.dataplane
    wanted = "nftables" if mode == "nftables" else "iptables"
    if not mode or not dataplane or dataplane == wanted:
        return []
    differs = f"{candidate.cni} writes its rules with {dataplane}, and kube-proxy is in mode {mode}"
    return [f"{differs}: let it use {wanted} too, or change kube-proxy's mode"]


def _require_versions(candidate: Candidate, kubernetes: str, nodes: Sequence[Object]) -> list[str]:
    version = candidate.version
    if not VERSION.fullmatch(version):
        return [f"{candidate.cni} {version or 'of an unknown version'}: whether it fits is not checked"]
    return require_supported(candidate.cni, version, kubernetes, kernels_of(nodes), force=candidate.force)


def require_alone(cnis: Mapping[str, Mapping[str, Any]], expected: str) -> None:
    """Require that no other CNI than one runs in a cluster; Multus, which calls the others, may.

    A CNI whose agents have just been made has no configuration on any node yet, and is seen here alone.

    :param cnis: what there is of each CNI, as ``cni_cluster_info`` tells it.
    :raises PresenceError: another one runs.
    """
    others = {cni: told for cni, told in cnis.items() if told["running"] and cni not in {expected, *META}}
    if others:
        listed = ", ".join(f"{cni} ({', '.join(told['agents'])})" for cni, told in others.items())
        raise PresenceError(
            "CNI of this cluster",
            f"{listed} is there",
            f"{expected} alone: two CNIs break each other",
            f"Remove the other one first: {way_out(others)}",
        )
