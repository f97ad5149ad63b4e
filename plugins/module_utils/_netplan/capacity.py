# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How many nodes and pods fit into a pod network, by the way in which a CNI cuts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Network


@dataclass(frozen=True)
class Cut:
    """How a CNI cuts a pod network.

    :param lengths: prefix length of a piece by address family, where nothing else is asked for.
    :param allowed: shortest and longest of them by family.
    :param taken: addresses of a piece that no pod gets.
    :param several: whether a node takes further pieces when one is used up.
    :param most_bits: how many bits the lengths of network and piece may differ by; 0 for any.
    :param source: where the rule comes from.
    """

    lengths: dict[int, int]
    allowed: dict[int, tuple[int, int]]
    taken: int
    several: bool
    most_bits: int
    source: str


CUTS = {
    # The bridge's address and the network's two ends (host-local; node-cidr-mask-size of kube-controller-manager,
    # whose allocator holds at most 2^16 pieces: pkg/controller/nodeipam/ipam/cidrset).
    "flannel": Cut({4: 24, 6: 64}, {4: (8, 30), 6: (48, 126)}, 3, False, 16, "kubernetes.io, kube-controller-manager"),
    # Blocks of an IPPool: blockSize.
    "calico": Cut({4: 26, 6: 122}, {4: (20, 32), 6: (116, 128)}, 0, True, 0, "docs.tigera.io, IP pool: blockSize"),
    # The network's two ends, the router's and the health endpoint's address.
    "cilium": Cut(
        {4: 24, 6: 120}, {4: (9, 30), 6: (9, 126)}, 4, False, 0, "docs.cilium.io, cluster-pool: clusterPoolIPv4MaskSize"
    ),
}


@dataclass(frozen=True)
class Capacity:
    """What fits into one pod network.

    :param pieces: how many nodes, or blocks, get one.
    :param pods: pods that one piece has addresses for.
    :param nodes: nodes that fit with the asked number of pods each.
    """

    cidr: Network
    piece: int
    pieces: int
    pods: int
    nodes: int


def capacity(cni: str, cidr: Network, piece: int, nodes: int, pods: int) -> Capacity:
    """What fits, and that it is enough.

    :param piece: prefix length of a piece; 0 takes the CNI's default.
    :param nodes: nodes that are to fit.
    :param pods: pods that a node is to hold.
    :raises NetworkError: the pieces are impossible, or too few or too small.
    """
    cut = CUTS[cni]
    length = piece or cut.lengths[cidr.version]
    shortest, longest = cut.allowed[cidr.version]
    subject = f"pod network {cidr}"
    if not shortest <= length <= longest:
        raise NetworkError(
            subject,
            f"pieces of /{length}",
            f"/{shortest} to /{longest} with {cni} ({cut.source})",
            "Choose another size",
        )
    if length < cidr.prefixlen:
        raise NetworkError(
            subject,
            f"a piece of /{length} does not fit into it",
            f"a network of /{length} or wider",
            "Choose a wider one",
        )
    bits = length - cidr.prefixlen
    if cut.most_bits and bits > cut.most_bits:
        raise NetworkError(
            subject,
            f"pieces of /{length} would be 2^{bits}",
            f"at most 2^{cut.most_bits} ({cut.source})",
            f"Choose a network of /{length - cut.most_bits} or longer",
        )
    each = max(0, 2 ** (cidr.max_prefixlen - length) - cut.taken)
    needed = -(-pods // each) if each and cut.several else 1
    found = Capacity(cidr, length, 2**bits, each, 2**bits // needed)
    if each < pods and not cut.several:
        raise NetworkError(
            subject,
            f"a node's /{length} has {each} addresses for pods",
            f"{pods}, which is how many pods a node may run",
            "Cut larger pieces, or let nodes run fewer pods",
        )
    if found.nodes < nodes:
        raise NetworkError(
            subject,
            f"{found.pieces} pieces of /{length} are enough for {found.nodes} nodes with {pods} pods each",
            f"room for {nodes} nodes",
            "Choose a wider network, or smaller pieces",
        )
    return found
