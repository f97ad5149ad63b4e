# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one node must accept, and from whom: from the port matrix, the inventory and the user's changes."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import (
    ENCAPSULATIONS,
    IP_PROTOCOLS,
    MATRIX,
    PortRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANYWHERE = ("0.0.0.0/0", "::/0")
PROTOCOLS = ("tcp", "udp", "sctp", *IP_PROTOCOLS)
ADD_ONS = tuple(sorted({row.add_on for row in MATRIX if row.add_on}))
# Names become names of nftables sets and comments there (nft(8): identifiers, at most 128 bytes of comment).
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
GROUP_OF = {"control_plane": "kube_control_plane", "etcd": "etcd"}


class PlanError(NetopsError):
    """A plan that cannot be made; the text names the rule or the group."""


@dataclass(frozen=True)
class Cluster:
    """What a plan is made from.

    :param groups: the inventory's host names by group.
    :param addresses: each node's addresses by host name.
    :param pod_cidrs: the pod networks.
    :param service_cidrs: the Service networks.
    :param cni: such as ``flannel``.
    :param encapsulation: such as ``vxlan``.
    :param add_ons: what else runs on the nodes; one of ``ADD_ONS`` each.
    :param nodeport_range: ``low-high``.
    :param ssh_port: where sshd listens.
    :param peers: networks by peer set, beyond or instead of those that the inventory gives.
    """

    groups: Mapping[str, Sequence[str]]
    addresses: Mapping[str, Sequence[str]]
    pod_cidrs: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    cni: str = ""
    encapsulation: str = ""
    add_ons: tuple[str, ...] = ()
    nodeport_range: str = "30000-32767"
    ssh_port: int = 22
    peers: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class Rule:
    """One rule of a node: who may reach which port.

    :param ports: ``10250`` or ``30000-32767``; empty for an IP protocol without ports.
    :param peers: names of peer sets.
    """

    id: str
    component: str
    protocol: str
    ports: str
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What one node accepts; everything else is dropped.

    :param peers: networks by the name of each set that a rule uses.
    :param pod_cidrs: where pods are; their traffic to Services passes this node.
    :param service_cidrs: in IPVS mode their addresses are this node's own.
    """

    node_name: str
    peers: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    pod_cidrs: tuple[str, ...]
    service_cidrs: tuple[str, ...]

    def to_output(self) -> dict[str, Any]:
        """The plan as plain lists and mappings, for a template, a module or an auditor."""
        rules = [{**asdict(rule), "peers": list(rule.peers)} for rule in self.rules]
        return {
            "node_name": self.node_name,
            "peers": {name: list(networks) for name, networks in sorted(self.peers.items())},
            "rules": rules,
            "pod_cidrs": list(self.pod_cidrs),
            "service_cidrs": list(self.service_cidrs),
        }


def from_output(output: Mapping[str, Any]) -> Plan:
    """The plan that :meth:`Plan.to_output` wrote.

    :raises PlanError: it is none, or somebody edited it into something that cannot be.
    """
    try:
        plan = Plan(
            str(output["node_name"]),
            {name: tuple(networks) for name, networks in output["peers"].items()},
            tuple(Rule(**{**rule, "peers": tuple(rule["peers"])}) for rule in output["rules"]),
            tuple(output["pod_cidrs"]),
            tuple(output["service_cidrs"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PlanError("plan", f"it lacks {error}", "the output of the filter netops.kubernetes.port_plan") from error
    return _checked(plan)


def _checked(plan: Plan) -> Plan:
    for name, networks in plan.peers.items():
        _require_name("peer set", name)
        _networks(name, networks)
    for rule in plan.rules:
        _require_name("rule", rule.id)
        _require_protocol(rule.id, rule.protocol)
        _ports(rule.id, rule.ports, rule.protocol)
        for name in rule.peers:
            _require_known(rule.id, name, plan.peers)
    _networks("pods", plan.pod_cidrs)
    _networks("services", plan.service_cidrs)
    return plan


def _require_name(kind: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise PlanError(
            f"{kind} {name!r}",
            "its name cannot be one in nftables",
            "a letter, then at most 62 letters, digits, '_', '.' and '-'",
            "Rename it",
        )


def _require_protocol(rule: str, protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise PlanError(f"rule {rule!r}", f"protocol {protocol!r}", f"one of {', '.join(PROTOCOLS)}")


def _require_known(rule: str, name: str, sets: Mapping[str, tuple[str, ...]]) -> None:
    if name not in sets:
        raise PlanError(
            f"rule {rule!r}",
            f"its peer set {name!r} is unknown",
            f"one of {', '.join(sorted(sets))}",
            "Define it in node_firewall_peers",
        )


def plan_for(node_name: str, cluster: Cluster, changes: Sequence[Mapping[str, Any]] = ()) -> Plan:
    """The plan of one node.

    :param changes: the user's own rules; one with the id of a rule changes it, ``state: absent`` removes it.
    :raises PlanError: an unknown group or set, a wrong port, a conflict, a set that is needed and empty.
    """
    _require_groups(node_name, cluster)
    _require_features(cluster)
    rules = [_rule(row, cluster) for row in MATRIX if _applies(row, node_name, cluster)]
    rules = _changed(rules, changes)
    _require_no_conflict(rules)
    sets = peer_sets(cluster)
    used: dict[str, tuple[str, ...]] = {}
    kept: list[Rule] = []
    for rule in rules:
        for name in rule.peers:
            _require_known(rule.id, name, sets)
        filled = tuple(name for name in rule.peers if sets[name])
        used.update({name: sets[name] for name in filled})
        if filled:
            kept.append(replace(rule, peers=filled))
    pods, services = _networks("pods", cluster.pod_cidrs), _networks("services", cluster.service_cidrs)
    return _checked(Plan(node_name, used, tuple(kept), pods, services))


def _require_features(cluster: Cluster) -> None:
    known = ENCAPSULATIONS.get(cluster.cni)
    if known and cluster.encapsulation not in known:
        raise PlanError(
            f"CNI {cluster.cni!r}",
            f"encapsulation {cluster.encapsulation!r}",
            f"one of {', '.join(known)}",
            "Correct node_firewall_encapsulation; traffic between nodes would be dropped",
        )
    for add_on in cluster.add_ons:
        if add_on not in ADD_ONS:
            raise PlanError(
                f"add-on {add_on!r}",
                "the port matrix does not know it",
                f"one of {', '.join(ADD_ONS)}",
                "Correct node_firewall_add_ons, or add rules of your own to node_firewall_rules",
            )


def _require_groups(node_name: str, cluster: Cluster) -> None:
    if not cluster.groups.get("kube_control_plane"):
        raise PlanError(
            "inventory",
            "group 'kube_control_plane' is missing or empty",
            "the control-plane nodes in it",
            "Name the groups as kubespray does: kube_control_plane, kube_node, etcd",
        )
    for host in {node_name, *_members("all_nodes", cluster)}:
        if not cluster.addresses.get(host):
            raise PlanError(
                f"node {host!r}",
                "no address of it is known",
                "its facts, or the host variable ip",
                "Gather facts of every node of the inventory, or set ip (limits: --limit leaves others out)",
            )


def _members(peer_set: str, cluster: Cluster) -> list[str]:
    groups = cluster.groups
    control_plane = list(groups.get("kube_control_plane", ()))
    etcd = list(groups.get("etcd", ())) or control_plane
    if peer_set == "control_plane":
        return control_plane
    if peer_set == "etcd":
        return etcd
    return list(dict.fromkeys([*control_plane, *groups.get("kube_node", ()), *etcd]))


def peer_sets(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Networks by set; sets that only a user can know are empty, but for ``admins``: nobody is locked out."""
    sets: dict[str, tuple[str, ...]] = {
        "anywhere": ANYWHERE,
        "admins": ANYWHERE,
        "load_balancers": (),
        "monitoring": (),
        "pods": _networks("pods", cluster.pod_cidrs),
    }
    for name in ("all_nodes", "control_plane", "etcd"):
        addresses = [address for host in _members(name, cluster) for address in cluster.addresses[host]]
        sets[name] = _networks(name, addresses)
    for name, networks in (cluster.peers or {}).items():
        sets[name] = _networks(name, networks)
    return sets


