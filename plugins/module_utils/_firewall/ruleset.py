# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a back-end holds, in one form for all of them: made from a plan, and read back from what a node reports."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.peers import (
    ANYWHERE,
    Network,
    is_everybody,
    merged,
    networks,
    of_version,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Rule, restricted_nodeports
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.report import ENDINGS, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan

EVERYBODY = "anywhere"
# What begins every line that is logged; people search for it.
LOG_PREFIX = "netops-kubernetes: "


@dataclass(frozen=True)
class Settings:
    """How a plan is applied.

    :param default: ``drop``, ``reject`` or ``accept`` for what no rule admits.
    :param log: log that, rate-limited.
    """

    default: str = "drop"
    log: bool = False


@dataclass(frozen=True)
class Admission:
    """One rule, without what a kernel does not keep.

    :param peers: names of sets, sorted; ``anywhere`` alone for everybody.
    """

    protocol: str
    ports: str
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Ruleset:
    """What a node holds of ours.

    :param admissions: who may reach what.
    :param nodeports: NodePorts that only these may use, judged before DNAT.
    :param peers: each set's networks, merged; without ``anywhere``.
    :param services: Service networks that nodes and pods may reach.
    :param forwarded: pod networks whose traffic is let through the chains of a service that would drop it.
    :param default: what happens to everything else; empty when nothing says so.
    :param log: whether that is logged.
    :param strange: what is there and was not written by this collection, line by line.
    :param ids: of rules, by protocol and ports; comments for people, without a say in whether two rulesets are equal.
    :param virtual: networks of the addresses that Services have beside the Service networks; everybody may reach them.
    """

    admissions: frozenset[Admission] = frozenset()
    nodeports: frozenset[Admission] = frozenset()
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    forwarded: tuple[str, ...] = ()
    default: str = ""
    log: bool = False
    strange: tuple[str, ...] = ()
    ids: Mapping[tuple[str, str], str] = field(default_factory=dict, compare=False)
    virtual: tuple[str, ...] = ()


NOTHING = Ruleset()


def intended(plan: Plan, settings: Settings, *, forwards: bool) -> Ruleset:
    """What a node holds once the plan is there.

    :param forwards: the back-end's service judges forwarded traffic, so pods' must be let through.
    """
    nodeports = frozenset(
        Admission(one.protocol, one.ports, admitted_sets(one.rule.peers, plan.peers) if one.rule else ())
        for one in restricted_nodeports(plan)
    )
    admissions = frozenset(
        Admission(rule.protocol, rule.ports, admitted_sets(rule.peers, plan.peers)) for rule in plan.rules
    )
    services = plan.service_cidrs if _service_peers(plan) else ()
    used = {name for one in (*admissions, *nodeports) for name in one.peers if name != EVERYBODY}
    used |= set(_service_peers(plan) if services else ())
    ruleset = Ruleset(
        admissions,
        nodeports,
        {name: networks(name, _networks_of(name, plan)) for name in sorted(used)},
        networks("services", services),
        networks("pods", plan.pod_cidrs) if forwards else (),
        settings.default,
        settings.log,
        ids={(rule.protocol, rule.ports): rule.id for rule in plan.rules},
        virtual=networks("load_balancers", plan.load_balancer_cidrs),
    )
    return normal(ruleset)


