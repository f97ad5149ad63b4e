# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a node's data plane must serve: every Service, port and end point of the API.

Which Services kube-proxy serves and which end points it chooses: pkg/proxy/util/utils.go (ShouldSkipService), the label
selectors of cmd/kube-proxy/app/server.go, and pkg/proxy/topology.go (CategorizeEndpoints), Kubernetes 1.36.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

# Whose Services are another proxy's, and nobody's.
ANOTHER_PROXY = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"
SERVICE_NAME = "kubernetes.io/service-name"
# The address of a NodePort: the node's own, whichever that is.
ANY = ""


@dataclass(frozen=True)
class Server:
    """One protocol, address and port that a node serves, and where it must and may lead.

    :param service: ``NAMESPACE/NAME:PORT``.
    :param address: as Python writes it; empty for a NodePort.
    :param must: end points that have to be there, ``ADDRESS:PORT``, IPv6 in brackets.
    :param may: all that may be there; one of them has to, when there are any.
    """

    service: str
    protocol: str
    address: str
    port: int
    must: frozenset[str]
    may: frozenset[str]

    def __str__(self) -> str:
        place = socket(self.address, self.port) if self.address else f"NodePort {self.port}"
        return f"Service {self.service}, {self.protocol} {place}"


def socket(address: str, port: int) -> str:
    """An address and a port in one word."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def read_services(client: KubeClient) -> list[dict[str, Any]]:
    """The Services that kube-proxy serves, a row for each port and address family, ready to travel to the nodes."""
    slices: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in client.list("discovery.k8s.io/v1", "EndpointSlice"):
        metadata = one["metadata"]
        name = (metadata.get("labels") or {}).get(SERVICE_NAME, "")
        slices[metadata["namespace"], name, one["addressType"]].append(one)
    rows: list[dict[str, Any]] = []
    for service in client.list("v1", "Service"):
        if is_served(service):
            rows += rows_of(service, slices)
    return rows


def is_served(service: Mapping[str, Any]) -> bool:
    """Whether kube-proxy serves a Service at all."""
    labels, spec = service["metadata"].get("labels") or {}, service["spec"]
    return (
        spec.get("type") != "ExternalName"
        and spec.get("clusterIP") not in {None, "", "None"}
        and ANOTHER_PROXY not in labels
        and HEADLESS not in labels
    )


def rows_of(
    service: Mapping[str, Any], slices: Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """The rows of one Service.

    A row's end points are ``[ADDRESS:PORT, node, state, hinted]``; its state is ``ready`` or ``terminating``, others do
    not count.
    """
    metadata, spec = service["metadata"], service["spec"]
    addresses = _addresses(service)
    for family in sorted({_family(address) for address in spec.get("clusterIPs") or [spec["clusterIP"]]}):
        own = slices.get((metadata["namespace"], metadata["name"], family), ())
        for port in spec.get("ports") or []:
            yield {
                "service": f"{metadata['namespace']}/{metadata['name']}:{port.get('name') or port['port']}",
                "protocol": port.get("protocol", "TCP"),
                "port": port["port"],
                "node_port": port.get("nodePort") or 0,
                "cluster_ips": [one for one in spec.get("clusterIPs") or [spec["clusterIP"]] if _family(one) == family],
                "external_ips": [one for one in addresses if _family(one) == family],
                "internal_local": spec.get("internalTrafficPolicy") == "Local",
                "external_local": spec.get("externalTrafficPolicy") == "Local",
                "endpoints": list(_endpoints(own, port.get("name") or "")),
            }


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _addresses(service: Mapping[str, Any]) -> list[str]:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    ingress = [
        one["ip"] for one in balancer.get("ingress") or [] if one.get("ip") and one.get("ipMode", "VIP") == "VIP"
    ]
    return [*(service["spec"].get("externalIPs") or []), *ingress]


def _endpoints(slices: Iterable[Mapping[str, Any]], port_name: str) -> Iterator[list[Any]]:
    for one in slices:
        ports = [port["port"] for port in one.get("ports") or [] if (port.get("name") or "") == port_name]
        for endpoint in one.get("endpoints") or [] if ports else []:
            state = _state(endpoint.get("conditions") or {})
            hints = endpoint.get("hints") or {}
            if state:
                # Of several addresses the first counts (API reference of EndpointSlice: they are fungible).
                yield [socket(endpoint["addresses"][0], ports[0]), endpoint.get("nodeName") or "", state, bool(hints)]


def _state(conditions: Mapping[str, Any]) -> str:
    if conditions.get("ready", True) is not False:
        return "ready"
    return "terminating" if conditions.get("serving") and conditions.get("terminating") else ""


# ---- what that means for one node ----------------------------------------------------------------------------------


def servers(rows: Iterable[Mapping[str, Any]], node: str) -> list[Server]:
    """What one node must serve.

    :param rows: of :func:`read_services`.
    :param node: the node's name, for traffic policy Local.
    """
    found: list[Server] = []
    for row in rows:
        everywhere = _chosen(row["endpoints"])
        here = _chosen([one for one in row["endpoints"] if one[1] == node])
        # Hints leave a node a part of the end points, which the API does not tell by itself.
        some = frozenset() if any(one[3] for one in row["endpoints"]) else everywhere
        inside = (here, here) if row["internal_local"] else (some, everywhere)
        # Traffic of the node's own pods goes to all end points, Local or not, so these may be there.
        outside = (here, everywhere | here) if row["external_local"] else (some, everywhere)
        for places, port, (must, may) in (
            (row["cluster_ips"], row["port"], inside),
            (row["external_ips"], row["port"], outside),
            ([ANY] if row["node_port"] else [], row["node_port"], outside),
        ):
            found += [Server(row["service"], row["protocol"], place, port, must, may) for place in places]
    return found


def _chosen(endpoints: Sequence[Sequence[Any]]) -> frozenset[str]:
    """The ready end points; where there are none, those that serve while they end."""
    ready = frozenset(one[0] for one in endpoints if one[2] == "ready")
    return ready or frozenset(one[0] for one in endpoints if one[2] == "terminating")
