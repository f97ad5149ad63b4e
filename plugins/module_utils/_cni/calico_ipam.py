# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What Calico's objects tell: its nodes, their BGP sessions, which addresses are used, and which are lost.

An IPAMBlock has for each address that is taken a number, which leads to whom it was given (libcalico-go,
backend/model).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NODE_ADDRESSES = ("projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address")
TUNNEL_ADDRESSES = tuple(
    f"projectcalico.org/{name}" for name in ("IPv4VXLANTunnelAddr", "IPv6VXLANTunnelAddr", "IPv4IPIPTunnelAddr")
)
ESTABLISHED = "Established"


@dataclass(frozen=True, order=True)
class Allocation:
    """An address that is taken.

    :param pod: as ``NAMESPACE/NAME``; empty when it is not a pod's.
    :param node_name: the node that took it; empty where the block does not say.
    """

    address: str
    block: str
    handle: str
    pod: str
    node_name: str


def allocations(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Allocation]:
    """Every address that is taken, in the order of the blocks."""
    for block in blocks:
        spec = block["spec"]
        first = ipaddress.ip_network(spec["cidr"])[0]
        attributes = spec.get("attributes") or []
        for ordinal, index in enumerate(spec.get("allocations") or []):
            if index is None or index >= len(attributes):
                continue
            said = attributes[index].get("secondary") or {}
            pod = f"{said.get('namespace', '')}/{said['pod']}" if said.get("pod") else ""
            handle = attributes[index].get("handle_id") or ""
            yield Allocation(str(first + ordinal), spec["cidr"], handle, pod, said.get("node") or "")


def leaks(
    taken: Iterable[Allocation], nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> list[tuple[Allocation, str]]:
    """Addresses that nobody uses any more, each with the reason; Calico's garbage collection may yet find them."""
    node_names = {node["metadata"]["name"] for node in nodes}
    pod_names = {f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods}
    found: list[tuple[Allocation, str]] = []
    for one in taken:
        if one.node_name and one.node_name not in node_names:
            found.append((one, f"node '{one.node_name}' is not there"))
        elif one.pod and one.pod not in pod_names:
            found.append((one, f"pod '{one.pod}' is not there"))
    return found


def pools_of(
    pools: Iterable[Mapping[str, Any]], blocks: Sequence[Mapping[str, Any]], taken: Sequence[Allocation]
) -> list[dict[str, Any]]:
    """How full each pool is."""
    result: list[dict[str, Any]] = []
    for pool in pools:
        cidr = ipaddress.ip_network(pool["spec"]["cidr"])
        inside = {block["spec"]["cidr"] for block in blocks if _is_within(block["spec"]["cidr"], cidr)}
        result.append(
            {
                "name": pool["metadata"]["name"],
                "cidr": str(cidr),
                "disabled": bool(pool["spec"].get("disabled")),
                "addresses": cidr.num_addresses,
                "blocks": len(inside),
                "used": sum(one.block in inside for one in taken),
            }
        )
    return sorted(result, key=lambda pool: str(pool["name"]))


def _is_within(block: str, cidr: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    inner = ipaddress.ip_network(block)
    # The two versions of addresses cannot be compared.
    return inner.version == cidr.version and inner[0] in cidr


def nodes_of(
    nodes: Iterable[Mapping[str, Any]], agents: Iterable[Mapping[str, Any]], blocks: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each node with its addresses as Calico has them, whether calico-node is ready there, and its blocks.

    :param agents: the pods of calico-node.
    """
    ready = {pod["spec"].get("nodeName") for pod in agents if is_pod_ready(pod)}
    owned: dict[str, list[str]] = {}
    for block in blocks:
        owned.setdefault((block["spec"].get("affinity") or "").partition(":")[2], []).append(block["spec"]["cidr"])
    result = []
    for node in nodes:
        name, annotations = node["metadata"]["name"], node["metadata"].get("annotations") or {}
        result.append(
            {
                "name": name,
                "ready": name in ready,
                "addresses": [annotations[key] for key in NODE_ADDRESSES if key in annotations],
                "tunnel_addresses": [annotations[key] for key in TUNNEL_ADDRESSES if key in annotations],
                "blocks": sorted(owned.get(name, [])),
            }
        )
    return sorted(result, key=lambda one: str(one["name"]))


def sessions_of(statuses: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """BGP sessions, as far as CalicoNodeStatuses ask calico-node for them."""
    found: list[dict[str, Any]] = []
    for one in statuses:
        bgp = (one.get("status") or {}).get("bgp") or {}
        for peer in [*(bgp.get("peersV4") or []), *(bgp.get("peersV6") or [])]:
            state = peer.get("state") or "unknown"
            found.append(
                {
                    "node": one["spec"].get("node") or "",
                    "peer": peer.get("peerIP") or "",
                    "type": peer.get("type") or "",
                    "state": state,
                    "established": state == ESTABLISHED,
                }
            )
    return found
