# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What is wrong with policies on a given cluster: each by itself and beside the others, by the checks of ``checks``."""

from __future__ import annotations

import difflib
from itertools import combinations
from typing import TYPE_CHECKING, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import ROOTS
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import Finding, finding
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ALLOW,
    EGRESS,
    INGRESS,
    NAMESPACED,
    BlockPeer,
    PodPeer,
    PortMatch,
    Requirement,
    Selector,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import (
    Relation,
    of_rectangles,
    without,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import HOST, POD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import CompiledRule, Evaluation
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory, Labels, Policy, Rule

# What a shell, a control plane or a data base listens on.
ADMIN_PORTS = {
    22: "SSH",
    23: "Telnet",
    2375: "Docker",
    2376: "Docker",
    2379: "etcd",
    2380: "etcd",
    3306: "MySQL",
    3389: "RDP",
    5432: "PostgreSQL",
    5900: "VNC",
    6379: "Redis",
    6443: "Kubernetes API",
    9200: "Elasticsearch",
    10250: "kubelet",
    11211: "memcached",
    27017: "MongoDB",
}
EVERYBODY = set(ROOTS.values())
SAMPLE = 3
# How alike two labels are that differ by a slip of the hand (difflib's ratio): wbe and web are at 0.67.
CLOSE = 0.65


def lint_policies(evaluations: Sequence[Evaluation], api_server: Sequence[str] = ()) -> list[Finding]:
    """What is wrong with the policies.

    :param evaluations: of each family of addresses; all of the same policies.
    :param api_server: the addresses of the API server where they are known.
    """
    first = evaluations[0]
    known = _Known(first.universe.inventory)
    found: list[Finding] = []
    for number, policy in enumerate(first.policies):
        found += [finding(one.check, str(policy.ref), one.path, one.text) for one in policy.defects]
        found += _subject(evaluations, number, known)
        for index, rule in enumerate(policy.rules):
            found += _peers(evaluations, policy, number, index, known)
            found += _ports(evaluations, policy, number, index)
            found += _admin_ports(policy, rule)
            found += _stale(policy, rule, api_server)
    found += _shadowed(evaluations)
    found += _redundant(evaluations)
    found += _same_priority(evaluations)
    found += [
        finding("not-evaluated", str(ref), "", "it may allow or deny beside what is shown") for ref in _unread(first)
    ]
    return found


def _unread(evaluation: Evaluation) -> Iterable[object]:
    return evaluation.universe.inventory.unread


# ---- selectors that mean nobody --------------------------------------------------------------------------------------


class _Known:
    """The labels that pods and namespaces bear."""

    def __init__(self, inventory: Inventory) -> None:
        self.namespaces = list(inventory.namespaces.values())
        self._pods: dict[str, list[Labels]] = {}
        for pod in inventory.pods:
            self._pods.setdefault(pod.namespace, []).append(pod.labels)
        self.names = inventory.namespaces

    def pods_of(self, peer: PodPeer) -> list[Labels]:
        """The labels of the pods in the namespaces that a peer means."""
        if peer.namespaces is None:
            return self._pods.get(peer.namespace, [])
        chosen = [name for name, labels in self.names.items() if peer.namespaces.matches(labels)]
        return [labels for name in chosen for labels in self._pods.get(name, [])]


def near_miss(selector: Selector, borne: Sequence[Labels]) -> str:
    """What a selector that means nothing was probably meant to say; empty: nothing comes near.

    :param borne: labels, one of which it might have meant.
    """
    for one in selector.requirements:
        if one.operator not in {"In", "Exists"} or any(one.holds(labels) for labels in borne):
            continue
        guess = _nearest(one, borne)
        rest = [other for other in selector.requirements if other is not one]
        if guess and any(guess.holds(labels) and all(other.holds(labels) for other in rest) for labels in borne):
            return f"{one} is borne by nobody; {guess} is"
    return ""


def _nearest(one: Requirement, borne: Sequence[Labels]) -> Optional[Requirement]:
    keys = sorted({key for labels in borne for key in labels})
    if one.key in keys:
        values = sorted({labels[one.key] for labels in borne if one.key in labels})
        near = [hit for value in one.values for hit in difflib.get_close_matches(value, values, 1, CLOSE)]
        return Requirement(one.key, "In", (near[0],)) if near else None
    near = difflib.get_close_matches(one.key, keys, 1, CLOSE)
    if near:
        return Requirement(near[0], one.operator, one.values)
    return None


def _subject(evaluations: Sequence[Evaluation], number: int, known: _Known) -> Iterator[Finding]:
    policy = evaluations[0].policies[number]
    named = str(policy.ref)
    # A pod has a class in each family of which it has an address, and only there.
    hosts = [
        (evaluation, members)
        for evaluation in evaluations
        if (members := evaluation.universe.members_of(policy.subject, evaluation.universe.of_kind[HOST]))
    ]
    if hosts and policy.tier == NAMESPACED:
        pods = _sample(*hosts[0])
        text = f"it selects {pods}, which are on their node's network: whether it does anything to them is not defined"
        yield finding("host-network", named, "spec.podSelector", text)
    if hosts or any(evaluation.subjects[number] for evaluation in evaluations):
        return
    path = "spec.podSelector" if policy.tier == NAMESPACED else "spec.subject"
    guess = _guess(policy.subject, known)
    if guess:
        yield finding("selector-typo", named, path, f"it selects no pod: {guess}")
    else:
        yield finding("selects-nothing", named, path, f"no pod is one of the {policy.subject}")


def _guess(peer: PodPeer, known: _Known) -> str:
    if peer.namespaces is not None and not any(peer.namespaces.matches(labels) for labels in known.namespaces):
        return near_miss(peer.namespaces, known.namespaces)
    return near_miss(peer.pods, known.pods_of(peer))


def _sample(evaluation: Evaluation, members: int) -> str:
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import places

    found = [str(member) for place in places(members) for member in evaluation.universe.parties[place].members]
    return listed(found, SAMPLE)


# ---- peers -----------------------------------------------------------------------------------------------------------


def _peers(
    evaluations: Sequence[Evaluation], policy: Policy, number: int, index: int, known: _Known
) -> Iterator[Finding]:
    rule = evaluations[0].rules[number][index].rule
    named = str(policy.ref)
    side = "from" if rule.direction == INGRESS else "to"
    for place, peer in enumerate(rule.peers or ()):
        path = f"spec.{rule.path}.{side}[{place}]"
        if isinstance(peer, PodPeer):
            yield from _pod_peer(evaluations, named, path, peer, known)
        elif isinstance(peer, BlockPeer):
            yield from _block_peer(evaluations, policy, path, peer)
    yield from _joined(evaluations, policy, rule, side)


def _pod_peer(
    evaluations: Sequence[Evaluation], named: str, path: str, peer: PodPeer, known: _Known
) -> Iterator[Finding]:
    for universe in (one.universe for one in evaluations):
        if universe.members_of(peer, universe.of_kind[POD] | universe.of_kind[HOST]):
            return
    guess = _guess(peer, known)
    if guess:
        yield finding("selector-typo", named, path, f"it means nobody: {guess}")
    else:
        yield finding("peer-selects-nothing", named, path, f"nobody is one of the {peer}")


def _block_peer(evaluations: Sequence[Evaluation], policy: Policy, path: str, peer: BlockPeer) -> Iterator[Finding]:
    if policy.tier != NAMESPACED or peer.network in EVERYBODY:
        return
    for evaluation in evaluations:
        universe = evaluation.universe
        pods = universe.members_of(peer, universe.every) & universe.of_kind[POD]
        if pods:
            text = f"{peer} holds {_sample(evaluation, pods)}: not every implementation lets a block mean pods"
            yield finding("block-of-pods", str(policy.ref), path, text)


def _joined(evaluations: Sequence[Evaluation], policy: Policy, rule: Rule, side: str) -> Iterator[Finding]:
    """A namespace selector and, right behind it, a pod selector that would mean somebody in these namespaces."""
    if policy.tier != NAMESPACED:
        return
    peers = rule.peers or ()
    for place, (one, other) in enumerate(zip(peers, peers[1:])):
        if not (isinstance(one, PodPeer) and isinstance(other, PodPeer)):
            continue
        spaces_alone = one.namespaces is not None and one.namespaces.requirements and not one.pods.requirements
        pods_alone = other.namespaces is None and other.pods.requirements
        if not (spaces_alone and pods_alone):
            continue
        meant = PodPeer(other.pods, one.namespaces)
        universes = [evaluation.universe for evaluation in evaluations]
        if any(universe.members_of(meant, universe.of_kind[POD]) for universe in universes):
            text = (
                f"items {place} and {place + 1} mean all pods of namespaces ({one.namespaces}), and pods "
                f"({other.pods}) of namespace {other.namespace}; in one item, such pods of those namespaces"
            )
            yield finding("peers-joined", str(policy.ref), f"spec.{rule.path}.{side}", text)


# ---- ports -----------------------------------------------------------------------------------------------------------


def _ports(evaluations: Sequence[Evaluation], policy: Policy, number: int, index: int) -> Iterator[Finding]:
    """Names of ports that no destination has."""
    one = evaluations[0].rules[number][index]
    if not one.named:
        return
    somebody = False
    borne: set[tuple[str, str]] = set()
    for evaluation in evaluations:
        ingress = one.rule.direction == INGRESS
        reached = evaluation.subjects[number] if ingress else evaluation.rules[number][index].peers
        somebody |= bool(reached)
        for named, members in evaluation.of_named_ports.items():
            if members & reached:
                borne.update((port.name, port.protocol) for port in named)
    for match in one.named if somebody else ():
        if not any(name == match.name and match.protocol in {"", protocol} for name, protocol in borne):
            text = f"no destination calls a port of {match.protocol or 'any protocol'} {match.name!r}"
            yield finding("unresolved-port", str(policy.ref), f"spec.{one.rule.path}", text)


def _admin_ports(policy: Policy, rule: Rule) -> Iterator[Finding]:
    if rule.direction != INGRESS or rule.action != ALLOW:
        return
    blocks = [one.network for one in rule.peers or () if isinstance(one, BlockPeer) and one.network in EVERYBODY]
    if rule.peers is not None and not blocks:
        return
    who = " and ".join(blocks) or "everybody"
    if rule.ports is None:
        if blocks:
            text = f"every port is open to {who}, administrative ones too"
            yield finding("open-admin-port", str(policy.ref), f"spec.{rule.path}", text)
        return
    for number, what in ADMIN_PORTS.items():
        if any(_means(match, number) for match in rule.ports):
            text = f"TCP {number} ({what}) is open to {who}"
            yield finding("open-admin-port", str(policy.ref), f"spec.{rule.path}", text)


def _means(match: PortMatch, number: int) -> bool:
    """Whether a match means this very TCP port, or a range with it that is not all ports."""
    return not match.name and match.protocol == "TCP" and match.low <= number <= match.high


def _stale(policy: Policy, rule: Rule, api_server: Sequence[str]) -> Iterator[Finding]:
    """Single addresses at the API server's port, or of a policy that names it, which are not its own."""
    if not api_server or rule.direction != EGRESS:
        return
    at_port = any(match.low == match.high == 6443 for match in rule.ports or ())
    if not at_port and "apiserver" not in policy.ref.name.replace("-", "").replace("kubeapi", "apiserver"):
        return
    for peer in rule.peers or ():
        if isinstance(peer, BlockPeer):
            address, _slash, length = peer.network.partition("/")
            if length in {"32", "128"} and address not in api_server:
                text = f"{address} is not the API server's; it is at {', '.join(sorted(api_server))}"
                yield finding("stale-api-server", str(policy.ref), f"spec.{rule.path}", text)


# ---- rules and policies beside each other ----------------------------------------------------------------------------


def _relation(evaluation: Evaluation, rules: Iterable[CompiledRule]) -> Relation:
    return of_rectangles(((one.ports, one.peers) for one in rules), evaluation.ports.every)


def _is_empty(relation: Relation) -> bool:
    return not any(relation)


def _rules(evaluations: Sequence[Evaluation], number: int, direction: str) -> list[tuple[CompiledRule, ...]]:
    """The rules of a policy for a direction, in their order, each as it is in every family."""
    return list(zip(*(evaluation.rules_of(number, direction) for evaluation in evaluations)))


def _adds_nothing(
    evaluations: Sequence[Evaluation],
    some: Sequence[tuple[CompiledRule, ...]],
    others: Sequence[tuple[CompiledRule, ...]],
) -> bool:
    """Whether all that rules mean, others mean as well, in every family; not where they mean nothing in any."""
    anything = False
    for place, evaluation in enumerate(evaluations):
        own = _relation(evaluation, (one[place] for one in some))
        if not _is_empty(without(own, _relation(evaluation, (one[place] for one in others)))):
            return False
        anything |= not _is_empty(own)
    return anything


def _shadowed(evaluations: Sequence[Evaluation]) -> Iterator[Finding]:
    """Rules whose traffic other rules of their policy allow already, or decide before them."""
    for number, policy in enumerate(evaluations[0].policies):
        for direction in policy.directions:
            rules = [one for one in _rules(evaluations, number, direction) if not one[0].named]
            kept = list(rules)
            for one in reversed(rules):
                rest = [other for other in kept if other is not one]
                if policy.tier != NAMESPACED:
                    rest = rest[: kept.index(one)]
                if rest and _adds_nothing(evaluations, [one], rest):
                    kept.remove(one)
                    word = "allow" if policy.tier == NAMESPACED else "decide before it"
                    text = f"all that it means, other rules of the policy {word}"
                    yield finding("shadowed-rule", str(policy.ref), f"spec.{one[0].rule.path}", text)


def _redundant(evaluations: Sequence[Evaluation]) -> Iterator[Finding]:
    """Policies beside one that selects the same pods, isolates as much and allows as much."""
    policies = evaluations[0].policies
    groups: dict[tuple[tuple[int, ...], str], list[int]] = {}
    for number, policy in enumerate(policies):
        subjects = tuple(evaluation.subjects[number] for evaluation in evaluations)
        if policy.tier == NAMESPACED and any(subjects):
            for direction in policy.directions:
                groups.setdefault((subjects, direction), []).append(number)
    covered: dict[int, dict[str, int]] = {}
    for (_subjects, direction), numbers in groups.items():
        for one, other in combinations(numbers, 2):
            for less, more in ((one, other), (other, one)):
                if direction not in covered.get(less, {}) and _is_within(evaluations, less, more, direction, covered):
                    covered.setdefault(less, {})[direction] = more
    for number, by_direction in covered.items():
        policy = policies[number]
        if set(by_direction) == set(policy.directions):
            others = sorted({str(policies[other].ref) for other in by_direction.values()})
            text = f"{' and '.join(others)} select the same pods and allow as much"
            yield finding("redundant-policy", str(policy.ref), "", text)


def _is_within(
    evaluations: Sequence[Evaluation], less: int, more: int, direction: str, covered: Mapping[int, Mapping[str, int]]
) -> bool:
    if covered.get(more, {}).get(direction) == less:
        return False
    own, others = (_rules(evaluations, number, direction) for number in (less, more))
    # A default deny isolates by name, so that people see it; it is no ballast.
    if not own or any(one[0].named for one in (*own, *others)):
        return False
    return _adds_nothing(evaluations, own, others)


def _same_priority(evaluations: Sequence[Evaluation]) -> Iterator[Finding]:
    """Cluster-wide policies of one tier and priority whose rules meet and do not agree, in some family."""
    policies = evaluations[0].policies
    groups: dict[tuple[str, int], list[int]] = {}
    for number, policy in enumerate(policies):
        if policy.tier != NAMESPACED:
            groups.setdefault((policy.tier, policy.priority), []).append(number)
    for (tier, priority), numbers in groups.items():
        for one, other in combinations(numbers, 2):
            if any(_clash(evaluation, one, other) for evaluation in evaluations):
                refs = [str(policies[number].ref) for number in (one, other)]
                text = f"it and {refs[1]} have priority {priority} of the {tier} tier: which one counts is not defined"
                yield finding("same-priority", refs[0], "spec.priority", text)


def _clash(evaluation: Evaluation, one: int, other: int) -> bool:
    if not evaluation.subjects[one] & evaluation.subjects[other]:
        return False
    for left in evaluation.rules[one]:
        for right in evaluation.rules[other]:
            if left.rule.direction == right.rule.direction and left.rule.action != right.rule.action:
                named = bool(left.named and right.named)
                if left.peers & right.peers and (left.ports & right.ports or named):
                    return True
    return False
