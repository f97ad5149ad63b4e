# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The baseline's policies as NetworkPolicy objects (networking.k8s.io/v1).

Names say what a policy does; a namespace's denies and allows are separate objects, so that either can be seen, and
removed, by itself.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import NAME_LABEL, PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import API_VERSION, network_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import TRANSITION, owned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

EVERY_POD: dict[str, Any] = {}
# Where a node answers DNS itself: NodeLocal DNSCache's default, kubespray's, and GKE's Cloud DNS.
NODE_DNS = ("169.254.20.10", "169.254.25.10", "169.254.169.254")
# What the pods of the cluster's DNS bear as k8s-app, and those of NodeLocal DNSCache; kubespray's has the second name.
DNS_APPS = ("kube-dns", "node-local-dns", "nodelocaldns")


@dataclass(frozen=True)
class Surroundings:
    """What the policies must name of this cluster.

    :param dns_addresses: the cluster IPs of its DNS, and where NodeLocal DNSCache listens.
    :param api_endpoints: address and port of each API server, and its Service's.
    :param ingress_namespaces: where its Ingress or Gateway controllers run.
    :param monitoring_namespaces: where its monitoring runs.
    :param node_addresses: of its nodes, those of their ends of tunnels included.
    :param called_ports: what the API server calls, for webhooks and aggregated APIs: namespace, port by number or name.
    :param openshift: whether its DNS is OpenShift's, which listens on 5353.
    """

    dns_addresses: tuple[str, ...] = ()
    api_endpoints: tuple[tuple[str, int], ...] = ()
    ingress_namespaces: tuple[str, ...] = ()
    monitoring_namespaces: tuple[str, ...] = ()
    node_addresses: tuple[str, ...] = ()
    called_ports: tuple[tuple[str, int | str], ...] = ()
    openshift: bool = False


Spec = dict[str, Any]
Template = Callable[[Surroundings, str], Optional[Spec]]


