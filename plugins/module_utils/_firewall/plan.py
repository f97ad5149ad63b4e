# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one node must accept, and from whom: from the port matrix, the inventory and the user's changes."""

from __future__ import annotations

import bisect
import ipaddress
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.peers import (
    is_everybody,
    members,
    networks,
    of_version,
    peer_sets,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import (
    ADD_ONS,
    ENCAPSULATIONS,
    MATRIX,
    NODEPORT_RULES,
    REPLACES,
    PortRow,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import (
    ICMP_TYPES,
    WITH_PORTS,
    overlap,
    ports_of,
    protocol_of,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Names become names of sets and chains: of nftables, ipset (31 characters with a version) and iptables.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
SET_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")


@dataclass(frozen=True)
class Cluster:
    """What a plan is made from.

    :param groups: the inventory's host names by group.
    :param addresses: each node's addresses by host name.
    :param pod_cidrs: the pod networks.
    :param service_cidrs: the Service networks.
    :param cni: such as ``flannel``.
    :param encapsulations: such as ``vxlan``; Calico may have one a pool.
    :param add_ons: what else runs on the nodes; one of ``ADD_ONS`` each.
    :param nodeport_range: ``low-high``.
    :param ssh_port: where sshd listens.
    :param peers: networks, hosts or groups by peer set, beyond or instead of those that the inventory gives.
    :param ports: other ports than the matrix's, by rule id; ids that this node has no rule for are passed over.
    :param load_balancer_cidrs: networks that Services of type LoadBalancer, and externalIPs, have addresses from.
    """

    groups: Mapping[str, Sequence[str]]
    addresses: Mapping[str, Sequence[str]]
    pod_cidrs: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    cni: str = ""
    encapsulations: tuple[str, ...] = ()
    add_ons: tuple[str, ...] = ()
    nodeport_range: str = "30000-32767"
    ssh_port: int = 22
    peers: Mapping[str, Sequence[str]] | None = None
    ports: Mapping[str, Any] | None = None
    load_balancer_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule of a node: who may reach which port.

    :param ports: ``10250`` or ``30000-32767``; ICMP types with commas between; empty for other IP protocols.
    :param peers: names of peer sets, sorted.
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
    :param nodeport_range: what the NodePort rules are about; who is not in them is stopped before DNAT.
    :param load_balancer_cidrs: in IPVS mode their addresses are this node's own, too, and kube-proxy judges what is for
        them.
    """

    node_name: str
    peers: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    pod_cidrs: tuple[str, ...]
    service_cidrs: tuple[str, ...]
    nodeport_range: str
    load_balancer_cidrs: tuple[str, ...] = ()

    def to_output(self) -> dict[str, Any]:
        """The plan as plain lists and mappings, for a template, a module or an auditor."""
        rules = [{**asdict(rule), "peers": list(rule.peers)} for rule in self.rules]
        return {
            "node_name": self.node_name,
            "peers": {name: list(entries) for name, entries in sorted(self.peers.items())},
            "rules": rules,
            "pod_cidrs": list(self.pod_cidrs),
            "service_cidrs": list(self.service_cidrs),
            "nodeport_range": self.nodeport_range,
            "load_balancer_cidrs": list(self.load_balancer_cidrs),
        }

    def networks_of(self, rule: Rule) -> tuple[str, ...]:
        """Everybody who may use a rule."""
        return tuple(entry for name in rule.peers for entry in self.peers[name])


def from_output(output: Mapping[str, Any]) -> Plan:
    """The plan that :meth:`Plan.to_output` wrote.

    :raises PlanError: it is none, or somebody edited it into something that cannot be.
    """
    try:
        plan = Plan(
            str(output["node_name"]),
            {name: tuple(entries) for name, entries in output["peers"].items()},
            tuple(Rule(**{**rule, "peers": tuple(rule["peers"])}) for rule in output["rules"]),
            tuple(output["pod_cidrs"]),
            tuple(output["service_cidrs"]),
            str(output["nodeport_range"]),
            # A plan that was kept from before has none.
            tuple(output.get("load_balancer_cidrs", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PlanError("plan", f"it lacks {error}", "the output of the filter netops.kubernetes.port_plan") from error
    return _checked(plan)


def _checked(plan: Plan) -> Plan:
    for name, entries in plan.peers.items():
        _require_set_name(name)
        networks(name, entries)
    for rule in plan.rules:
        _require_id(rule.id)
        ports_of(rule.id, rule.ports, protocol_of(rule.id, rule.protocol))
        for name in rule.peers:
            _require_known(rule.id, name, plan.peers)
    networks("pods", plan.pod_cidrs)
    networks("services", plan.service_cidrs)
    networks("load_balancers", plan.load_balancer_cidrs)
    ports_of("nodeport_range", plan.nodeport_range, "tcp")
    return plan


def _require_set_name(name: str) -> None:
    if not SET_NAME.fullmatch(name):
        raise PlanError(
            f"peer set {name!r}",
            "its name cannot be one in every back-end",
            "a lower-case letter, then at most 15 lower-case letters, digits and '_'",
            "Rename it",
        )


def _require_id(name: str) -> None:
    if not NAME.fullmatch(name):
        raise PlanError(
            f"rule {name!r}",
            "its id cannot be a comment in every back-end",
            "a letter, then at most 62 letters, digits, '_', '.' and '-'",
            "Rename it",
        )


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
    rows = _rows(node_name, cluster)
    touched = {str(change.get("id", "")) for change in changes}
    rules = _in_order(_changed(node_name, [_rule(row, cluster) for row in rows], changes, cluster))
    _require_no_conflict(rules)
    sets = peer_sets(cluster)
    needed = touched | {row.id for row in rows if row.need == "required"}
    kept = [rule for one in rules for rule in _with_somebody(one, sets, needed=one.id in needed)]
    used = {name: sets[name] for rule in kept for name in rule.peers}
    pods, services = networks("pods", cluster.pod_cidrs), networks("services", cluster.service_cidrs)
    _require_families(node_name, cluster, pods)
    reserved = ports_of("nodeport_range", cluster.nodeport_range, "tcp")
    virtual = networks("load_balancers", cluster.load_balancer_cidrs)
    _require_virtual(virtual, pods, cluster)
    return _checked(Plan(node_name, used, tuple(kept), pods, services, reserved, virtual))


def _require_virtual(virtual: Sequence[str], pods: Sequence[str], cluster: Cluster) -> None:
    """Every port of these addresses is let in, so none of them may be a node's, or of a bridge to pods."""
    taken = [(one, f"address {one} of node {host!r}") for host, some in cluster.addresses.items() for one in some]
    taken += [(one, f"the pod network {one}") for one in pods]
    for entry in virtual:
        wide = ipaddress.ip_network(entry)
        for one, what in taken:
            narrow = ipaddress.ip_network(one)
            if wide.version == narrow.version and wide.overlaps(narrow):
                raise PlanError(
                    f"network {entry} of load balancers",
                    f"it overlaps {what}, every port of which would be open to everybody",
                    "addresses that only Services have",
                    "Correct node_firewall_load_balancer_cidrs",
                )


def _in_order(rules: Sequence[Rule]) -> list[Rule]:
    """The matrix' rules as it has them, then the user's by their ids: his order does not make another plan."""
    places = {row.id: number for number, row in enumerate(MATRIX)}
    return sorted(rules, key=lambda rule: (places.get(rule.id, len(places)), rule.id))


def _with_somebody(rule: Rule, sets: Mapping[str, tuple[str, ...]], *, needed: bool) -> list[Rule]:
    """The rule with those of its sets that somebody is in; no rule when there is nobody at all."""
    for name in rule.peers:
        _require_known(rule.id, name, sets)
    filled = tuple(name for name in rule.peers if sets[name])
    if not filled and needed:
        raise PlanError(
            f"rule {rule.id!r}",
            f"nobody may use it: {', '.join(rule.peers)} {'is' if len(rule.peers) == 1 else 'are'} empty",
            "somebody",
            f"Fill node_firewall_peers.{rule.peers[0]}, or remove the rule with state: absent",
        )
    return [replace(rule, peers=filled)] if filled else []


def _require_features(cluster: Cluster) -> None:
    known = ENCAPSULATIONS.get(cluster.cni, ())
    strange = [one for one in cluster.encapsulations or ("",) if known and one not in known]
    if strange:
        raise PlanError(
            f"CNI {cluster.cni!r}",
            f"encapsulation {strange[0]!r}",
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
    for host in dict.fromkeys([node_name, *members("all_nodes", cluster)]):
        if not cluster.addresses.get(host):
            raise PlanError(
                f"node {host!r}",
                "no address of it is known",
                "its facts, or the host variable ip",
                "Gather facts of every node of the inventory, or set ip (limits: --limit leaves others out)",
            )


def _require_families(node_name: str, cluster: Cluster, pods: Sequence[str]) -> None:
    """Nodes of a dual-stack cluster reach each other in both families (KEP-563), so each must have both."""
    for version, variable in ((4, "ip"), (6, "ip6")):
        if not of_version(pods, version):
            continue
        for host in dict.fromkeys([node_name, *members("all_nodes", cluster)]):
            if not any(ipaddress.ip_address(one).version == version for one in cluster.addresses[host]):
                raise PlanError(
                    f"node {host!r}",
                    f"it has no IPv{version} address, and the pods have one ({of_version(pods, version)[0]})",
                    f"an address of either family that the pods have, here {', '.join(cluster.addresses[host])}",
                    f"Set its host variable {variable}",
                )


def _rows(node_name: str, cluster: Cluster) -> list[PortRow]:
    """The rows that this node has, those that only the node itself needs included: without peers they open nothing."""
    rows = [row for row in MATRIX if _applies(row, node_name, cluster)]
    replaced = {REPLACES.get(row.id) for row in rows}
    return [row for row in rows if row.id not in replaced]


def _applies(row: PortRow, node_name: str, cluster: Cluster) -> bool:
    cni, _unused, encapsulations = row.when.partition("/")
    if cni and cni != cluster.cni:
        return False
    if encapsulations and not set(cluster.encapsulations) & set(encapsulations.split("|")):
        return False
    if row.add_on and row.add_on not in cluster.add_ons:
        return False
    return _is_for(row, node_name, cluster)


def _is_for(row: PortRow, node_name: str, cluster: Cluster) -> bool:
    return row.nodes == "all" or node_name in members(row.nodes, cluster)


def _rule(row: PortRow, cluster: Cluster) -> Rule:
    ports = {"ssh": str(cluster.ssh_port), "nodeport": cluster.nodeport_range}.get(row.port, row.port)
    ports = str((cluster.ports or {}).get(row.id, ports))
    return Rule(row.id, row.component, row.protocol, ports_of(row.id, ports, row.protocol), tuple(sorted(row.peers)))


def _changed(
    node_name: str, rules: Sequence[Rule], changes: Sequence[Mapping[str, Any]], cluster: Cluster
) -> list[Rule]:
    """The node's rules with the user's changes; rules that nobody but the node itself needs are left out."""
    here = {rule.id: rule for rule in rules}
    matrix = {row.id: row for row in MATRIX}
    done: set[str] = set()
    for change in changes:
        name = str(change.get("id", ""))
        _require_change(name, change)
        _require_once(name, done)
        done.add(name)
        _require_no_stand_in(name, here)
        # One change is for all hosts: what it says of a row of the matrix holds where that row does, and nowhere else.
        row = matrix.get(name) if name not in here else None
        elsewhere = row is not None and not (_is_for(row, node_name, cluster) and _is_whole(change, row))
        if change.get("state", "present") == "absent":
            _require_there(name, here, matrix)
            here.pop(name, None)
            continue
        known = _rule(row, cluster) if row else here.get(name)
        merged = _merged(known, name, change)
        if not elsewhere:
            here[name] = merged
    return [rule for rule in here.values() if rule.peers]


def _is_whole(change: Mapping[str, Any], row: PortRow) -> bool:
    """Whether it says all that a rule is made of: then it is wanted, though this cluster lacks the CNI or add-on."""
    protocol = change.get("protocol", row.protocol)
    return "peers" in change and ("ports" in change or protocol not in (*WITH_PORTS, *ICMP_TYPES))


def _require_change(name: str, change: Mapping[str, Any]) -> None:
    unknown = sorted(set(change) - {"id", "component", "protocol", "ports", "peers", "state"})
    if not name or unknown:
        raise PlanError(
            f"rule {name or dict(change)!r}",
            f"unknown fields {', '.join(unknown)}" if unknown else "it has no id",
            "id, and any of component, protocol, ports, peers, state",
        )
    state = change.get("state", "present")
    if state not in {"present", "absent"}:
        raise PlanError(f"rule {name!r}", f"state {state!r}", "present or absent")


def _require_once(name: str, done: set[str]) -> None:
    """Of two changes of one rule the last would win, so that their order would make the plan."""
    if name in done:
        raise PlanError(f"rule {name!r}", "it is in the list twice", "one entry a rule", "Join the two entries")


def _require_there(name: str, here: Mapping[str, Rule], matrix: Mapping[str, PortRow]) -> None:
    """A rule that other nodes have may be removed from all at once; one that no node can have is a slip."""
    if name not in here and name not in matrix:
        raise PlanError(
            f"rule {name!r}",
            "state absent, and there is no rule of that id",
            f"one of {', '.join(here)}",
            "Correct the id, or leave the entry out",
        )


def _require_no_stand_in(name: str, here: Mapping[str, Rule]) -> None:
    """Whoever narrows a rule must not find its port as open as before because another rule has taken its place."""
    for other, replaced in REPLACES.items():
        if replaced == name and other in here:
            raise PlanError(
                f"rule {name!r}",
                f"rule {other!r} stands in for it, with the add-ons of this cluster",
                f"a change of rule {other!r}",
                "Correct the id",
            )


def _merged(rule: Rule | None, name: str, change: Mapping[str, Any]) -> Rule:
    _require_id(name)
    if rule is None:
        known = protocol_of(name, str(change.get("protocol", "tcp")))
        needed = ("ports", "peers") if known in WITH_PORTS or known in ICMP_TYPES else ("peers",)
        missing = [field for field in needed if field not in change]
        if missing:
            raise PlanError(f"rule {name!r}", f"it is new and has no {' and no '.join(missing)}", " and ".join(needed))
        rule = Rule(name, name, "tcp", "", ())
    protocol = protocol_of(name, str(change.get("protocol", rule.protocol)))
    peers = change.get("peers", rule.peers)
    if isinstance(peers, str) or not all(isinstance(one, str) for one in peers):
        raise PlanError(f"rule {name!r}", f"peers {peers!r}", "a list of names of peer sets")
    if not peers:
        raise PlanError(
            f"rule {name!r}", "nobody may use it: peers is empty", "a peer set", "Use state: absent to remove it"
        )
    component = str(change.get("component", rule.component))
    ports = ports_of(name, str(change.get("ports", rule.ports)), protocol)
    return Rule(name, component, protocol, ports, tuple(sorted(set(peers))))


def _require_no_conflict(rules: Sequence[Rule]) -> None:
    # By protocol: first port, last port and number of a rule. Those with ports do not overlap and are in the order of
    # their ports, so that a rule is compared with its neighbours alone, however many there are.
    kept: dict[str, list[tuple[int, int, int]]] = {}
    for number, rule in enumerate(rules):
        others = kept.setdefault(rule.protocol, [])
        entry, near = (0, 0, number), others
        place = len(others)
        if rule.protocol in WITH_PORTS:
            entry = (*span(rule.ports), number)
            place = bisect.bisect(others, entry)
            near = others[max(0, place - 1) : place + 1]
        if any(_collide(rule, rules[one]) for _low, _high, one in near):
            other = next(one for one in rules if _collide(rule, one))
            raise PlanError(
                f"rule {rule.id!r}",
                f"{rule.protocol} {rule.ports} is also what rule {other.id!r} is about ({other.ports or 'all'})",
                "one rule a port",
                f"Change rule {other.id!r}, or remove one of the two with state: absent",
            )
        others.insert(place, entry)


def _collide(rule: Rule, other: Rule) -> bool:
    return rule is not other and rule.protocol == other.protocol and overlap(rule.protocol, rule.ports, other.ports)


def admits(plan: Plan, peer: str, port: int) -> bool:
    """Whether the plan lets a TCP connection from an address to a port in."""
    address = ipaddress.ip_address(peer)
    for rule in plan.rules:
        low, high = span(rule.ports) if rule.protocol == "tcp" else (0, 0)
        if low <= port <= high and any(address in ipaddress.ip_network(one) for one in plan.networks_of(rule)):
            return True
    return False


@dataclass(frozen=True)
class Reserved:
    """NodePorts of one protocol that not everybody may use.

    :param rule: who may; nobody without a rule.
    """

    protocol: str
    ports: str
    rule: Rule | None


def restricted_nodeports(plan: Plan) -> tuple[Reserved, ...]:
    """What must be stopped before kube-proxy's DNAT, after which a packet's port is its backend's.

    A protocol whose rule admits everybody is not here. SCTP is left alone unless the plan has a rule about it.
    """
    by_id = {rule.id: rule for rule in plan.rules}
    found: list[Reserved] = []
    for name in NODEPORT_RULES:
        rule, protocol = by_id.get(name), name.rpartition("-")[2]
        if rule is None and protocol == "sctp":
            continue
        if rule is None or not is_everybody(plan.networks_of(rule)):
            found.append(Reserved(protocol, rule.ports if rule else plan.nodeport_range, rule))
    return tuple(found)
