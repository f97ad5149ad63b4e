# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How large a pod's packets may be, and what each CNI wants to be told about it.

Overheads are the sums of the headers that are added: outer IP (20, or 40 for IPv6), UDP 8, VXLAN 8 and the inner
Ethernet header 14; WireGuard 32 beside IP and UDP (RFC 7348; wireguard.com). Each CNI rounds in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError

# CNI and encapsulation: bytes over an IPv4 underlay, over an IPv6 one.
OVERHEADS: dict[tuple[str, str], tuple[int, int]] = {
    ("flannel", "none"): (0, 0),
    ("flannel", "host-gw"): (0, 0),
    ("flannel", "vxlan"): (50, 70),
    ("flannel", "wireguard"): (80, 80),
    ("flannel", "udp"): (28, 28),
    ("calico", "none"): (0, 0),
    ("calico", "ipip"): (20, 20),
    ("calico", "vxlan"): (50, 70),
    ("cilium", "none"): (0, 0),
    ("cilium", "vxlan"): (50, 70),
    ("cilium", "geneve"): (50, 70),
}
# WireGuard between nodes, in place of the encapsulation (Calico) or beneath it (Cilium).
WIREGUARD = {"calico": (60, 80), "cilium": (80, 80)}
SETTINGS = {
    "flannel": ("flannel_mtu", "the nodes' network; Flannel subtracts its overhead (flannel, backends.md)"),
    "calico": ("calico_mtu", "the pods' links, overhead already subtracted (docs.tigera.io, configure MTU)"),
    "cilium": ("cilium_mtu", "the nodes' network; routes get less, links do not (docs.cilium.io, MTU)"),
}
# RFC 8200: what every link must carry for IPv6. RFC 791: what every host takes of IPv4.
LEAST = {6: 1280, 4: 576}


@dataclass(frozen=True)
class MtuPlan:
    """What pods can send, and what the CNI is to be told.

    :param underlay: smallest MTU of the nodes' real interfaces, in bytes.
    :param pod: largest packet of a pod that needs no fragments.
    :param setting: the CNI's own setting, and its value.
    """

    underlay: int
    overhead: int
    pod: int
    setting: str
    value: int
    meaning: str


def overhead_of(cni: str, encapsulation: str, *, wireguard: bool, underlay_family: int) -> int:
    """Bytes that a CNI adds to a packet.

    :param encapsulation: as the CNI's own settings name it; what is only used across subnets counts too.
    :raises NetworkError: the CNI has no such encapsulation.
    """
    known = [named for one, named in OVERHEADS if one == cni]
    name = encapsulation.lower()
    # Calico's own name of what is used across subnets alone.
    name = name.removesuffix("crosssubnet") if cni == "calico" else name
    if name not in known:
        raise NetworkError(
            f"encapsulation {encapsulation!r}", f"{cni} has none of this name", f"one of {', '.join(known)}"
        )
    column = 0 if underlay_family == 4 else 1
    added = OVERHEADS[cni, name][column]
    if not wireguard:
        return added
    if cni not in WIREGUARD:
        raise NetworkError("wireguard", f"{cni} has it as a back-end, not beside one", "encapsulation wireguard")
    beneath = WIREGUARD[cni][column]
    # Cilium encrypts the tunnel's packets; Calico's WireGuard takes the tunnel's place.
    return beneath + added if cni == "cilium" else max(beneath, added)


def plan_mtu(cni: str, underlay: int, overhead: int, families: set[int], asked: int) -> MtuPlan:
    """The pods' MTU and the CNI's setting.

    :param asked: the setting as somebody wants it; 0 plans it.
    :raises NetworkError: too little is left, or what is asked is more than fits.
    """
    setting, meaning = SETTINGS[cni]
    largest = underlay - overhead if cni == "calico" else underlay
    if asked > largest:
        raise NetworkError(
            f"{setting} {asked}",
            f"it is more than fits: underlay {underlay}, overhead {overhead}",
            f"at most {largest}; the setting means {meaning}",
            f"Set it to {largest}: larger packets would vanish, small transfers work and large ones hang",
        )
    value = asked or largest
    pod = value if cni == "calico" else value - overhead
    for family in sorted(families, reverse=True):
        if pod < LEAST[family]:
            raise NetworkError(
                f"pods' MTU {pod}",
                f"underlay {underlay} minus {overhead}",
                f"at least {LEAST[family]} for IPv{family}",
                "Raise the underlay's MTU, or choose an encapsulation that adds less",
            )
    return MtuPlan(underlay, overhead, pod, setting, value, meaning)
