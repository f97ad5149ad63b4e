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
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

API_VERSION = "networking.k8s.io/v1"
EVERY_POD: dict[str, Any] = {}
NAME_LABEL = "kubernetes.io/metadata.name"
# Where a node answers DNS itself: NodeLocal DNSCache's default, kubespray's, and GKE's Cloud DNS.
NODE_DNS = ("169.254.20.10", "169.254.25.10", "169.254.169.254")


class PolicyError(NetopsError):
    """A baseline that cannot be applied; the text names the namespace or the policy."""


@dataclass(frozen=True)
class Surroundings:
    """What the policies must name of this cluster.

    :param dns_addresses: the cluster IPs of its DNS.
    :param api_endpoints: address and port of each API server, and its Service's.
    :param ingress_namespaces: where its Ingress or Gateway controllers run.
    :param monitoring_namespaces: where its monitoring runs.
    :param node_addresses: of its nodes.
    """

    dns_addresses: tuple[str, ...] = ()
    api_endpoints: tuple[tuple[str, int], ...] = ()
    ingress_namespaces: tuple[str, ...] = ()
    monitoring_namespaces: tuple[str, ...] = ()
    node_addresses: tuple[str, ...] = ()


Spec = dict[str, Any]
Template = Callable[[Surroundings], Spec]


def _block(address: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": str(ipaddress.ip_network(address))}}


def _namespaces(names: Sequence[str]) -> list[dict[str, Any]]:
    requirement = {"key": NAME_LABEL, "operator": "In", "values": sorted(names)}
    return [{"namespaceSelector": {"matchExpressions": [requirement]}}]


def _spec(*types: str, **rules: Any) -> Spec:
    return {"podSelector": EVERY_POD, "policyTypes": list(types), **rules}


def _allow_dns(around: Surroundings) -> Spec:
    # One item with both selectors: pods of the DNS in kube-system. Two items would admit all of kube-system.
    dns = {
        "namespaceSelector": {"matchLabels": {NAME_LABEL: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    peers = [dns, *(_block(address) for address in (*around.dns_addresses, *NODE_DNS))]
    return _spec("Egress", egress=[{"to": peers, "ports": ports}])


def _allow_same_namespace(_unused: Surroundings) -> Spec:
    peers = [{"podSelector": EVERY_POD}]
    return _spec("Ingress", "Egress", ingress=[{"from": peers}], egress=[{"to": peers}])


def _allow_to_apiserver(around: Surroundings) -> Spec:
    # The API server is no pod, so only addresses can name it.
    rules = [
        {"to": [_block(address)], "ports": [{"protocol": "TCP", "port": port}]}
        for address, port in sorted(around.api_endpoints)
    ]
    return _spec("Egress", egress=rules)


def _from_namespaces(names: Sequence[str]) -> Spec:
    return _spec("Ingress", ingress=[{"from": _namespaces(names)}] if names else [])


def _allow_nodes(around: Surroundings) -> Spec:
    peers = [_block(address) for address in sorted(around.node_addresses)]
    return _spec("Ingress", ingress=[{"from": peers}] if peers else [])


TEMPLATES: Mapping[str, Template] = {
    "allow-all-ingress": lambda _unused: _spec("Ingress", ingress=[{}]),
    "allow-all-egress": lambda _unused: _spec("Egress", egress=[{}]),
    "allow-dns": _allow_dns,
    "allow-same-namespace": _allow_same_namespace,
    "allow-from-ingress": lambda around: _from_namespaces(around.ingress_namespaces),
    "allow-from-monitoring": lambda around: _from_namespaces(around.monitoring_namespaces),
    "allow-to-apiserver": _allow_to_apiserver,
    "allow-nodes": _allow_nodes,
    # The empty lists are said aloud: what is not said, somebody else could own and fill.
    "default-deny-ingress": lambda _unused: _spec("Ingress", ingress=[]),
    "default-deny-egress": lambda _unused: _spec("Egress", egress=[]),
    "default-deny-all": lambda _unused: _spec("Ingress", "Egress", ingress=[], egress=[]),
}
ALLOWS_IN = ("allow-same-namespace", "allow-from-ingress", "allow-from-monitoring", "allow-nodes")
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


def policies(namespace: str, names: Sequence[str], around: Surroundings) -> list[Object]:
    """The named policies of one namespace, allows before denies.

    :raises PolicyError: there is no template of a name.
    """
    unknown = [name for name in names if name not in TEMPLATES]
    if unknown:
        raise PolicyError(f"policy {unknown[0]!r}", "there is no such template", f"one of {', '.join(TEMPLATES)}")
    made = [
        marked(
            {
                "apiVersion": API_VERSION,
                "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": namespace},
                "spec": TEMPLATES[name](around),
            }
        )
        for name in dict.fromkeys(names)
    ]
    return sorted(made, key=is_deny)
