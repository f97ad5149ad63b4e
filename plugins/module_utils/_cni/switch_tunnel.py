# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What Flannel and Calico must know of each other's nodes to carry packets to them.

Both bring a packet to a node by three facts: which addresses are its pods', which hardware address its end of the
tunnel has, and its own address. Flannel notes the last two on the Node, and takes the first from its podCIDR
(pkg/subnet/kube). Calico notes the last two there too, under other names, and has the first in blocks that bear the
node's name (libcalico-go, lib/ipam and lib/backend/k8s/resources). A CNI that begins on a node gives its end of the
tunnel the hardware address that is noted: both do, so the others need not learn another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CALICO_API
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import SwitchError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.capacity import CUTS
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import NodeFacts
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Network

FLANNEL = "flannel.alpha.coreos.com/"
CALICO = "projectcalico.org/"
BACKEND_DATA, BACKEND_TYPE = f"{FLANNEL}backend-data", f"{FLANNEL}backend-type"
PUBLIC_ADDRESS, MANAGED = f"{FLANNEL}public-ip", f"{FLANNEL}kube-subnet-manager"
NODE_ADDRESS, TUNNEL_ADDRESS = f"{CALICO}IPv4Address", f"{CALICO}IPv4VXLANTunnelAddr"
TUNNEL_MAC = f"{CALICO}VXLANTunnelMACAddr"
# By how many bits a podCIDR may be wider than a block. It is a few of IPv4: a /24 has four of Calico's /26.
MOST_BLOCK_BITS = 12


def notes_for_calico(node: NodeFacts) -> dict[str, str]:
    """What Calico must find on a node that has Flannel; only what is not there.

    :raises SwitchError: Flannel has not noted its end of the tunnel there.
    """
    mac = flannel_mac(node)
    wanted = {
        # Calico takes a network's length too, and compares no more than the address.
        NODE_ADDRESS: f"{node.notes.get(PUBLIC_ADDRESS) or node.address}/32",
        TUNNEL_ADDRESS: tunnel_address(node),
        TUNNEL_MAC: mac,
    }
    if node.notes.get(NODE_ADDRESS, "").partition("/")[0] == wanted[NODE_ADDRESS].partition("/")[0]:
        del wanted[NODE_ADDRESS]
    return {name: value for name, value in wanted.items() if node.notes.get(name) != value}


def flannel_mac(node: NodeFacts) -> str:
    """The hardware address of Flannel's end of the tunnel.

    :raises SwitchError: it is not noted.
    """
    try:
        mac = json.loads(node.notes.get(BACKEND_DATA) or "{}")["VtepMAC"]
    except (ValueError, KeyError, TypeError):
        mac = ""
    if not mac:
        raise SwitchError(
            f"node '{node.name}'",
            f"its note {BACKEND_DATA} tells no hardware address",
            "the note of a flanneld that runs with back-end vxlan",
            "Look at the log of kube-flannel on that node",
        )
    return str(mac)


def tunnel_address(node: NodeFacts) -> str:
    """The address of a node's end of Flannel's tunnel: the first of its podCIDR.

    :raises SwitchError: it has no podCIDR of IPv4.
    """
    for cidr in node.pod_cidrs:
        if ":" not in cidr:
            return str(network("podCIDR", cidr).network_address)
    raise SwitchError(f"node '{node.name}'", "it has no podCIDR of IPv4", "one from kube-controller-manager")


def notes_for_flannel(node: NodeFacts, vni: int, mac: str) -> dict[str, str]:
    """What Flannel must find on a node that has Calico; only what is not there.

    :param mac: the hardware address of Calico's end of the tunnel.
    """
    wanted = {
        BACKEND_DATA: json.dumps({"VNI": vni, "VtepMAC": mac}, separators=(",", ":")),
        BACKEND_TYPE: "vxlan",
        PUBLIC_ADDRESS: node.notes.get(NODE_ADDRESS, "").partition("/")[0] or node.address,
        MANAGED: "true",
    }
    return {name: value for name, value in wanted.items() if node.notes.get(name) != value}


