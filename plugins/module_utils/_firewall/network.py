# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whose ports are opened for traffic between nodes: what a user says of the CNI, else what the cluster shows of it.

What is said wins, for it may be what is about to be installed. Where it differs from what runs, that is told; where it
would take a running CNI's ports away by a slip, it is refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import ENCAPSULATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Of a cluster that has no CNI yet, as role cni has it.
FIRST = "flannel"
# The words of the CNIs' roles, where they are not those of the port matrix.
WORDS = {
    "calico": {
        "IPIP": "ipip",
        "IPIPCrossSubnet": "ipip-crosssubnet",
        "VXLAN": "vxlan",
        "VXLANCrossSubnet": "vxlan-crosssubnet",
        "None": "none",
    },
    "cilium": {"none": "native"},
}
ENCAPSULATION_VARIABLES = {"flannel": "flannel_backend", "calico": "calico_encapsulation", "cilium": "cilium_tunnel"}
# What the roles take, and for Canal its manifest, where nobody says it.
DEFAULT_ENCAPSULATIONS = {"flannel": "vxlan", "calico": "vxlan", "cilium": "vxlan", "canal": "vxlan"}
DEFAULT_ADD_ONS = {"calico": ("typha",), "cilium": ("hubble",)}
# Rules about the port of the tunnel; Flannel's back-end udp has a port of its own.
UDP = ("flannel-udp",)
TUNNELS = {
    "flannel": ("flannel-vxlan",),
    "canal": ("canal-vxlan",),
    "calico": ("calico-vxlan", "calico-ebpf-vxlan"),
    "cilium": ("cilium-vxlan", "cilium-geneve", "cilium-dsr-geneve"),
}


@dataclass(frozen=True)
class Network:
    """What of a plan is about the CNI.

    :param cni: such as ``flannel``.
    :param encapsulation: in the words of the port matrix.
    :param ports: other ports than the matrix has, by rule id.
    :param add_ons: what the CNI brings to the nodes.
    :param notices: where what is said differs from what runs, in sentences.
    """

    cni: str
    encapsulation: str
    ports: Mapping[str, int]
    add_ons: tuple[str, ...]
    notices: tuple[str, ...]

    def to_output(self) -> dict[str, Any]:
        """The same as plain lists and mappings."""
        return {**asdict(self), "add_ons": list(self.add_ons), "notices": list(self.notices)}


def network_for(
    cnis: Mapping[str, Mapping[str, Any]],
    unread: str,
    asked: Mapping[str, str],
    variables: Mapping[str, Any],
) -> Network:
    """Whose ports are opened, and which.

    :param cnis: what runs, as the module ``cluster_network_info`` tells it.
    :param unread: why that may not be all.
    :param asked: ``cni`` and ``encapsulation`` as the user wants them for the firewall; empty where he leaves it open.
    :param variables: those of the CNIs' roles that are set, by name; what is none counts as not set.
    :raises PlanError: nobody says which CNI, and what runs may not be read, or is several; or role ``cni`` is told
        another one than the one that runs.
    """
    told = {name: value for name, value in variables.items() if value is not None}
    cni = asked.get("cni") or told.get("cni_plugin") or _only(cnis, unread)
    others = sorted(set(cnis) - {cni})
    if others and cni not in cnis and not asked.get("cni"):
        raise PlanError(
            f"CNI {cni!r}",
            f"cni_plugin names it, and {' and '.join(others)} runs: the traffic between nodes would be dropped",
            f"the CNI that runs, {' or '.join(others)}",
            "Correct cni_plugin; or set node_firewall_cni, if you mean it",
        )
    live = cnis.get(cni) or {}
    said = _said_encapsulation(cni, asked.get("encapsulation") or "", told)
    encapsulation = said or str(live.get("encapsulation") or "") or DEFAULT_ENCAPSULATIONS.get(cni, "")
    notices = [*_of_others(cni, others), *_of_unknown(cni), *_of_encapsulation(cni, said, live)]
    # A port that is seen is that of the encapsulation that is seen.
    live_port = int(live.get("port") or 0) if _same(encapsulation, live) else 0
    is_udp = cni == "flannel" and encapsulation == "udp"
    port = 0 if is_udp else _said_port(cni, told)
    notices += _of_port(cni, port, live_port, encapsulation)
    rules = UDP if is_udp else TUNNELS.get(cni, ())
    ports = dict.fromkeys(rules, port or live_port) if port or live_port else {}
    return Network(cni, encapsulation, ports, _add_ons(cni, told, live), tuple(notices))


