# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A baseline as one cluster-wide policy, which a new namespace is under at once: pure.

The namespaced templates are translated, rule by rule, into the language of what the cluster serves. One object says
everything, so it takes effect, changes and goes at once.

- ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2): in the baseline tier, so that a namespace's own
  NetworkPolicies overrule it. Its ingress rules know pods alone: what comes from nodes and from outside it neither
  denies nor needs to allow. "The same namespace" cannot be said; one more policy for each namespace says it.
- AdminNetworkPolicy (v1alpha1): before NetworkPolicies. What the baseline allows it passes on to them, the rest it
  denies, so they can forbid more and open nothing. What is said of ingress above holds here too.
- BaselineAdminNetworkPolicy (v1alpha1): what came before ClusterNetworkPolicy. There is only one, so "the same
  namespace" can be said for one namespace at most.
- GlobalNetworkPolicy of Calico (projectcalico.org/v3), and its staged form, which only logs.
- CiliumClusterwideNetworkPolicy (cilium.io/v2).
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.settled import is_settled
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import Step
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.clusterwide import (
    ACTIONS,
    ADMIN_KIND,
    BASELINE_KIND,
    CLUSTER,
    KINDS,
    MOST,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ALLOW,
    FIRST_PORT,
    LAST_PORT,
    NAME_LABEL,
    PASS,
    PolicyError,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import is_own, owned, require_own
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import RULES_OF, is_deny

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

NAME = "netops-baseline"
# The annotation that says which namespaces a policy is for.
SELECTION = "netops.kubernetes/baseline-namespaces"
# It denies nothing, and shows in flow logs.
STAGED = "StagedGlobalNetworkPolicy"
SAME_NAMESPACE = "allow-same-namespace"
# Before the last, so that what is one namespace's own comes first.
OWN_PRIORITY, LAST_PRIORITY = 999, 1000
# Behind NetworkPolicies, which stand at 1000 in Calico's default tier.
CALICO_ORDER = 2000
MOST_RULES = 25
ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Subject:
    """The namespaces that the baseline is for, as a label selector, and those of them that are there now."""

    selector: Mapping[str, Any]
    present: tuple[str, ...]


def subject_of(
    names: Sequence[str], selector: Mapping[str, str], excluded: Sequence[str], present: Sequence[str]
) -> Subject:
    """The namespaces by a selector that holds for new ones too.

    :param names: namespaces by name; with ``selector`` they cannot be said in one.
    :param excluded: those that are left out, the system's among them.
    :raises PolicyError: both, or none, of names and selector are given.
    """
    if bool(names) == bool(selector):
        raise PolicyError(
            "cluster-wide baseline",
            "namespaces and namespace_selector are both given" if names else "no namespace is chosen",
            "one of them",
            "Label the namespaces, and choose them by namespace_selector",
        )
    if names:
        chosen: dict[str, Any] = {"matchExpressions": [_is_named("In", names)]}
    else:
        chosen = {"matchLabels": dict(selector), "matchExpressions": [_is_named("NotIn", excluded)]}
    return Subject(chosen, tuple(present))


def _is_named(operator: str, names: Sequence[str]) -> dict[str, Any]:
    return {"key": NAME_LABEL, "operator": operator, "values": sorted(set(names))}


def everywhere(kind: str, subject: Subject, policies: Sequence[Object]) -> list[Object]:
    """The cluster-wide objects that say what namespaced policies say in each namespace, in the order to write them.

    :param kind: of the cluster-wide policy.
    :param policies: the baseline of one namespace; which one does not matter.
    :raises PolicyError: something cannot be said so.
    """
    made = _MAKERS[kind](subject, sorted(policies, key=is_deny))
    # It comes last. Kinds say their namespaces in words of their own, and a later run must know them.
    made[-1]["metadata"]["annotations"] = {SELECTION: json.dumps(subject.selector, sort_keys=True)}
    return made


def selection_of(policy: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The selector of the namespaces that a cluster-wide policy of ours is for; ``None`` where it does not say."""
    try:
        found = json.loads((policy["metadata"].get("annotations") or {}).get(SELECTION, "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _object(api_version: str, kind: str, name: str, **rest: Any) -> Object:
    return owned({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest})


def _rules(policies: Sequence[Object], direction: str) -> Iterator[Mapping[str, Any]]:
    """The rules of a direction, but for those about the same namespace."""
    for policy in policies:
        if policy["metadata"]["name"] == SAME_NAMESPACE:
            continue
        for rule in policy["spec"].get(direction) or []:
            for peer in rule.get(_side(direction)) or []:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    raise PolicyError(
                        f"policy {policy['metadata']['name']!r}",
                        "a peer means pods of the policy's own namespace",
                        "namespaceSelector or ipBlock, since the baseline is cluster-wide",
                    )
            yield rule


def _side(direction: str) -> str:
    return "from" if direction == "ingress" else "to"


def _isolated(policies: Sequence[Object]) -> list[str]:
    """The directions that the policies isolate."""
    return [key for kind, key in RULES_OF.items() if any(kind in one["spec"]["policyTypes"] for one in policies)]


def _keeps_together(policies: Sequence[Object]) -> list[str]:
    """The directions in which pods of one namespace reach each other."""
    return [
        key
        for kind, key in RULES_OF.items()
        for one in policies
        if one["metadata"]["name"] == SAME_NAMESPACE and kind in one["spec"]["policyTypes"]
    ]


def everywhere_steps(live: Sequence[Object], wanted: Sequence[Object]) -> list[Step]:
    """The changes: what accepts for one namespace comes before what denies, and goes after it.

    :param live: every policy of the kind.
    :raises PolicyError: a policy of a wanted name is there and not ours.
    """
    there = {one["metadata"]["name"]: one for one in live}
    steps: list[Step] = []
    for policy in wanted:
        before = there.get(policy["metadata"]["name"])
        if before is not None:
            require_own(before, "Rename or remove it")
        if before is None or not is_settled(policy, before):
            steps.append(Step(before, policy))
    kept = {policy["metadata"]["name"] for policy in wanted}
    gone = [one for name, one in there.items() if is_own(one) and name not in kept]
    return [*steps, *(Step(one, None) for one in sorted(gone, key=lambda one: one["metadata"]["name"] != NAME))]


# ---- ClusterNetworkPolicy --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Dialect:
    """How a kind of this group says what all of them say.

    :param letting: the action of its rules that do not deny.
    :param place: tier and priority of the policy, as far as the kind has them.
    :param own_place: of the policies that keep one namespace together; nothing where there is but one policy.
    :param ports: the field of a rule that holds its ports.
    :param port: makes an entry there.
    """

    kind: str
    letting: str
    place: Mapping[str, Any]
    own_place: Mapping[str, Any] | None
    ports: str
    port: Callable[[Mapping[str, Any]], dict[str, Any]]
    name: str = NAME

    def word(self) -> str:
        """The action of the rules that do not deny, in the kind's own words."""
        return next(word for word, action in ACTIONS[self.kind].items() if action == self.letting)


def _of_group(speak: _Dialect) -> Callable[[Subject, Sequence[Object]], list[Object]]:
    def make(subject: Subject, policies: Sequence[Object]) -> list[Object]:
        together = _keeps_together(policies)
        spec: dict[str, Any] = {**speak.place, "subject": {"namespaces": subject.selector}}
        for direction in _isolated(policies):
            rules = [made for rule in _rules(policies, direction) for made in _letting(rule, direction, speak)]
            if direction in together and speak.own_place is None:
                rules.append(_within(_only_one(subject, speak), direction, speak))
            peers: list[dict[str, Any]] = [{"namespaces": {}}]
            if direction == "egress":
                peers.append({"networks": list(ANYWHERE)})
            rules.append({"name": "deny the rest", "action": "Deny", _side(direction): peers})
            if len(rules) > MOST[speak.kind]:
                raise PolicyError(
                    f"{speak.kind} '{speak.name}'",
                    f"it has {len(rules)} rules of {direction}",
                    f"at most {MOST[speak.kind]}",
                )
            spec[direction] = rules
        own: list[Object] = []
        if speak.own_place is not None and together:
            own = [_of_one(namespace, together, speak.own_place, speak) for namespace in subject.present]
        return [*own, _object(KINDS[speak.kind], speak.kind, speak.name, spec=spec)]

    return make


def _only_one(subject: Subject, speak: _Dialect) -> str:
    """The namespace, where it is one by name: a selector by labels means others later."""
    if len(subject.present) != 1 or subject.selector != {"matchExpressions": [_is_named("In", subject.present)]}:
        raise PolicyError(
            f"{speak.kind} '{speak.name}'",
            "it cannot say 'the same namespace' of several namespaces",
            "one namespace by name, or a baseline without allow-same-namespace",
            "List policies without it, or take another kind",
        )
    return subject.present[0]


def _of_one(namespace: str, directions: Sequence[str], place: Mapping[str, Any], speak: _Dialect) -> Object:
    """What keeps one namespace together. It denies nothing, and such a policy isolates nothing."""
    spec: dict[str, Any] = {**place, "subject": {"namespaces": _named(namespace)}}
    for direction in directions:
        spec[direction] = [_within(namespace, direction, speak)]
    return _object(KINDS[speak.kind], speak.kind, f"{speak.name}-{namespace}", spec=spec)


def _within(namespace: str, direction: str, speak: _Dialect) -> dict[str, Any]:
    peers = [{"namespaces": _named(namespace)}]
    return {"name": "the same namespace", "action": speak.word(), _side(direction): peers}


def _named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {NAME_LABEL: namespace}}


def _letting(rule: Mapping[str, Any], direction: str, speak: _Dialect) -> list[dict[str, Any]]:
    peers = [made for peer in rule.get(_side(direction)) or [] for made in _cluster_peer(peer, direction)]
    if not rule.get(_side(direction)):
        peers = [{"namespaces": {}}, *([{"networks": list(ANYWHERE)}] if direction == "egress" else [])]
    if not peers:
        return []
    made: dict[str, Any] = {"action": speak.word(), _side(direction): peers}
    if rule.get("ports"):
        made[speak.ports] = [speak.port(one) for one in rule["ports"]]
    return [made]


def _cluster_peer(peer: Mapping[str, Any], direction: str) -> list[dict[str, Any]]:
    if "ipBlock" in peer:
        # Ingress rules know no addresses, and deny none.
        networks = networks_of(peer["ipBlock"]) if direction == "egress" else []
        return [{"networks": networks}] if networks else []
    if peer.get("podSelector"):
        return [{"pods": {"namespaceSelector": peer["namespaceSelector"], "podSelector": peer["podSelector"]}}]
    return [{"namespaces": peer["namespaceSelector"]}]


def networks_of(block: Mapping[str, Any]) -> list[str]:
    """A block without its exceptions, as networks.

    :raises PolicyError: they are more than a rule can name.
    """
    left: list[Any] = [ipaddress.ip_network(block["cidr"], strict=False)]
    for text in block.get("except") or []:
        hole = ipaddress.ip_network(text, strict=False)
        left = [part for one in left for part in _around(one, hole)]
    if len(left) > MOST_RULES:
        raise PolicyError(
            f"block {block['cidr']}", f"without its exceptions it is {len(left)} networks", f"at most {MOST_RULES}"
        )
    return [str(one) for one in left]


def _around(network: Any, hole: Any) -> list[Any]:
    if network.version != hole.version or not network.overlaps(hole):
        return [network]
    return [] if network.subnet_of(hole) else sorted(network.address_exclude(hole))


def _protocol(port: Mapping[str, Any]) -> dict[str, Any]:
    number = port.get("port")
    if isinstance(number, str):
        return {"destinationNamedPort": number}
    name = str(port.get("protocol", "TCP")).lower()
    if number is None:
        return {name: {}}
    if port.get("endPort", number) != number:
        return {name: {"destinationPort": {"range": {"start": number, "end": port["endPort"]}}}}
    return {name: {"destinationPort": {"number": number}}}


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of v1alpha1, which has no word for every port of a protocol."""
    number = port.get("port")
    if isinstance(number, str):
        return {"namedPort": number}
    protocol = port.get("protocol", "TCP")
    if number is None:
        return {"portRange": {"protocol": protocol, "start": FIRST_PORT, "end": LAST_PORT}}
    if port.get("endPort", number) != number:
        return {"portRange": {"protocol": protocol, "start": number, "end": port["endPort"]}}
    return {"portNumber": {"protocol": protocol, "port": number}}


_DIALECTS = (
    _Dialect(
        CLUSTER,
        ALLOW,
        {"tier": "Baseline", "priority": LAST_PRIORITY},
        {"tier": "Baseline", "priority": OWN_PRIORITY},
        "protocols",
        _protocol,
    ),
    _Dialect(ADMIN_KIND, PASS, {"priority": LAST_PRIORITY}, {"priority": OWN_PRIORITY}, "ports", _port),
    _Dialect(BASELINE_KIND, ALLOW, {}, None, "ports", _port, "default"),
)


# ---- Calico ----------------------------------------------------------------------------------------------------------


def expression(selector: Mapping[str, Any]) -> str:
    """A label selector in Calico's language; empty selects everything there as well.

    In it, ``not in`` holds for labels without the key, as NotIn does.
    """
    terms = [f"{key} == '{value}'" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        values = ", ".join(f"'{value}'" for value in one.get("values") or [])
        terms.append(
            {
                "In": f"{one['key']} in {{{values}}}",
                "NotIn": f"{one['key']} not in {{{values}}}",
                "Exists": f"has({one['key']})",
                "DoesNotExist": f"!has({one['key']})",
            }[one["operator"]]
        )
    return " && ".join(terms) or "all()"


def _calico(kind: str) -> Callable[[Subject, Sequence[Object]], list[Object]]:
    def make(subject: Subject, policies: Sequence[Object]) -> list[Object]:
        directions = _isolated(policies)
        spec: dict[str, Any] = {
            "order": CALICO_ORDER,
            "namespaceSelector": expression(subject.selector),
            "types": [direction.capitalize() for direction in directions],
        }
        for direction in directions:
            rules = [made for rule in _rules(policies, direction) for made in _calico_rules(rule, direction)]
            if direction in _keeps_together(policies):
                rules += [_calico_own(name) for name in subject.present]
            spec[direction] = rules
        return [_object("projectcalico.org/v3", kind, NAME, spec=spec)]

    return make


def _calico_own(namespace: str) -> dict[str, Any]:
    within = {"namespaceSelector": expression({"matchLabels": {NAME_LABEL: namespace}})}
    return {"action": "Allow", "source": within, "destination": within}


def _calico_rules(rule: Mapping[str, Any], direction: str) -> Iterator[dict[str, Any]]:
    """A rule for each peer and protocol: one of Calico's has one of each."""
    other = "source" if direction == "ingress" else "destination"
    by_protocol: dict[str, list[Any]] = {}
    for port in rule.get("ports") or []:
        by_protocol.setdefault(port.get("protocol", "TCP"), []).append(_calico_port(port))
    for peer in rule.get(_side(direction)) or [{}]:
        for protocol, ports in by_protocol.items() or [("", [])]:
            made: dict[str, Any] = {"action": "Allow"}
            if protocol:
                made["protocol"] = protocol
            ends: dict[str, dict[str, Any]] = {"source": {}, "destination": {}}
            ends[other].update(_calico_peer(peer))
            if None not in ports and ports:
                ends["destination"]["ports"] = ports
            yield {**made, **{name: end for name, end in ends.items() if end}}


def _calico_port(port: Mapping[str, Any]) -> Any:
    if port.get("endPort"):
        return f"{port['port']}:{port['endPort']}"
    return port.get("port")


def _calico_peer(peer: Mapping[str, Any]) -> dict[str, Any]:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return {"nets": [block["cidr"]], **({"notNets": block["except"]} if block.get("except") else {})}
    if not peer:
        return {}
    found = {"namespaceSelector": expression(peer["namespaceSelector"])}
    if peer.get("podSelector"):
        found["selector"] = expression(peer["podSelector"])
    return found


# ---- Cilium ----------------------------------------------------------------------------------------------------------

NAMESPACE_LABEL = "k8s:io.cilium.k8s.namespace.labels."
# What Cilium knows by identity and not by address.
ENTITIES = {
    "allow-nodes": ("ingress", "fromEntities", ["host", "remote-node"]),
    "allow-to-apiserver": ("egress", "toEntities", ["kube-apiserver"]),
    "allow-from-apiserver": ("ingress", "fromEntities", ["kube-apiserver"]),
}


def _cilium(subject: Subject, policies: Sequence[Object]) -> list[Object]:
    isolated = _isolated(policies)
    main: dict[str, Any] = {
        "endpointSelector": _cilium_selector(subject.selector, NAMESPACE_LABEL),
        "enableDefaultDeny": {direction: direction in isolated for direction in RULES_OF.values()},
    }
    for direction in isolated:
        rules: list[dict[str, Any]] = []
        for policy in policies:
            entity = ENTITIES.get(policy["metadata"]["name"])
            if entity and entity[0] == direction:
                rules.append({entity[1]: entity[2]})
            elif not entity:
                rules += [made for rule in _rules([policy], direction) for made in _cilium_rules(rule, direction)]
        # A section without rules would not isolate by itself; an empty one does, with enableDefaultDeny.
        main[direction] = rules or [{}]
    together = _keeps_together(policies)
    own = [_cilium_own(name, together) for name in subject.present] if together else []
    return [_object("cilium.io/v2", "CiliumClusterwideNetworkPolicy", NAME, specs=[main, *own])]


def _cilium_own(namespace: str, directions: Sequence[str]) -> dict[str, Any]:
    within = {"matchLabels": {f"{NAMESPACE_LABEL}{NAME_LABEL}": namespace}}
    sides = {"ingress": "fromEndpoints", "egress": "toEndpoints"}
    return {
        "endpointSelector": within,
        # It only allows.
        "enableDefaultDeny": {"ingress": False, "egress": False},
        **{direction: [{sides[direction]: [within]}] for direction in directions},
    }


def _cilium_selector(selector: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if selector.get("matchLabels"):
        made["matchLabels"] = {f"{prefix}{key}": value for key, value in selector["matchLabels"].items()}
    if selector.get("matchExpressions"):
        made["matchExpressions"] = [{**one, "key": f"{prefix}{one['key']}"} for one in selector["matchExpressions"]]
    return made


# Cilium takes no more ports in one list (pkg/policy/api, maxPorts).
CILIUM_PORTS = 40


def _cilium_rules(rule: Mapping[str, Any], direction: str) -> Iterator[dict[str, Any]]:
    """A rule for each kind of peer: Cilium's agent refuses two kinds in one (pkg/policy/api, EgressCommonRule)."""
    word = "from" if direction == "ingress" else "to"
    by_kind: dict[str, list[Any]] = {}
    for peer in rule.get(_side(direction)) or []:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            entry = {"cidr": block["cidr"], **({"except": block["except"]} if block.get("except") else {})}
            by_kind.setdefault(f"{word}CIDRSet", []).append(entry)
        else:
            by_kind.setdefault(f"{word}Endpoints", []).append(_cilium_peer(peer))
    ports = [_cilium_port(one) for one in rule.get("ports") or []]
    lists = [{"ports": ports[begin : begin + CILIUM_PORTS]} for begin in range(0, len(ports), CILIUM_PORTS)]
    for kind, peers in (by_kind or {f"{word}Entities": ["all"]}).items():
        yield {kind: peers, **({"toPorts": lists} if lists else {})}


def _cilium_peer(peer: Mapping[str, Any]) -> dict[str, Any]:
    spaces = _cilium_selector(peer["namespaceSelector"], NAMESPACE_LABEL)
    pods = _cilium_selector(peer.get("podSelector") or {}, "k8s:")
    # Without a word about namespaces, a selector in a clusterwide policy means all of them.
    labels = {**spaces.get("matchLabels", {}), **pods.get("matchLabels", {})}
    terms = [*spaces.get("matchExpressions", []), *pods.get("matchExpressions", [])]
    return {**({"matchLabels": labels} if labels else {}), **({"matchExpressions": terms} if terms else {})}


def _cilium_port(port: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"port": str(port.get("port", 0)), "protocol": port.get("protocol", "TCP")}
    if port.get("endPort"):
        made["endPort"] = port["endPort"]
    return made


_MAKERS: Mapping[str, Callable[[Subject, Sequence[Object]], list[Object]]] = {
    **{speak.kind: _of_group(speak) for speak in _DIALECTS},
    "GlobalNetworkPolicy": _calico("GlobalNetworkPolicy"),
    STAGED: _calico(STAGED),
    "CiliumClusterwideNetworkPolicy": _cilium,
}
API_VERSIONS = {
    **KINDS,
    "GlobalNetworkPolicy": "projectcalico.org/v3",
    STAGED: "projectcalico.org/v3",
    "CiliumClusterwideNetworkPolicy": "cilium.io/v2",
}
# What a cluster is looked through for, the first that it serves is taken. The others say something else, or less, and
# are only taken by name.
DETECTED = (CLUSTER, "GlobalNetworkPolicy", "CiliumClusterwideNetworkPolicy")