def admitted_sets(names: Iterable[str], sets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The sets that a rule has to name: none but ``anywhere`` when one of them is everybody."""
    kept = sorted(set(names))
    return (EVERYBODY,) if any(is_everybody(sets[name]) for name in kept) else tuple(kept)


def _service_peers(plan: Plan) -> tuple[str, ...]:
    return tuple(name for name in ("all_nodes", "pods") if _networks_of(name, plan))


def _networks_of(name: str, plan: Plan) -> tuple[str, ...]:
    return tuple(plan.peers.get(name, plan.pod_cidrs if name == "pods" else ()))


def in_family(ruleset: Ruleset, version: int) -> Ruleset:
    """The part of a ruleset that concerns one IP version: sets without an address in it are nobody there."""
    peers = {name: tuple(of_version(entries, version)) for name, entries in ruleset.peers.items()}
    other = "icmpv6" if version == 4 else "icmp"

    def kept(admissions: Iterable[Admission], *, closed: bool) -> frozenset[Admission]:
        found = set()
        for one in admissions:
            names = tuple(name for name in one.peers if name == EVERYBODY or peers[name])
            if one.protocol != other and (names or closed):
                found.add(Admission(one.protocol, one.ports, names))
        return frozenset(found)

    return Ruleset(
        kept(ruleset.admissions, closed=False),
        kept(ruleset.nodeports, closed=True),
        {name: entries for name, entries in peers.items() if entries},
        tuple(of_version(ruleset.services, version)),
        tuple(of_version(ruleset.forwarded, version)),
        ruleset.default,
        ruleset.log,
        ruleset.strange,
        ruleset.ids,
        tuple(of_version(ruleset.virtual, version)),
    )


def joined(four: Ruleset, six: Ruleset) -> Ruleset:
    """The ruleset whose two parts these are; the inverse of :func:`in_family`."""
    names = sorted({*four.peers, *six.peers})
    return Ruleset(
        _united(four.admissions, six.admissions),
        _united(four.nodeports, six.nodeports),
        {name: (*four.peers.get(name, ()), *six.peers.get(name, ())) for name in names},
        (*four.services, *six.services),
        (*four.forwarded, *six.forwarded),
        four.default if four.default == six.default else "",
        four.log and six.log,
        tuple(dict.fromkeys([*four.strange, *six.strange])),
        {**four.ids, **six.ids},
        (*four.virtual, *six.virtual),
    )


def _united(*parts: Iterable[Admission]) -> frozenset[Admission]:
    peers: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        for one in part:
            peers.setdefault((one.protocol, one.ports), set()).update(one.peers)
    return frozenset(Admission(*key, tuple(sorted(names))) for key, names in peers.items())


def normal(ruleset: Ruleset) -> Ruleset:
    """The same ruleset in the form that compares: networks merged, sets that are nobody in a family left out there."""
    whole = _with_merged(ruleset)
    return _with_merged(joined(in_family(whole, 4), in_family(whole, 6)))


def _with_merged(ruleset: Ruleset) -> Ruleset:
    peers = {name: _merged(entries) for name, entries in sorted(ruleset.peers.items()) if entries}
    services, forwarded, virtual = map(_merged, (ruleset.services, ruleset.forwarded, ruleset.virtual))
    return replace(ruleset, peers=peers, services=services, forwarded=forwarded, virtual=virtual)


def _merged(entries: Iterable[str]) -> tuple[str, ...]:
    return merged(network for entry in entries for network in _networks(entry))


def _networks(entry: str) -> Iterable[Network]:
    """An entry as a kernel prints it: an address, a network, or the range that neighbours were merged to."""
    low, dash, high = entry.partition("-")
    if not dash:
        return (ipaddress.ip_network(entry),)
    return ipaddress.summarize_address_range(ipaddress.ip_address(low), ipaddress.ip_address(high))


def readable(ruleset: Ruleset, ids: Mapping[tuple[str, str], str]) -> str:
    """A node's ruleset as the table of a diff.

    :param ids: of rules, where the node does not keep them.
    """
    if ruleset == NOTHING:
        return ""
    names = {**ids, **ruleset.ids}
    rules = [
        Rule(
            names.get((one.protocol, one.ports), f"{one.protocol}-{one.ports}"), "", one.protocol, one.ports, one.peers
        )
        for one in ruleset.admissions
    ]
    peers = dict(ruleset.peers)
    if any(EVERYBODY in rule.peers for rule in rules):
        peers[EVERYBODY] = ANYWHERE
    default = ruleset.default if ruleset.default in ENDINGS else "accept"
    shown = table(rules, peers, bool(ruleset.services), ruleset.virtual, default=default, log=ruleset.log)
    nodeports = [
        f"NodePorts {one.protocol} {one.ports} only from: {', '.join(one.peers) or 'nobody'}\n"
        for one in sorted(ruleset.nodeports, key=lambda one: one.protocol)
    ]
    strange = [f"not of this collection: {line}\n" for line in ruleset.strange]
    return "".join([shown, *nodeports, *strange])
