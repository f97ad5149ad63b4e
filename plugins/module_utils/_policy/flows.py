# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Connections that a cluster is known to need: told by its objects, or seen by its CNI."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import End, target_port
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PROTOCOLS, PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory, Pod, Service
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import Surroundings

# Anybody outside; a network for documentation (RFC 5737), which nobody's policy names.
STRANGER = "203.0.113.1"
SERVICE_NAME = "kubernetes.io/service-name"
ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")
WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


@dataclass(frozen=True)
class Flow:
    """One connection that is needed.

    :param reason: how that is known.
    """

    source: End
    destination: End
    protocol: str
    port: int
    reason: str


def is_dns(namespace: str, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a Service is the cluster's DNS: kubeadm's, kubespray's and RKE2's bear one label, OpenShift's a name."""
    if (namespace, name) in {("kube-system", "kube-dns"), ("openshift-dns", "dns-default")}:
        return True
    return namespace == "kube-system" and labels.get("k8s-app") == "kube-dns"


def told_flows(inventory: Inventory, around: Surroundings) -> list[Flow]:
    """What Services, routes, webhooks, aggregated APIs, monitors and accounts tell."""
    return list(_Teller(inventory, around).flows())


def ends_by_address(inventory: Inventory) -> dict[str, End]:
    """Pods and nodes by their addresses; what shares its node's network is the node."""
    found: dict[str, End] = {address: node for node in inventory.nodes for address in node.addresses}
    found.update({address: pod for pod in inventory.pods if not pod.host_network for address in pod.addresses})
    return found


class _Teller:
    def __init__(self, inventory: Inventory, around: Surroundings) -> None:
        self.inventory = inventory
        self.around = around
        self.services = {(one.namespace, one.name): one for one in inventory.services}
        self._pods: dict[str, list[Pod]] = {}
        for pod in inventory.pods:
            self._pods.setdefault(pod.namespace, []).append(pod)
        self._slices: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for piece in inventory.others.get("EndpointSlice", ()):
            name = (piece["metadata"].get("labels") or {}).get(SERVICE_NAME, "")
            # One of names holds no addresses.
            if piece.get("addressType") != "FQDN":
                self._slices.setdefault((_namespace(piece), name), []).append(piece)
        self._ends = ends_by_address(inventory)
        self._nodes = {address: node for node in inventory.nodes for address in node.addresses}

    def flows(self) -> Iterator[Flow]:
        yield from self._dns()
        yield from self._routes()
        yield from self._node_ports()
        yield from self._called()
        yield from self._monitored()
        yield from self._accounts()

    def _in(self, namespaces: Iterable[str]) -> list[Pod]:
        return [pod for name in namespaces for pod in self._pods.get(name, [])]

    def _to_service(self, sources: Sequence[End], service: Optional[Service], port: Any, reason: str) -> Iterator[Flow]:
        """Flows to what is behind a Service, at one of its ports by number or name."""
        if service is None:
            return
        if service.selector is None:
            for end, protocol, listens in self._endpoints(service, port):
                yield from (Flow(source, end, protocol, listens, reason) for source in sources)
            return
        backends = [pod for pod in self._pods.get(service.namespace, []) if service.selector.matches(pod.labels)]
        for one in service.ports:
            if port is not None and port not in {one.number, one.name}:
                continue
            for pod in backends:
                number = target_port(pod, one.target, one.protocol)
                if number is not None:
                    yield from (Flow(source, pod, one.protocol, number, reason) for source in sources)

    def _endpoints(self, service: Service, port: Any) -> Iterator[tuple[End, str, int]]:
        """What the EndpointSlices of a Service without a selector name: the end, protocol and port."""
        wanted = {one.name for one in service.ports if port is None or port in {one.number, one.name}}
        for piece in self._slices.get((service.namespace, service.name), []):
            entries = [one for one in piece.get("ports") or [] if (one.get("name") or "") in wanted and one.get("port")]
            for endpoint in piece.get("endpoints") or []:
                # Absent means that nobody said that it is not.
                if (endpoint.get("conditions") or {}).get("ready") is False:
                    continue
                for address in endpoint.get("addresses") or []:
                    end = self._ends.get(address, address)
                    yield from ((end, one.get("protocol") or "TCP", one["port"]) for one in entries)

    def _dns(self) -> Iterator[Flow]:
        senders: list[End] = [pod for pod in self.inventory.pods if not pod.host_network]
        for service in self.inventory.services:
            if not is_dns(service.namespace, service.name, service.labels):
                continue
            flows = self._to_service(senders, service, 53, f"DNS of Service {service}")
            # One of its pods stands for all: policies mean them by the same labels.
            seen: set[str] = set()
            for flow in flows:
                key = f"{flow.source} {flow.protocol}"
                if key not in seen:
                    seen.add(key)
                    yield flow

    def _routes(self) -> Iterator[Flow]:
        controllers: list[End] = list(self._in(self.around.ingress_namespaces))
        for obj in self.inventory.others.get("Ingress", ()):
            for backend in _ingress_backends(obj):
                port = backend.get("port") or {}
                service = self.services.get((_namespace(obj), backend.get("name", "")))
                reason = f"Ingress {_namespace(obj)}/{obj['metadata']['name']}"
                yield from self._to_service(controllers, service, port.get("number") or port.get("name"), reason)
        for kind in ROUTES:
            for obj in self.inventory.others.get(kind, ()):
                for backend in _route_backends(obj):
                    place = (backend.get("namespace") or _namespace(obj), backend["name"])
                    reason = f"{kind} {_namespace(obj)}/{obj['metadata']['name']}"
                    yield from self._to_service(controllers, self.services.get(place), backend.get("port"), reason)

    def _node_ports(self) -> Iterator[Flow]:
        nodes: list[End] = list(self.inventory.nodes)
        for service in self.inventory.services:
            if service.kind in {"NodePort", "LoadBalancer"}:
                sources = [STRANGER] if service.keeps_source else nodes
                yield from self._to_service(sources, service, None, f"{service.kind} of Service {service}")

    def _called(self) -> Iterator[Flow]:
        """What the API server calls."""
        addresses = sorted({address for address, _port in self.around.api_endpoints})
        # Its Service's address is where it is called, not where it calls from.
        own = {text for one in self.inventory.services if str(one) == "default/kubernetes" for text in one.addresses}
        callers = [self._nodes.get(address, address) for address in addresses if address not in own]
        for reason, place, port in called_services(self.inventory.others):
            yield from self._to_service(callers, self.services.get(place), port, reason)

    def _monitored(self) -> Iterator[Flow]:
        watchers = self._in(self.around.monitoring_namespaces)
        named = [pod for pod in watchers if pod.labels.get("app.kubernetes.io/name") == "prometheus"]
        sources: list[End] = list(named or watchers)
        for obj in self.inventory.others.get("ServiceMonitor", ()):
            spec, reason = obj.get("spec") or {}, f"ServiceMonitor {_namespace(obj)}/{obj['metadata']['name']}"
            selector = Fields(reason).selector(spec.get("selector"), "spec.selector")
            for service in self.inventory.services:
                if self._is_watched(obj, service.namespace) and selector.matches(service.labels):
                    for one in spec.get("endpoints") or []:
                        yield from self._to_service(sources, service, one.get("port"), reason)
        for obj in self.inventory.others.get("PodMonitor", ()):
            spec, reason = obj.get("spec") or {}, f"PodMonitor {_namespace(obj)}/{obj['metadata']['name']}"
            selector = Fields(reason).selector(spec.get("selector"), "spec.selector")
            endpoints = spec.get("podMetricsEndpoints") or []
            wanted = {one.get(field) for one in endpoints for field in ("port", "portNumber", "targetPort")} - {None}
            for pod in self.inventory.pods:
                if self._is_watched(obj, pod.namespace) and selector.matches(pod.labels):
                    named_ports = {port.number for port in pod.ports if port.name in wanted}
                    for number in sorted(named_ports | {one for one in wanted if isinstance(one, int)}):
                        yield from (Flow(one, pod, "TCP", number, reason) for one in sources)

    def _is_watched(self, monitor: Mapping[str, Any], namespace: str) -> bool:
        chosen = (monitor.get("spec") or {}).get("namespaceSelector") or {}
        return bool(chosen.get("any")) or namespace in (chosen.get("matchNames") or [_namespace(monitor)])

    def _accounts(self) -> Iterator[Flow]:
        own = {text for one in self.inventory.services if str(one) == "default/kubernetes" for text in one.addresses}
        targets = [(address, port) for address, port in self.around.api_endpoints if address not in own]
        for pod in self.inventory.pods:
            if pod.calls_api and not pod.host_network:
                for address, port in targets:
                    yield Flow(pod, self._nodes.get(address, address), "TCP", port, "its account for the API server")


def called_services(
    objects: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[tuple[str, tuple[str, str], Any]]:
    """The Services that the API server calls: why, namespace and name, port.

    :param objects: by kind.
    """
    for kind in WEBHOOKS:
        for obj in objects.get(kind, ()):
            for hook in obj.get("webhooks") or []:
                service = (hook.get("clientConfig") or {}).get("service")
                if service:
                    reason = f"{kind} {obj['metadata']['name']}"
                    yield reason, (service["namespace"], service["name"]), service.get("port", 443)
    for obj in objects.get("CustomResourceDefinition", ()):
        service = conversion_service(obj)
        if service:
            reason = f"conversion of CustomResourceDefinition {obj['metadata']['name']}"
            yield reason, (service["namespace"], service["name"]), service.get("port", 443)
    for obj in objects.get("APIService", ()):
        service = (obj.get("spec") or {}).get("service")
        if service:
            place = (service["namespace"], service["name"])
            yield f"APIService {obj['metadata']['name']}", place, service.get("port", 443)


def conversion_service(definition: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The Service that converts a CustomResourceDefinition's objects between versions (apiextensions.k8s.io/v1)."""
    conversion = (definition.get("spec") or {}).get("conversion") or {}
    called: Optional[Mapping[str, Any]] = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    return called if conversion.get("strategy") == "Webhook" else None


def _namespace(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace") or "default")


def _ingress_backends(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = obj.get("spec") or {}
    paths = [path for rule in spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
    found = [(one.get("backend") or {}).get("service") for one in paths]
    found.append((spec.get("defaultBackend") or {}).get("service"))
    return [one for one in found if one]


def _route_backends(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rules = (obj.get("spec") or {}).get("rules") or []
    return [one for rule in rules for one in rule.get("backendRefs") or [] if one.get("kind", "Service") == "Service"]


# ---- seen flows ------------------------------------------------------------------------------------------------------


def seen_flows(text: str, name: str, inventory: Inventory) -> list[Flow]:
    """What a log of flows shows that was let through; replies, drops and other protocols are passed over.

    :param text: a JSON object a line, of Hubble (``hubble observe -o json``) or of Calico's flow logs.
    :param name: of the log, for messages.
    :raises PolicyError: a line is no JSON, of neither, or damaged.
    """
    pods = {(pod.namespace, pod.name): pod for pod in inventory.pods}
    by_address = ends_by_address(inventory)
    found: dict[str, Flow] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise PolicyError(f"flow log {name!r} line {number}", f"it is no JSON: {error}", "a JSON object") from error
        try:
            seen = _hubble(entry) if isinstance(entry, dict) and ("flow" in entry or "l4" in entry) else _calico(entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PolicyError(
                f"flow log {name!r} line {number}", f"a field cannot be read: {error}", "a flow as its CNI prints it"
            ) from error
        if seen is None:
            raise PolicyError(
                f"flow log {name!r} line {number}",
                "it is neither a flow of Hubble nor of Calico",
                "what `hubble observe -o json` or Calico's flow logs print",
            )
        if seen:
            ends = [_end(one, pods, by_address) for one in seen[:2]]
            if ends[0] is not None and ends[1] is not None:
                flow = Flow(ends[0], ends[1], seen[2], seen[3], f"seen in {name}")
                found.setdefault(f"{flow.source} {flow.destination} {flow.protocol} {flow.port}", flow)
    return list(found.values())


# A side of a flow: namespace, pod, and address; each may be empty.
Side = tuple[str, str, str]
# A flow that does not count.
PASSED_OVER: tuple[Any, ...] = ()


def _hubble(entry: Mapping[str, Any]) -> Optional[tuple[Any, ...]]:
    flow = entry.get("flow", entry)
    layer = flow.get("l4") or {}
    protocol = next((one for one in PROTOCOLS if one in layer), "")
    if flow.get("verdict") != "FORWARDED" or flow.get("is_reply") or not protocol:
        return PASSED_OVER
    addresses = flow.get("IP") or {}

    def side(name: str) -> Side:
        end = flow.get(name) or {}
        return end.get("namespace") or "", end.get("pod_name") or "", addresses.get(name) or ""

    return (side("source"), side("destination"), protocol, int(layer[protocol].get("destination_port") or 0))


def _calico(entry: Any) -> Optional[tuple[Any, ...]]:
    if not isinstance(entry, dict) or "dest_port" not in entry or "action" not in entry:
        return None
    protocol = str(entry.get("proto") or "").upper()
    if entry["action"] != "allow" or protocol not in PROTOCOLS or not entry["dest_port"]:
        return PASSED_OVER

    def side(name: str) -> Side:
        values = [entry.get(f"{name}_{field}") for field in ("namespace", "name", "ip")]
        namespace, pod, address = ("" if value in {None, "-"} else str(value) for value in values)
        return namespace, pod, address

    return (side("source"), side("dest"), protocol, int(entry["dest_port"]))


def _end(side: Side, pods: Mapping[tuple[str, str], Pod], by_address: Mapping[str, End]) -> Optional[End]:
    """Who a side is; nobody where it was a pod that is gone."""
    namespace, name, address = side
    if namespace and name:
        return pods.get((namespace, name))
    if not address:
        return STRANGER
    known = by_address.get(address)
    if known is not None:
        return known
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
