# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A cluster's pod network as a whole: whether its networks go together, what fits, and the MTU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.capacity import CUTS, capacity
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.mtu import overhead_of, plan_mtu
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import (
    Range,
    clashes,
    network,
    reserved,
    within,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.routes import routes_around
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.underlay import underlay_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Network

# kubelet's maxPods.
PODS = 110
ENCAPSULATIONS = {"flannel": "vxlan", "calico": "vxlan", "cilium": "vxlan"}
# kube-apiserver takes at most 2^20 addresses a family; without the allocator of 1.33 no more of IPv6 either.
WIDEST_SERVICES = {4: 12, 6: 64}
WIDE_SERVICES_V6 = 108


@dataclass(frozen=True)
class Wanted:
    """What a pod network is to be.

    :param pod_cidrs: one network, or one of each family; the first one's family is the cluster's first.
    :param nodes: each with ``name``, ``addresses`` and ``pod_cidrs``, as the module ``cluster_network_info`` tells.
    :param networks: networks around the cluster by what they are: a VPN, the office.
    :param routes: the nodes' routes, each with ``network`` and ``device``; ``node``, ``gateway`` and ``protocol`` where
        they are known.
    :param interfaces: by node its facts, or MTU by interface.
    :param encapsulation: as the CNI names it; what is only used across subnets counts as used.
    :param block_sizes: prefix length of a piece by family, where it is not the CNI's default.
    :param expected_nodes: how many nodes are to fit; those that are there at least.
    :param mtu: the CNI's own setting as somebody wants it; 0 plans it.
    """

    pod_cidrs: Sequence[str]
    cni: str = "flannel"
    service_cidrs: Sequence[str] = ()
    nodes: Sequence[Mapping[str, Any]] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    interfaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    encapsulation: str = ""
    wireguard: bool = False
    block_sizes: Mapping[Any, Any] = field(default_factory=dict)
    expected_nodes: int = 0
    pods_per_node: int = PODS
    mtu: int = 0


def pod_network_plan(wanted: Wanted) -> dict[str, Any]:
    """The plan: ``pod_cidrs``, ``families``, ``capacity`` a network, ``mtu`` and ``warnings``.

    :raises NetworkError: something cannot be; when it is several things, the text names all of them.
    """
    if wanted.cni not in CUTS:
        raise NetworkError(f"cni {wanted.cni!r}", "the planner does not know it", f"one of {', '.join(CUTS)}")
    pods = [network("pod network", cidr) for cidr in wanted.pod_cidrs]
    services = [network("Service network", cidr) for cidr in wanted.service_cidrs]
    warnings: list[str] = []
    results: dict[str, Any] = {}
    _all(
        lambda: _require_families(wanted, pods, services, warnings),
        lambda: require_apart(wanted),
        lambda: _require_within(wanted, pods),
        lambda: results.update(capacity=_capacity(wanted, pods)),
        lambda: results.update(mtu=_mtu(wanted, pods, warnings)),
    )
    return {
        "cni": wanted.cni,
        "pod_cidrs": [str(one) for one in pods],
        "families": [one.version for one in pods],
        **results,
        "warnings": warnings,
    }


def mtu_warnings(wanted: Wanted) -> list[str]:
    """The part of the plan that is about the MTU, for pods whose networks are not planned here.

    :raises NetworkError: the MTU that is wanted does not fit, or too little is left for pods.
    """
    warnings: list[str] = []
    _mtu(wanted, [network("pod network", cidr) for cidr in wanted.pod_cidrs], warnings)
    return warnings


def _all(*steps: Callable[[], None]) -> None:
    """Every step, so that one failure does not hide another."""
    errors: list[NetworkError] = []
    for step in steps:
        try:
            step()
        except NetworkError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise NetworkError(f"{len(errors)} faults of the pod network", " ".join(map(str, errors)))


def _require_families(
    wanted: Wanted, pods: Sequence[Network], services: Sequence[Network], warnings: list[str]
) -> None:
    """kubernetes.io, IPv4/IPv6 dual-stack: one network a family, and nodes with an address of each."""
    for what, networks in (("pod networks", pods), ("Service networks", services)):
        families = [one.version for one in networks]
        if len(set(families)) != len(families) or (what == "pod networks" and not families):
            told = ", ".join(map(str, networks)) or "none"
            raise NetworkError(what, told, "one network, or one of each address family")
    for service in services:
        if service.version not in {one.version for one in pods}:
            raise NetworkError(
                f"Service network {service}",
                f"no pod network is of IPv{service.version}",
                "pods with addresses of every family that Services have",
                "Add a pod network of this family, or leave the Service network out",
            )
        if service.prefixlen < WIDEST_SERVICES[service.version]:
            raise NetworkError(
                f"Service network {service}",
                f"/{service.prefixlen} is wider than kube-apiserver takes",
                f"/{WIDEST_SERVICES[service.version]} or longer",
                "Choose a narrower one",
            )
        if service.version == 6 and service.prefixlen < WIDE_SERVICES_V6:
            warnings.append(f"Service network {service}: Kubernetes before 1.33 takes /{WIDE_SERVICES_V6} or longer")
    if pods and services and pods[0].version != services[0].version:
        warnings.append(
            f"pods begin with IPv{pods[0].version}, Services with IPv{services[0].version}: "
            "the first family of both should be the same"
        )
    _require_node_families(wanted, pods)


def _require_node_families(wanted: Wanted, pods: Sequence[Network]) -> None:
    for node in wanted.nodes:
        addresses = node.get("addresses") or []
        families = {network(f"address of node {node['name']}", address).version for address in addresses}
        missing = [one.version for one in pods if families and one.version not in families]
        if missing:
            raise NetworkError(
                f"node '{node['name']}'",
                f"its addresses are {', '.join(addresses)}",
                f"one of IPv{missing[0]} too, for its pods",
                "Give the node one (kubelet's --node-ip names both), or plan one family",
            )


def require_apart(wanted: Wanted) -> None:
    """The part of the plan that is about overlaps: nothing may overlap pods or Services.

    What is around the cluster may overlap itself, and so may networks of pods.

    :raises NetworkError: networks overlap; the text names each pair.
    """
    pods = [network("pod network", cidr) for cidr in wanted.pod_cidrs]
    services = [network("Service network", cidr) for cidr in wanted.service_cidrs]
    ranges = [Range("pod network", one, "pods") for one in pods]
    ranges += [Range("Service network", one, "services") for one in services]
    for node in wanted.nodes:
        what = f"address of node {node['name']}"
        ranges += [Range(what, network(what, address), "around") for address in node.get("addresses") or []]
    ranges += [
        Range(f"network {name}", network(f"network {name}", cidr), "around") for name, cidr in wanted.networks.items()
    ]
    ranges += [one for _route, one in routes_around(wanted.routes, [*pods, *services], _node_addresses(wanted))]
    ranges += [Range(one.what, one.network, "around") for one in reserved()]
    found = clashes(ranges)
    if found:
        raise NetworkError(
            "networks of the cluster",
            "; ".join(found),
            "networks of their own for pods, Services and everything that they reach",
            "Choose another network for one of each pair" + _hint(wanted),
        )


def _node_addresses(wanted: Wanted) -> set[str]:
    return {str(address) for node in wanted.nodes for address in node.get("addresses") or []}


def _hint(wanted: Wanted) -> str:
    if "10.0.0.0/8" in wanted.pod_cidrs:
        return "; 10.0.0.0/8 is the default of Cilium's chart and overlaps most private networks"
    return ""


def _require_within(wanted: Wanted, pods: Sequence[Network]) -> None:
    """Flannel serves what the controller manager has given to each node; the others give addresses themselves."""
    if wanted.cni != "flannel":
        return
    for node in wanted.nodes:
        for cidr in node.get("pod_cidrs") or []:
            if not within(network(f"podCIDR of node {node['name']}", cidr), pods):
                raise NetworkError(
                    f"node '{node['name']}'",
                    f"its podCIDR {cidr} is outside the pod networks",
                    f"a part of {', '.join(map(str, pods))}",
                    "Plan the networks that the cluster was made with: a node's podCIDR never changes",
                )


def _capacity(wanted: Wanted, pods: Sequence[Network]) -> list[dict[str, Any]]:
    if wanted.pods_per_node < 1 or wanted.expected_nodes < 0:
        raise NetworkError(
            "capacity",
            f"pods_per_node {wanted.pods_per_node}, expected_nodes {wanted.expected_nodes}",
            "at least one pod a node, and no negative number of nodes",
        )
    nodes = max(wanted.expected_nodes, len(wanted.nodes))
    found = [capacity(wanted.cni, one, _piece(wanted, one.version), nodes, wanted.pods_per_node) for one in pods]
    return [
        {
            "cidr": str(one.cidr),
            "block_size": one.piece,
            "blocks": one.pieces,
            "pods_per_block": one.pods,
            "nodes": one.nodes,
        }
        for one in found
    ]


def _piece(wanted: Wanted, family: int) -> int:
    for name, size in wanted.block_sizes.items():
        if str(name) not in {"4", "6"} or isinstance(size, bool) or not isinstance(size, int):
            raise NetworkError("block_sizes", f"{name!r}: {size!r}", "a prefix length by address family, such as 4: 26")
        if int(name) == family:
            return size
    return 0


def _mtu(wanted: Wanted, pods: Sequence[Network], warnings: list[str]) -> dict[str, Any]:
    """Empty where the nodes' interfaces are not named.

    What is odd about them is a warning as long as nobody has set the MTU: whoever did has thought of it.
    """
    if not wanted.interfaces:
        return {}
    underlay = underlay_of(wanted.interfaces, _node_addresses(wanted))
    encapsulation = wanted.encapsulation or ENCAPSULATIONS[wanted.cni]
    family = _underlay_family(wanted, pods)
    overhead = overhead_of(wanted.cni, encapsulation, wireguard=wanted.wireguard, underlay_family=family)
    plan = plan_mtu(wanted.cni, underlay.mtu, overhead, {one.version for one in pods}, wanted.mtu)
    if underlay.difference and not wanted.mtu:
        warnings.append(f"{underlay.difference}; set {plan.setting} to {plan.value}, or each node finds out its own")
    if underlay.oddity and not wanted.mtu:
        warnings.append(underlay.oddity)
    return {
        "underlay": plan.underlay,
        "encapsulation": encapsulation,
        "overhead": plan.overhead,
        "pod": plan.pod,
        "setting": plan.setting,
        "value": plan.value,
        "meaning": plan.meaning,
    }


def _underlay_family(wanted: Wanted, pods: Sequence[Network]) -> int:
    """The family of the outer header, the wider one where both are in use.

    Flannel and Calico carry each family in its own; Cilium all pods in that of the nodes' first addresses.
    """
    if wanted.cni != "cilium":
        return max(one.version for one in pods) if pods else 4
    first = [str(address) for node in wanted.nodes for address in (node.get("addresses") or [])[:1]]
    return max((network("node address", address).version for address in first), default=pods[0].version if pods else 4)
