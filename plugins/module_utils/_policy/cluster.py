# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a live cluster says to a baseline: what surrounds it, what enforces it, and what it is known to need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import UnknownKindError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import API_VERSIONS, DETECTED
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.flows import ROUTES, WEBHOOKS, called_services
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import API_VERSION
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import Surroundings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

API_SERVICE = ObjectRef("v1", "Service", "kubernetes", "default")
DNS_SERVICE = ObjectRef("v1", "Service", "kube-dns", "kube-system")
INGRESS_LABELS = {"ingress-nginx", "contour", "traefik", "haproxy-ingress", "envoy-gateway", "istio-ingressgateway"}
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
    client: KubeClient, namespaces: Collection[str], ingress: Sequence[str], monitoring: Sequence[str]
) -> Surroundings:
    """What the policies must name of this cluster.

    :param namespaces: that there are.
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
    detected = {
        workload["metadata"]["namespace"]
        for kind in ("Deployment", "DaemonSet")
        for workload in client.list("apps/v1", kind)
        if (workload["metadata"].get("labels") or {}).get("app.kubernetes.io/name") in INGRESS_LABELS
    }
    nodes = [
        address["address"]
        for node in client.list("v1", "Node")
        for address in (node.get("status") or {}).get("addresses") or []
        if address["type"] == "InternalIP"
    ]
    return Surroundings(
        dns_addresses=tuple(_ips(client.get(DNS_SERVICE))),
        api_endpoints=tuple(sorted(endpoints)),
        ingress_namespaces=tuple(sorted({*detected, *ingress})),
        monitoring_namespaces=tuple(sorted(set(monitoring))),
        node_addresses=tuple(sorted(nodes)),
        called_ports=tuple(_called_ports(client)),
        openshift="openshift-dns" in namespaces,
    )


CALLED = (
    *(("admissionregistration.k8s.io/v1", kind) for kind in WEBHOOKS),
    ("apiregistration.k8s.io/v1", "APIService"),
)


def _called_ports(client: KubeClient) -> list[tuple[str, Any]]:
    """The ports of pods that the API server calls."""
    objects = {kind: listed(client, api_version, kind) for api_version, kind in CALLED}
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
    *CALLED,
)


def needing(client: KubeClient) -> list[Object]:
    """The objects that tell which connections are needed, beyond pods and Services."""
    groups = {one["name"] for one in client.raw("GET", "/apis")["groups"]}
    return [
        obj
        for api_version, kind in FLOW_KINDS
        if api_version.partition("/")[0] in groups
        for obj in listed(client, api_version, kind)
    ]


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


def live_policies(client: KubeClient) -> list[Object]:
    """Every NetworkPolicy of the cluster, in one listing."""
    return list(client.list(API_VERSION, "NetworkPolicy"))