def _networks(name: str, networks: Sequence[str]) -> tuple[str, ...]:
    result: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for network in networks:
        try:
            result.append(ipaddress.ip_network(network))
        except ValueError as error:
            raise PlanError(
                f"peer set {name!r}", f"{network!r}: {error}", "an address or a network without host bits"
            ) from error
    return tuple(str(network) for network in sorted(set(result), key=lambda one: (one.version, one)))


def _applies(row: PortRow, node_name: str, cluster: Cluster) -> bool:
    cni, _unused, encapsulations = row.when.partition("/")
    if cni and cni != cluster.cni:
        return False
    if encapsulations and cluster.encapsulation not in encapsulations.split("|"):
        return False
    if row.add_on and row.add_on not in cluster.add_ons:
        return False
    return row.nodes == "all" or node_name in _members(row.nodes, cluster)


def _rule(row: PortRow, cluster: Cluster) -> Rule:
    ports = {"ssh": str(cluster.ssh_port), "nodeport": cluster.nodeport_range}.get(row.port, row.port)
    return Rule(row.id, row.component, row.protocol, _ports(row.id, ports, row.protocol), row.peers)


def _ports(rule: str, text: str, protocol: str) -> str:
    if protocol in IP_PROTOCOLS:
        if text:
            raise PlanError(f"rule {rule!r}", f"ports {text!r}", f"none: {protocol} has no ports", "Leave ports out")
        return ""
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", str(text))
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < low <= high < 65536:
        raise PlanError(f"rule {rule!r}", f"ports {text!r}", "a port from 1 to 65535, or low-high")
    return str(low) if low == high else f"{low}-{high}"


