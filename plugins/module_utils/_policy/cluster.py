# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A baseline on a live cluster: what surrounds it, what enforces it, and the changes carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import API_VERSION, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import Step

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


def surroundings(client: KubeClient, ingress: Sequence[str], monitoring: Sequence[str]) -> Surroundings:
    """What the policies must name of this cluster.

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
    )


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


def carry_out(client: KubeClient, changes: Sequence[Step], *, check: bool) -> None:
    """Do the changes in their order: a run that is killed leaves no deny without its allows.

    :raises KubeError: the API server refuses one; those before it are done.
    """
    for step in changes:
        if step.after is not None:
            client.apply(step.after, force=True, dry_run=check)
        elif not check:
            client.delete(ref_of(step.subject), propagation="Background")


def shown(change: Step, render: Any) -> dict[str, str]:
    """One change, for a diff."""
    name = str(ref_of(change.subject))
    sides = [render({"spec": side["spec"]}) if side else "" for side in (change.before, change.after)]
    return {"before_header": name, "after_header": name, "before": sides[0], "after": sides[1]}
