# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From Kubernetes objects, live or written, to what an evaluation looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy import clusterwide, namespaced
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    NAME_LABEL,
    Inventory,
    NamedPort,
    Node,
    Pod,
    Policy,
    Service,
    ServicePort,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob")
# Kinds that can allow or deny, by API group, and that are not evaluated. Staged ones of Calico have no effect.
UNREAD = {
    "projectcalico.org": ("NetworkPolicy", "GlobalNetworkPolicy"),
    "crd.projectcalico.org": ("NetworkPolicy", "GlobalNetworkPolicy"),
    "cilium.io": ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
    "crd.antrea.io": ("ClusterNetworkPolicy", "NetworkPolicy"),
}
OTHERS = (
    *("Ingress", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute", "Gateway", "EndpointSlice"),
    *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "CustomResourceDefinition"),
    *("ServiceMonitor", "PodMonitor"),
)
ENDED = ("Succeeded", "Failed")
CALICO_TUNNELS = tuple(
    f"projectcalico.org/{name}"
    for name in (
        *("IPv4VXLANTunnelAddr", "IPv4IPIPTunnelAddr", "IPv4WireguardInterfaceAddr"),
        *("IPv6VXLANTunnelAddr", "IPv6WireguardInterfaceAddr"),
    )
)


def inventory(objects: Iterable[Object]) -> Inventory:
    """All that an evaluation looks at.

    Namespaces that are named and not given exist with the one label that each has. Pods that a given workload owns
    stand for themselves; a workload stands for its pods only where none of its pods is given.

    :raises PolicyError: an object cannot be read.
    """
    by_kind: dict[str, list[Object]] = {}
    for obj in objects:
        by_kind.setdefault(obj["kind"], []).append(obj)
    pods = [_pod(one) for one in by_kind.get("Pod", []) if (one.get("status") or {}).get("phase") not in ENDED]
    policies = [policy for kind in _POLICIES for one in by_kind.get(kind, []) for policy in _policy(one)]
    pods += _of_workloads([one for kind in WORKLOADS for one in by_kind.get(kind, [])], pods)
    namespaces = {one["metadata"]["name"]: _namespace_labels(one) for one in by_kind.get("Namespace", [])}
    services = [_service(one) for one in by_kind.get("Service", [])]
    named = [*(pod.namespace for pod in pods), *(service.namespace for service in services)]
    named += [policy.subject.namespace for policy in policies if policy.subject.namespace]
    for name in named:
        namespaces.setdefault(name, {NAME_LABEL: name})
    return Inventory(
        dict(sorted(namespaces.items())),
        tuple(pods),
        tuple(_node(one) for one in by_kind.get("Node", [])),
        tuple(services),
        tuple(policies),
        tuple(ref_of(one) for members in by_kind.values() for one in members if _is_unread(one)),
        {kind: tuple(by_kind[kind]) for kind in OTHERS if kind in by_kind},
    )


def _group(obj: Mapping[str, Any]) -> str:
    return str(obj["apiVersion"]).rpartition("/")[0]


def _is_unread(obj: Mapping[str, Any]) -> bool:
    return obj["kind"] in UNREAD.get(_group(obj), ())


_POLICIES = ("NetworkPolicy", *clusterwide.KINDS)


def _policy(obj: Object) -> list[Policy]:
    if _group(obj) == "networking.k8s.io" and obj["kind"] == "NetworkPolicy":
        return [namespaced.network_policy(obj)]
    if _group(obj) == clusterwide.GROUP:
        return [clusterwide.cluster_policy(obj)]
    return []


def _namespace_labels(obj: Mapping[str, Any]) -> dict[str, str]:
    fields = Fields(str(ref_of(obj)))
    labels = fields.labels(obj["metadata"].get("labels"), "metadata.labels")
    return {**labels, NAME_LABEL: obj["metadata"]["name"]}


def _pod(obj: Mapping[str, Any]) -> Pod:
    fields = Fields(str(ref_of(obj)))
    metadata, status = obj["metadata"], fields.mapping(obj.get("status"), "status")
    listed = [one["ip"] for one in status.get("podIPs") or []] or [status.get("podIP")]
    owners = [one for one in metadata.get("ownerReferences") or [] if one.get("controller")]
    return _described(
        fields,
        metadata,
        fields.mapping(obj.get("spec"), "spec"),
        addresses=tuple(one for one in listed if one),
        place=(metadata.get("namespace") or "default", metadata["name"]),
        workload=owners[0]["name"] if owners else "",
    )