# ---- Calico's address management -----------------------------------------------------------------------------------


def claims(
    nodes: Sequence[NodeFacts], pools: Sequence[Mapping[str, Any]], blocks: Iterable[Mapping[str, Any]]
) -> Iterator[Object]:
    """The objects that give each node the blocks of its podCIDR; only those whose block is not there.

    As upstream's ``ClaimAffinity`` and ``AssignIP`` leave them: the affinity, the block, and the handle of the
    tunnel's address, in an order in which a run that is killed leaves no block without its affinity.

    :param pools: Calico's IPPools.
    :param blocks: its IPAMBlocks.
    :raises SwitchError: a block that a node needs is another's.
    """
    there = {block["spec"]["cidr"]: str(block["spec"].get("affinity") or "") for block in blocks}
    for node in nodes:
        for cidr in node.pod_cidrs:
            for part in _parts(cidr, pools):
                owner = there.get(str(part))
                if owner is None:
                    yield from _block(node, part)
                elif owner != f"host:{node.name}":
                    raise SwitchError(
                        f"IPAMBlock {part}",
                        f"it is of {owner.partition('host:')[2] or 'no node'}, and a part of the podCIDR of "
                        f"{node.name}",
                        f"a block of {node.name}",
                        "Recreate the pods that have addresses of it, and delete it",
                    )


def _parts(cidr: str, pools: Sequence[Mapping[str, Any]]) -> list[Network]:
    """The blocks of a podCIDR by the pool that holds it; none where no pool does, or there are too many."""
    wide = network("podCIDR", cidr)
    for pool in pools:
        if within(wide, [network("pool", pool["spec"]["cidr"])]):
            size = pool["spec"].get("blockSize") or CUTS["calico"].lengths[wide.version]
            return list(wide.subnets(new_prefix=max(size, wide.prefixlen))) if is_claimable(wide, size) else []
    return []


def is_claimable(pod_cidr: Network, block_size: int) -> bool:
    """Whether a podCIDR has so few blocks that all of them can be given to its node.

    A podCIDR of IPv6 is a /64 where nobody says otherwise (kube-controller-manager, --node-cidr-mask-size-ipv6). In
    Calico's blocks of /122 that is 2^58 of them.

    :param block_size: prefix length of a block.
    """
    return block_size - pod_cidr.prefixlen <= MOST_BLOCK_BITS


def _block(node: NodeFacts, part: Network) -> Iterator[Object]:
    name = str(part).replace(".", "-").replace(":", "-").replace("/", "-")
    affinity = {"cidr": str(part), "deleted": "false", "node": node.name, "state": "confirmed"}
    yield _object("BlockAffinity", f"{node.name}-{name}", affinity)
    size = part.num_addresses
    allocations: list[Optional[int]] = [None] * size
    attributes: list[dict[str, Any]] = []
    if part.version == 4 and str(part.network_address) == tunnel_address(node):
        handle = f"vxlan-tunnel-addr-{node.name}"
        yield _object("IPAMHandle", handle, {"handleID": handle, "block": {str(part): 1}, "deleted": False})
        allocations[0] = 0
        attributes = [{"handle_id": handle, "secondary": {"node": node.name, "type": "vxlanTunnelAddress"}}]
    spec = {
        "affinity": f"host:{node.name}",
        "allocations": allocations,
        "attributes": attributes,
        "cidr": str(part),
        "deleted": False,
        "sequenceNumber": 0,
        "sequenceNumberForAllocation": {str(number): 0 for number, one in enumerate(allocations) if one is not None},
        "strictAffinity": False,
        "unallocated": [number for number, one in enumerate(allocations) if one is None],
    }
    yield _object("IPAMBlock", name, spec)


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    return {"apiVersion": CALICO_API, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