def _only(cnis: Mapping[str, Any], unread: str) -> str:
    """The one CNI that runs, or the one that is to come."""
    if unread:
        raise PlanError(
            "CNI of the cluster",
            f"it may not be read: {unread}",
            "to know whose ports to open",
            "Set node_firewall_cni, or grant what the module cluster_network_info needs",
        )
    if len(cnis) > 1:
        raise PlanError(
            "CNI of the cluster",
            f"{', '.join(sorted(cnis))} run",
            "one, or to know which of them carries packets between nodes",
            "Set node_firewall_cni, and add the others' ports to node_firewall_rules",
        )
    return next(iter(cnis), FIRST)


def _said_encapsulation(cni: str, asked: str, told: Mapping[str, Any]) -> str:
    said = str(told.get(ENCAPSULATION_VARIABLES.get(cni, ""), ""))
    return asked or WORDS.get(cni, {}).get(said, said)


def _same(encapsulation: str, live: Mapping[str, Any]) -> bool:
    """Whether what is seen needs the ports of an encapsulation; within a network or not, they are the same."""
    return encapsulation.partition("-")[0] == str(live.get("encapsulation") or "").partition("-")[0]


def _said_port(cni: str, told: Mapping[str, Any]) -> int:
    """The port of the tunnel as the CNI's role is told; 0 where it is not."""
    candidates = {
        "flannel": [told.get("flannel_vxlan_port")],
        "calico": [(told.get("calico_felix") or {}).get("vxlanPort"), told.get("calico_vxlan_port")],
        "cilium": [(told.get("cilium_values") or {}).get("tunnelPort")],
    }
    return next((int(one) for one in candidates.get(cni, []) if one), 0)


def _add_ons(cni: str, told: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[str, ...]:
    """What is said of each, else what is seen, else what the role brings by itself."""
    mode = told.get("calico_mode")
    said = {
        # The operator always brings Typha.
        "calico": {
            "typha": None if mode is None else mode == "operator",
            "wireguard": told.get("calico_wireguard"),
            "bgp": told.get("calico_bgp"),
        },
        "cilium": {"hubble": told.get("cilium_hubble"), "wireguard": told.get("cilium_wireguard")},
    }.get(cni, {})
    there = live.get("add_ons") if live else DEFAULT_ADD_ONS.get(cni, ())
    names = [*said, *(name for name in there or () if name not in said)]
    return tuple(name for name in names if _is_wanted(said.get(name), seen=name in (there or ())))


def _is_wanted(said: Any, *, seen: bool) -> bool:
    return seen if said is None else boolean(said, strict=False)


def _of_others(cni: str, others: Sequence[str]) -> list[str]:
    if not others:
        return []
    names = " and ".join(others)
    sentence = (
        f"{names} runs, and the ports of {cni} are opened: what the nodes send each other with {names} is dropped."
    )
    return [f"{sentence} Keep its ports open with node_firewall_rules for as long as it runs."]


def _of_unknown(cni: str) -> list[str]:
    if not cni or cni in ENCAPSULATIONS:
        return []
    return [f"The port matrix has no ports of the CNI {cni}: if it needs any, add them to node_firewall_rules."]


def _of_encapsulation(cni: str, said: str, live: Mapping[str, Any]) -> list[str]:
    runs = live.get("encapsulation")
    if not said or not runs or _same(said, live):
        return []
    differs = f"{cni} runs with encapsulation {runs}, and the ports of {said} are opened"
    return [f"{differs}: packets between nodes are dropped until they go by {said}."]


def _of_port(cni: str, said: int, runs: int, encapsulation: str) -> list[str]:
    if not said or not runs or said == runs or encapsulation.partition("-")[0] not in {"vxlan", "geneve"}:
        return []
    differs = f"{cni} runs with its tunnel at UDP port {runs}, and {said} is opened"
    return [f"{differs}: packets between nodes are dropped until they go there."]
