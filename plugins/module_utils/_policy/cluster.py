# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a live cluster says to a baseline: what surrounds it, what enforces it, and what it is known to need."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, UnknownKindError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import API_VERSIONS, DETECTED
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.flows import (
    ROUTES,
    SERVICE_NAME,
    WEBHOOKS,
    called_services,
    conversion_service,
    is_dns,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import tunnel_addresses
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import API_VERSION
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import Surroundings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

API_SERVICE = ObjectRef("v1", "Service", "kubernetes", "default")
# Names that controllers of Ingresses and Gateways, and the proxies that they run, bear in one of these labels.
INGRESS_KEYS = ("app.kubernetes.io/name", "app", "app.kubernetes.io/managed-by")
INGRESS_LABELS = {
    *("ingress-nginx", "rke2-ingress-nginx", "nginx-ingress", "nginx-gateway-fabric", "contour", "traefik", "kong"),
    *("haproxy-ingress", "kubernetes-ingress", "envoy-gateway", "istio-ingressgateway", "emissary-ingress", "apisix"),
}
# OpenShift's routers are told by where they are.
INGRESS_NAMESPACES = ("openshift-ingress",)
DNS_NAMESPACES = ("kube-system", "openshift-dns")
# NodeLocal DNSCache as upstream's manifest names it, and as kubespray does.
NODE_DNS_NAMES = {"node-local-dns", "nodelocaldns"}
# DaemonSets that enforce NetworkPolicies, and those of CNIs that do not.
ENFORCERS = {
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "antrea-agent": "Antrea",
    "kube-router": "kube-router",
    "kube-network-policies": "kube-network-policies",
    "weave-net": "Weave Net",
    "ovnkube-node": "OVN-Kubernetes",
}
SILENT = {"kube-flannel-ds": "Flannel"}


def surroundings(
    client: KubeClient,
    namespaces: Collection[str],
    calling: Sequence[Object],
    ingress: Sequence[str],
    monitoring: Sequence[str],
) -> Surroundings:
    """What the policies must name of this cluster.

    :param namespaces: that there are.
    :param calling: what makes the API server call; see ``called``.
    :param ingress: namespaces of Ingress and Gateway controllers, beyond those that are detected.
    :param monitoring: namespaces of the monitoring.
    """
    api = client.get(API_SERVICE)
    endpoints = {(address, port["port"]) for address in _ips(api) for port in (api or {})["spec"]["ports"]}
    for piece in client.list(
        "discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes.io/service-name=kubernetes"
    ):
        for endpoint in piece.get("endpoints") or []:
            endpoints |= {(address, port["port"]) for address in endpoint["addresses"] for port in piece["ports"]}
    detected = {name for name in INGRESS_NAMESPACES if name in namespaces}
    dns = set(_dns_addresses(client, namespaces))
    for kind in ("Deployment", "DaemonSet"):
        for workload in client.list("apps/v1", kind):
            if is_ingress(workload["metadata"].get("labels") or {}):
                detected.add(workload["metadata"]["namespace"])
            if workload["metadata"]["name"] in NODE_DNS_NAMES:
                dns.update(local_addresses(workload))
    nodes: set[str] = set()
    for node in client.list("v1", "Node"):
        told = (node.get("status") or {}).get("addresses") or []
        nodes.update(address["address"] for address in told if address["type"] == "InternalIP")
        nodes.update(tunnel_addresses(node))
    return Surroundings(
        dns_addresses=tuple(sorted(dns)),
        api_endpoints=tuple(sorted(endpoints)),
        ingress_namespaces=tuple(sorted({*detected, *ingress})),
        monitoring_namespaces=tuple(sorted(set(monitoring))),
        node_addresses=tuple(sorted(nodes)),
        called_ports=tuple(_called_ports(client, calling)),
        openshift="openshift-dns" in namespaces,
    )


def is_ingress(labels: Mapping[str, str]) -> bool:
    """Whether a workload with these labels lets traffic into the cluster."""
    return any(labels.get(key) in INGRESS_LABELS for key in INGRESS_KEYS)


def local_addresses(daemon_set: Mapping[str, Any]) -> list[str]:
    """Where NodeLocal DNSCache listens: what its program is told by ``-localip``, separated by commas."""
    containers = daemon_set["spec"]["template"]["spec"]["containers"]
    words = [word for one in containers for word in (*(one.get("command") or ()), *(one.get("args") or ()))]
    for word, following in zip(words, [*words[1:], ""]):
        option, _equals, value = word.lstrip("-").partition("=")
        if option == "localip" and word.startswith("-"):
            return [text for text in (value or following).split(",") if text]
    return []


def _dns_addresses(client: KubeClient, namespaces: Collection[str]) -> Iterator[str]:
    for namespace in DNS_NAMESPACES:
        if namespace in namespaces:
            for service in client.list("v1", "Service", namespace):
                metadata = service["metadata"]
                if is_dns(namespace, metadata["name"], metadata.get("labels") or {}):
                    yield from _ips(service)


CALLED = (
    *(("admissionregistration.k8s.io/v1", kind) for kind in WEBHOOKS),
    ("apiregistration.k8s.io/v1", "APIService"),
)
DEFINITIONS = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
# A definition may be as large as hundreds of other objects.
DEFINITIONS_AT_ONCE = 25


def called(client: KubeClient) -> Iterator[Object]:
    """What makes the API server call a Service; of a CustomResourceDefinition the conversion alone."""
    for api_version, kind in CALLED:
        yield from listed(client, api_version, kind)
    for one in client.list(*DEFINITIONS, page=DEFINITIONS_AT_ONCE):
        if conversion_service(one):
            metadata = {"name": one["metadata"]["name"]}
            spec = {"conversion": one["spec"]["conversion"]}
            yield {"apiVersion": DEFINITIONS[0], "kind": DEFINITIONS[1], "metadata": metadata, "spec": spec}


def _called_ports(client: KubeClient, calling: Sequence[Object]) -> list[tuple[str, Any]]:
    """The ports of pods that the API server calls."""
    objects: dict[str, list[Object]] = {}
    for one in calling:
        objects.setdefault(one["kind"], []).append(one)
    found: set[tuple[str, Any]] = set()
    for _reason, (namespace, name), port in called_services(objects):
        service = client.get(ObjectRef("v1", "Service", name, namespace))
        for one in ((service or {}).get("spec") or {}).get("ports") or []:
            if one["port"] == port:
                found.add((namespace, one.get("targetPort") or port))
    return sorted(found, key=str)


def served_kind(client: KubeClient, asked: str) -> str:
    """The kind of cluster-wide policies to write.

    :param asked: a kind, or ``detect`` for the first that the cluster serves.
    :raises PolicyError: it serves none.
    """
    candidates = DETECTED if asked == "detect" else (asked,)
    for kind in candidates:
        try:
            client.path(API_VERSIONS[kind], kind)
        except UnknownKindError:
            continue
        return kind
    raise PolicyError(
        "cluster-wide baseline",
        f"this cluster does not serve {' or '.join(candidates)}",
        "one of them",
        "Install what serves it, or set cluster_wide to none",
    )


def wide_policies(client: KubeClient) -> tuple[dict[str, list[Object]], dict[str, KubeError]]:
    """The cluster-wide policies of every kind that the cluster serves and a baseline may be written in.

    :returns: by kind, and what stood in the way of reading others.
    """
    groups = {one["name"] for one in client.raw("GET", "/apis")["groups"]}
    found: dict[str, list[Object]] = {}
    refused: dict[str, KubeError] = {}
    for kind, api_version in API_VERSIONS.items():
        if api_version.partition("/")[0] in groups:
            try:
                found[kind] = listed(client, api_version, kind)
            except KubeError as error:
                refused[kind] = error
    return found, refused


def listed(client: KubeClient, api_version: str, kind: str) -> list[Object]:
    """The objects of a kind; none where the cluster does not serve it."""
    try:
        return list(client.list(api_version, kind))
    except UnknownKindError:
        return []


FLOW_KINDS = (
    ("networking.k8s.io/v1", "Ingress"),
    *(("gateway.networking.k8s.io/v1", kind) for kind in ROUTES[:2]),
    *(("gateway.networking.k8s.io/v1alpha2", kind) for kind in ROUTES[2:]),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
)


def needing(client: KubeClient) -> list[Object]:
    """The objects that tell which connections are needed, beyond pods, Services, and what is ``called``."""
    groups = {one["name"] for one in client.raw("GET", "/apis")["groups"]}
    return [
        obj
        for api_version, kind in FLOW_KINDS
        if api_version.partition("/")[0] in groups
        for obj in listed(client, api_version, kind)
    ]


def endpoint_slices(client: KubeClient, objects: Iterable[Object]) -> list[Object]:
    """The EndpointSlices of the Services without a selector, which tell themselves what is behind them.

    :param objects: of which these Services are some; that of the API server is passed over.
    """
    found: list[Object] = []
    for one in objects:
        spec, metadata = one.get("spec") or {}, one["metadata"]
        if one["kind"] != "Service" or spec.get("selector") or spec.get("type") == "ExternalName":
            continue
        place = (metadata["namespace"], metadata["name"])
        if place != (API_SERVICE.namespace, API_SERVICE.name):
            label = f"{SERVICE_NAME}={place[1]}"
            found += client.list("discovery.k8s.io/v1", "EndpointSlice", place[0], label)
    return found


def _ips(service: Object | None) -> list[str]:
    addresses = ((service or {}).get("spec") or {}).get("clusterIPs") or []
    return [address for address in addresses if address != "None"]


def enforcement(client: KubeClient) -> tuple[str, str]:
    """Who enforces policies on this cluster, and what to say when nobody does.

    :returns: the name of what enforces them (empty: nothing that is known), and a warning (empty: none).
    """
    names = {workload["metadata"]["name"] for workload in client.list("apps/v1", "DaemonSet")}
    found = sorted(ENFORCERS[name] for name in names if name in ENFORCERS)
    if found:
        return ", ".join(found), ""
    silent = sorted(SILENT[name] for name in names if name in SILENT)
    if silent:
        return "", (
            f"{silent[0]} does not enforce NetworkPolicies: the policies are stored and protect nothing. "
            "Run Calico, Cilium or kube-network-policies beside or instead of it."
        )
    return "", "no CNI that is known to enforce NetworkPolicies was found: check that the policies protect anything"


CILIUM_CONFIG = ObjectRef("v1", "ConfigMap", "cilium-config", "kube-system")
# Templates that name nodes and API servers by their addresses.
BY_ADDRESS = ("allow-nodes", "allow-to-apiserver", "allow-from-apiserver")


def missed_addresses(client: KubeClient, enforcer: str, policies: Iterable[Object]) -> str:
    """What to say where blocks of addresses mean no node; empty: nothing.

    Cilium knows nodes and API servers by identity, and matches no block with them unless it is told to
    (docs.cilium.io, Network Policy, "IP/CIDR based", policy-cidr-match-mode).

    :param policies: that are written.
    """
    named = {one["metadata"]["name"] for one in policies if one["kind"] == "NetworkPolicy"}.intersection(BY_ADDRESS)
    if "Cilium" not in enforcer.split(", ") or not named:
        return ""
    config = (client.get(CILIUM_CONFIG) or {}).get("data") or {}
    if "nodes" in str(config.get("policy-cidr-match-mode", "")).replace(",", " ").split():
        return ""
    return (
        f"Cilium takes no block of addresses for nodes or API servers: {', '.join(sorted(named))} will admit nobody. "
        "Set cluster_wide to CiliumClusterwideNetworkPolicy, which names them by identity, or Cilium's value "
        "policyCIDRMatchMode to nodes."
    )


KEPT = ("name", "namespace", "labels", "annotations", "resourceVersion")


def live_policies(client: KubeClient) -> list[Object]:
    """Every NetworkPolicy of the cluster, in one listing; what says the same in several is one object in memory."""
    known: dict[str, Any] = {}

    def shared(part: Any) -> Any:
        return known.setdefault(json.dumps(part, sort_keys=True), part)

    found: list[Object] = []
    for one in client.list(API_VERSION, "NetworkPolicy"):
        metadata = {key: value for key, value in one["metadata"].items() if key in KEPT}
        if "labels" in metadata:
            metadata["labels"] = shared(metadata["labels"])
        found.append(
            {**{key: one[key] for key in ("apiVersion", "kind")}, "metadata": metadata, "spec": shared(one["spec"])}
        )
    return found