def _block(address: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": str(ipaddress.ip_network(address))}}


def _namespaces(names: Sequence[str]) -> list[dict[str, Any]]:
    requirement = {"key": NAME_LABEL, "operator": "In", "values": sorted(names)}
    return [{"namespaceSelector": {"matchExpressions": [requirement]}}]


def _spec(*types: str, **rules: Any) -> Spec:
    return {"podSelector": EVERY_POD, "policyTypes": list(types), **rules}


def _allow_dns(around: Surroundings, _namespace: str) -> Spec:
    # One item with both selectors: pods of the DNS in kube-system. Two items would admit all of kube-system.
    dns = {
        "namespaceSelector": {"matchLabels": {NAME_LABEL: "kube-system"}},
        # Cilium leads the DNS Service's traffic to NodeLocal DNSCache's pods (CiliumLocalRedirectPolicy).
        "podSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": list(DNS_APPS)}]},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    peers = [dns, *(_block(address) for address in dict.fromkeys((*around.dns_addresses, *NODE_DNS)))]
    rules = [{"to": peers, "ports": ports}]
    if around.openshift:
        theirs = {
            "namespaceSelector": {"matchLabels": {NAME_LABEL: "openshift-dns"}},
            "podSelector": {"matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
        }
        rules.append({"to": [theirs], "ports": [{"protocol": one, "port": 5353} for one in ("UDP", "TCP")]})
    return _spec("Egress", egress=rules)


def _allow_same_namespace(_around: Surroundings, _namespace: str) -> Spec:
    peers = [{"podSelector": EVERY_POD}]
    return _spec("Ingress", "Egress", ingress=[{"from": peers}], egress=[{"to": peers}])


def _allow_to_apiserver(around: Surroundings, _namespace: str) -> Spec:
    # The API server is no pod, so only addresses can name it.
    rules = [
        {"to": [_block(address)], "ports": [{"protocol": "TCP", "port": port}]}
        for address, port in sorted(around.api_endpoints)
    ]
    return _spec("Egress", egress=rules)


def _allow_from_apiserver(around: Surroundings, namespace: str) -> Optional[Spec]:
    """Webhooks and aggregated APIs of a namespace, from the nodes of the API server; none: no policy."""
    ports = sorted({port for place, port in around.called_ports if place == namespace}, key=str)
    if not ports:
        return None
    # The API server may call from any address of a node that it runs on.
    callers = {address for address, _port in around.api_endpoints} | set(around.node_addresses)
    peers = [_block(address) for address in sorted(callers)]
    return _spec("Ingress", ingress=[{"from": peers, "ports": [{"protocol": "TCP", "port": port} for port in ports]}])


def _from_namespaces(names: Sequence[str]) -> Spec:
    return _spec("Ingress", ingress=[{"from": _namespaces(names)}] if names else [])


def _allow_nodes(around: Surroundings, _namespace: str) -> Spec:
    peers = [_block(address) for address in sorted(around.node_addresses)]
    return _spec("Ingress", ingress=[{"from": peers}] if peers else [])


TEMPLATES: Mapping[str, Template] = {
    "allow-all-ingress": lambda _around, _namespace: _spec("Ingress", ingress=[{}]),
    "allow-all-egress": lambda _around, _namespace: _spec("Egress", egress=[{}]),
    "allow-dns": _allow_dns,
    "allow-same-namespace": _allow_same_namespace,
    "allow-from-ingress": lambda around, _namespace: _from_namespaces(around.ingress_namespaces),
    "allow-from-monitoring": lambda around, _namespace: _from_namespaces(around.monitoring_namespaces),
    "allow-to-apiserver": _allow_to_apiserver,
    "allow-from-apiserver": _allow_from_apiserver,
    "allow-nodes": _allow_nodes,
    # The empty lists are said aloud: what is not said, somebody else could own and fill.
    "default-deny-ingress": lambda _around, _namespace: _spec("Ingress", ingress=[]),
    "default-deny-egress": lambda _around, _namespace: _spec("Egress", egress=[]),
    "default-deny-all": lambda _around, _namespace: _spec("Ingress", "Egress", ingress=[], egress=[]),
}
ALLOWS_IN = (
    *("allow-same-namespace", "allow-from-ingress", "allow-from-monitoring", "allow-from-apiserver", "allow-nodes"),
)
PROFILES: Mapping[str, tuple[str, ...]] = {
    "audit-only": (),
    "ingress-deny": (*ALLOWS_IN, "default-deny-ingress"),
    "zero-trust": (
        *("allow-dns", "allow-to-apiserver", *ALLOWS_IN),
        *("default-deny-ingress", "default-deny-egress"),
    ),
}


def is_deny(policy: Mapping[str, Any]) -> bool:
    """Whether an object of ours takes away more than it gives."""
    return str(policy["metadata"]["name"]).startswith("default-deny-")


DENIED = {
    "default-deny-ingress": ("Ingress",),
    "default-deny-egress": ("Egress",),
    "default-deny-all": ("Ingress", "Egress"),
}
RULES_OF = {"Ingress": "ingress", "Egress": "egress"}


def _within(spec: Spec, directions: set[str]) -> Spec:
    """An allow left with the directions that are denied: a policy isolates in every type that it lists."""
    kept = [one for one in spec["policyTypes"] if one in directions]
    if not kept:
        return spec
    dropped = {RULES_OF[one] for one in spec["policyTypes"] if one not in kept}
    return {**{key: value for key, value in spec.items() if key not in dropped}, "policyTypes": kept}


def policies(
    namespace: str, names: Sequence[str], around: Surroundings, custom: Sequence[Mapping[str, Any]] = ()
) -> list[Object]:
    """The named policies of one namespace, allows before denies.

    :param custom: further allows: a name, and rules as NetworkPolicies have them below ``ingress`` and ``egress``.
    :raises PolicyError: there is no template of a name, or a custom policy is wrong.
    """
    unknown = [name for name in names if name not in TEMPLATES]
    if unknown:
        raise PolicyError(f"policy {unknown[0]!r}", "there is no such template", f"one of {', '.join(TEMPLATES)}")
    denied = {direction for name in names for direction in DENIED.get(name, ())} or set(RULES_OF)
    specs: dict[str, Spec] = {}
    for name in dict.fromkeys(names):
        spec = TEMPLATES[name](around, namespace)
        if spec is not None:
            specs[name] = _within(spec, denied)
    for one in custom:
        specs[one["name"]] = _within(_custom(one, specs), denied)
    made = [_object(namespace, name, spec) for name, spec in specs.items()]
    return sorted(made, key=is_deny)


def in_each(
    namespaces: Sequence[str], names: Sequence[str], around: Surroundings, custom: Sequence[Mapping[str, Any]] = ()
) -> Iterator[tuple[str, list[Object]]]:
    """The named policies of each namespace; what says the same in several is one object in memory.

    :raises PolicyError: as ``policies`` does.
    """
    ports: dict[str, list[int | str]] = {}
    for place, port in around.called_ports:
        ports.setdefault(place, []).append(port)
    made: dict[tuple[int | str, ...], list[Object]] = {}
    for namespace in namespaces:
        called = tuple(ports.get(namespace, ()))
        if called not in made:
            made[called] = policies(namespace, names, around, custom)
        yield namespace, [moved(one, namespace) for one in made[called]]


def moved(policy: Object, namespace: str) -> Object:
    """The same policy in another namespace; all but its place is shared with it."""
    return {**policy, "metadata": {**policy["metadata"], "namespace": namespace}}


def _object(namespace: str, name: str, spec: Spec) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return owned({"apiVersion": API_VERSION, "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})


def _custom(one: Mapping[str, Any], others: Mapping[str, Spec]) -> Spec:
    """A user's own policy, as strictly read as the API server would.

    :raises PolicyError: its name is taken, it has no rules, or one of them is wrong.
    """
    name = one["name"]
    if name in TEMPLATES or name in others or name == TRANSITION:
        raise PolicyError(f"custom policy {name!r}", "the name is taken", "a name of its own", "Rename it")
    given = {key: [_defaulted(rule) for rule in one[key]] for key in RULES_OF.values() if one.get(key) is not None}
    if not given:
        raise PolicyError(f"custom policy {name!r}", "it has no rules", "ingress or egress")
    spec = _spec(*(kind for kind, key in RULES_OF.items() if key in given), **given)
    read = network_policy(_object("custom", name, spec))
    if read.defects:
        defect = read.defects[0]
        raise PolicyError(f"custom policy {name!r}", f"{defect.path}: {defect.text}", "rules that can be meant")
    return spec


def _defaulted(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as the API server stores it: a port's protocol is TCP where none is written."""
    if not isinstance(rule.get("ports"), list):
        return dict(rule)
    ports = [{"protocol": "TCP", **one} if isinstance(one, dict) else one for one in rule["ports"]]
    return {**rule, "ports": ports}


# ---- from one set of policies to another, at once --------------------------------------------------------------------


def transition(namespace: str, specs: Sequence[Mapping[str, Any]]) -> Object:
    """One policy that allows and isolates all that several do together.

    Policies that are written one after another isolate, each by itself, before the others have come to allow. While
    this one stands, they can come and go without anything being forbidden that any of them allows.

    :param specs: of policies about every pod of the namespace.
    """
    types = [kind for kind in RULES_OF if any(kind in spec["policyTypes"] for spec in specs)]
    rules: dict[str, list[Any]] = {}
    for kind in types:
        told: list[Any] = []
        for spec in specs:
            told += [
                rule for rule in spec.get(RULES_OF[kind]) or [] if kind in spec["policyTypes"] and rule not in told
            ]
        rules[RULES_OF[kind]] = told
    return _object(namespace, TRANSITION, _spec(*types, **rules))