def _changed(rules: list[Rule], changes: Sequence[Mapping[str, Any]]) -> list[Rule]:
    by_id = {rule.id: rule for rule in rules}
    for change in changes:
        name = str(change.get("id", ""))
        unknown = sorted(set(change) - {"id", "component", "protocol", "ports", "peers", "state"})
        if not name or unknown:
            raise PlanError(
                f"rule {name or dict(change)!r}",
                f"unknown fields {', '.join(unknown)}" if unknown else "it has no id",
                "id, and any of component, protocol, ports, peers, state",
            )
        if change.get("state") == "absent":
            by_id.pop(name, None)
            continue
        by_id[name] = _merged(by_id.get(name), name, change)
    return list(by_id.values())


def _merged(rule: Rule | None, name: str, change: Mapping[str, Any]) -> Rule:
    if rule is None:
        needed = ("peers",) if change.get("protocol") in IP_PROTOCOLS else ("ports", "peers")
        missing = [field for field in needed if field not in change]
        if missing:
            raise PlanError(f"rule {name!r}", f"it is new and has no {' and no '.join(missing)}", "ports and peers")
        rule = Rule(name, name, "tcp", "", ())
    protocol = str(change.get("protocol", rule.protocol))
    _require_protocol(name, protocol)
    peers = tuple(change.get("peers", rule.peers))
    if not peers:
        raise PlanError(
            f"rule {name!r}", "nobody may use it: peers is empty", "a peer set", "Use state: absent to remove it"
        )
    component = str(change.get("component", rule.component))
    return Rule(name, component, protocol, _ports(name, str(change.get("ports", rule.ports)), protocol), peers)


def span(ports: str) -> tuple[int, int]:
    """The first and the last port; 0 for both where there are none."""
    low, _unused, high = ports.partition("-")
    return int(low or 0), int(high or low or 0)


def _require_no_conflict(rules: Sequence[Rule]) -> None:
    for number, rule in enumerate(rules):
        for other in rules[:number]:
            (low, high), (other_low, other_high) = span(rule.ports), span(other.ports)
            if rule.protocol == other.protocol and low <= other_high and other_low <= high:
                raise PlanError(
                    f"rule {rule.id!r}",
                    f"{rule.protocol} {rule.ports} is also what rule {other.id!r} is about ({other.ports or 'all'})",
                    "one rule a port",
                    f"Change rule {other.id!r}, or remove one of the two with state: absent",
                )


def admits(plan: Plan, peer: str, port: int) -> bool:
    """Whether the plan lets a TCP connection from an address to a port in."""
    address = ipaddress.ip_address(peer)
    for rule in plan.rules:
        low, high = span(rule.ports)
        if rule.protocol == "tcp" and low <= port <= high:
            networks = [ipaddress.ip_network(network) for name in rule.peers for network in plan.peers[name]]
            if any(address in network for network in networks):
                return True
    return False


def readable(plan: Plan) -> str:
    """The plan as a table that a person reads; the text of a diff."""
    rows = [("rule", "protocol", "ports", "from")]
    rows += [(rule.id, rule.protocol, rule.ports or "-", ", ".join(rule.peers)) for rule in plan.rules]
    if plan.service_cidrs:
        rows.append(("services", "any", "any", "all_nodes, pods"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, [*widths, 0])).rstrip() for row in rows]
    sets = [f"{name}: {', '.join(networks)}" for name, networks in sorted(plan.peers.items())]
    return "\n".join([*lines, "everything else: dropped", *sets]) + "\n"