def _described(
    fields: Fields,
    metadata: Mapping[str, Any],
    spec: Mapping[str, Any],
    *,
    place: tuple[str, str],
    addresses: tuple[str, ...] = (),
    kind: str = "Pod",
    workload: str = "",
) -> Pod:
    containers = [*(spec.get("containers") or []), *_sidecars(spec)]
    ports = [
        NamedPort(one.get("name") or "", one.get("protocol") or "TCP", one["containerPort"])
        for container in containers
        for one in container.get("ports") or []
    ]
    return Pod(
        place[0],
        place[1],
        fields.labels(metadata.get("labels"), "metadata.labels"),
        addresses,
        bool(spec.get("hostNetwork")),
        tuple(ports),
        spec.get("nodeName") or "",
        kind,
        workload,
        spec.get("serviceAccountName", "default") != "default"
        and spec.get("automountServiceAccountToken") is not False,
    )


def _sidecars(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Init containers that go on running (restartPolicy Always): their ports are served too."""
    return [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]


def _of_workloads(workloads: Sequence[Object], pods: Sequence[Pod]) -> list[Pod]:
    """A pod for each workload that owns none of the pods and that is owned by none."""
    # A Deployment's pods are owned by its ReplicaSets, a CronJob's by its Jobs: their names are its own and a suffix.
    owned = {(pod.namespace, name) for pod in pods for name in (pod.workload, pod.workload.rpartition("-")[0])}
    found: list[Pod] = []
    for obj in workloads:
        metadata = obj["metadata"]
        place = (metadata.get("namespace") or "default", metadata["name"])
        template = _template(obj)
        idle = (obj.get("spec") or {}).get("replicas") == 0
        if metadata.get("ownerReferences") or template is None or idle or place in owned:
            continue
        fields = Fields(str(ref_of(obj)))
        spec = fields.mapping(template.get("spec"), "spec.template.spec")
        inner = fields.mapping(template.get("metadata"), "spec.template.metadata")
        found.append(_described(fields, inner, spec, place=place, kind=obj["kind"]))
    return found


def _template(obj: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    spec = obj.get("spec") or {}
    if obj["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template: Optional[Mapping[str, Any]] = spec.get("template")
    return template


def _node(obj: Mapping[str, Any]) -> Node:
    status = obj.get("status") or {}
    found = [one["address"] for one in status.get("addresses") or [] if one.get("type", "").endswith("IP")]
    whole = tuple(dict.fromkeys([*found, *tunnel_addresses(obj)]))
    return Node(obj["metadata"]["name"], obj["metadata"].get("labels") or {}, whole)


def tunnel_addresses(node: Mapping[str, Any]) -> list[str]:
    """What pods elsewhere see as the source of a node's own connections, where these go through a tunnel.

    Calico writes it to the node (libcalico-go, backend/k8s/resources/node.go); Flannel takes the first address of the
    node's pod network (pkg/backend/vxlan/device.go).
    """
    told = node["metadata"].get("annotations") or {}
    found = [told[key] for key in CALICO_TUNNELS if told.get(key)]
    if told.get("flannel.alpha.coreos.com/backend-type") in {"vxlan", "wireguard"}:
        spec = node.get("spec") or {}
        found += [text.partition("/")[0] for text in spec.get("podCIDRs") or [spec.get("podCIDR")] if text]
    return found


def _service(obj: Mapping[str, Any]) -> Service:
    fields = Fields(str(ref_of(obj)))
    spec = fields.mapping(obj.get("spec"), "spec")
    labels = fields.labels(spec.get("selector"), "spec.selector")
    addresses = [one for one in spec.get("clusterIPs") or [spec.get("clusterIP")] if one and one != "None"]
    ports = [
        ServicePort(
            one.get("name") or "",
            one.get("protocol") or "TCP",
            one["port"],
            one.get("targetPort") or one["port"],
            one.get("nodePort") or 0,
        )
        for one in spec.get("ports") or []
    ]
    return Service(
        obj["metadata"].get("namespace") or "default",
        obj["metadata"]["name"],
        spec.get("type") or "ClusterIP",
        fields.selector({"matchLabels": labels}, "spec.selector") if labels else None,
        tuple(addresses),
        tuple(ports),
        fields.labels(obj["metadata"].get("labels"), "metadata.labels"),
        spec.get("externalTrafficPolicy") == "Local",
    )
