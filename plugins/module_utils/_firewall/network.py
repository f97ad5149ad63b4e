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
    from collections.abc import Iterable, Mapping, Sequence

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
# What the roles take, and for Canal its manifest, where nobody says it.
DEFAULT_ENCAPSULATIONS = dict.fromkeys(("flannel", "calico", "cilium", "canal"), ("vxlan",))
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
    :param encapsulations: in the words of the port matrix.
    :param ports: other ports than the matrix has, by rule id.
    :param add_ons: what the CNI brings to the nodes.
    :param notices: where what is said differs from what runs, in sentences.
    """

    cni: str
    encapsulations: tuple[str, ...]
    ports: Mapping[str, int]
    add_ons: tuple[str, ...]
    notices: tuple[str, ...]

    def to_output(self) -> dict[str, Any]:
        """The same as plain lists and mappings."""
        return {
            **asdict(self),
            "encapsulations": list(self.encapsulations),
            "add_ons": list(self.add_ons),
            "notices": list(self.notices),
        }


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
    runs = tuple(live.get("encapsulations") or ())
    said = (asked["encapsulation"],) if asked.get("encapsulation") else _said_encapsulations(cni, told)
    encapsulations = said or runs or DEFAULT_ENCAPSULATIONS.get(cni, ())
    notices = [*_of_others(cni, others), *_of_unknown(cni), *_of_encapsulations(cni, said, runs)]
    # A port that is seen is that of the encapsulation that is seen.
    live_port = int(live.get("port") or 0) if _kinds(encapsulations) & _kinds(runs) else 0
    is_udp = cni == "flannel" and encapsulations == ("udp",)
    port = 0 if is_udp else _said_port(cni, told)
    notices += _of_port(cni, port, live_port, encapsulations)
    rules = UDP if is_udp else TUNNELS.get(cni, ())
    ports = dict.fromkeys(rules, port or live_port) if port or live_port else {}
    return Network(cni, encapsulations, ports, _add_ons(cni, told, live), tuple(notices))


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


def _said_encapsulations(cni: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    """How packets go between nodes as the CNI's role is told; none where it is not."""
    if cni == "calico":
        said = _said_of_pools(told)
    elif cni == "cilium":
        said = _said_of_tunnel(told)
    else:
        said = [told.get("flannel_backend")] if cni == "flannel" else []
    words = WORDS.get(cni, {})
    return tuple(dict.fromkeys(words.get(str(one), str(one)) for one in said if one))


def _said_of_pools(told: Mapping[str, Any]) -> list[Any]:
    """The encapsulations of Calico's pools; beside others one without any needs nothing but routes."""
    said = told.get("calico_encapsulation")
    found = [pool.get("encapsulation") or said or "VXLAN" for pool in told.get("calico_pools") or []] or [said]
    return [one for one in found if one != "None"] or found


def _said_of_tunnel(told: Mapping[str, Any]) -> list[Any]:
    """Cilium's tunnel, or none of it; a value of the chart wins over the role's setting."""
    values, tunnel = told.get("cilium_values") or {}, told.get("cilium_tunnel")
    routing, protocol = values.get("routingMode"), values.get("tunnelProtocol")
    if routing == "native" or (tunnel == "none" and not routing):
        return ["none"]
    return [protocol or (tunnel if tunnel != "none" else None) or ("vxlan" if routing else None)]


def _kinds(encapsulations: Iterable[str]) -> set[str]:
    """What needs ports of its own; within a network or not, they are the same."""
    return {one.partition("-")[0] for one in encapsulations}


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
    readers = {"calico": _said_of_calico, "cilium": _said_of_cilium}
    said = readers[cni](told) if cni in readers else {}
    there = live.get("add_ons") if live else DEFAULT_ADD_ONS.get(cni, ())
    names = [*said, *(name for name in there or () if name not in said)]
    return tuple(name for name in names if _is_wanted(said.get(name), seen=name in (there or ())))


def _said_of_calico(told: Mapping[str, Any]) -> dict[str, Any]:
    mode, dataplane, felix = told.get("calico_mode"), told.get("calico_linux_dataplane"), told.get("calico_felix") or {}
    return {
        # The operator always brings Typha.
        "typha": mode == "operator" if mode else None,
        "wireguard": felix.get("wireguardEnabled", told.get("calico_wireguard")),
        "bgp": told.get("calico_bgp"),
        "calico-ebpf": felix.get("bpfEnabled", dataplane == "BPF" if dataplane else None),
    }


def _said_of_cilium(told: Mapping[str, Any]) -> dict[str, Any]:
    """By the settings, over which the chart's values win; that encryption is by IPsec, the chart has by itself."""
    values, wireguard = told.get("cilium_values") or {}, told.get("cilium_wireguard")
    encryption = values.get("encryption") or {}
    is_on = encryption.get("enabled", wireguard)
    kind = encryption.get("type") or ("wireguard" if boolean(wireguard or False, strict=False) else "ipsec")
    on = None if is_on is None else boolean(is_on, strict=False)
    hubble = _at(values, "hubble", "enabled")
    balancer = values.get("loadBalancer") or {}
    is_dispatched = balancer.get("mode") in {"dsr", "hybrid"} and balancer.get("dsrDispatch") == "geneve"
    return {
        "hubble": told.get("cilium_hubble") if hubble is None else hubble,
        "wireguard": on and kind == "wireguard",
        "ipsec": on and kind == "ipsec" if encryption else None,
        "mutual-auth": _at(values, "authentication", "mutual", "spire", "enabled"),
        "dsr-geneve": is_dispatched if balancer else None,
    }


def _at(values: Any, *names: str) -> Any:
    """A value of the chart; nothing where it is not said."""
    for name in names:
        values = (values or {}).get(name)
    return values


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


def _of_encapsulations(cni: str, said: Sequence[str], runs: Sequence[str]) -> list[str]:
    if not said or _kinds(runs) <= _kinds(said):
        return []
    wanted = " and ".join(said)
    differs = f"{cni} runs with encapsulation {' and '.join(runs)}, and the ports of {wanted} are opened"
    return [f"{differs}: packets between nodes are dropped until they go by {wanted}."]


def _of_port(cni: str, said: int, runs: int, encapsulations: Sequence[str]) -> list[str]:
    if not said or not runs or said == runs or not _kinds(encapsulations) & {"vxlan", "geneve"}:
        return []
    differs = f"{cni} runs with its tunnel at UDP port {runs}, and {said} is opened"
    return [f"{differs}: packets between nodes are dropped until they go there."]
