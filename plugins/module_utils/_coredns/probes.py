# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What is asked of a cluster's DNS to prove it, and the Services that are made for that and go again."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import RECORDS, WORD, Question
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    MANAGER,
    ObjectRef,
    ref_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

LABEL = "netops.kubernetes/dns-probe"
API = ObjectRef("v1", "Service", "kubernetes", "default")
# Nobody connects to them: documentation addresses (RFC 5737, RFC 3849).
ENDPOINTS = {"IPv4": "192.0.2.53", "IPv6": "2001:db8::53"}
# A run that was killed leaves its Services; who is older than this is nobody's any more.
STALE_SECONDS = 900.0
DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Probes:
    """Services of one run.

    :param run: what tells them from those of others.
    """

    run: str
    namespace: str

    @property
    def headless(self) -> str:
        return f"netops-dns-headless-{self.run}"

    @property
    def external(self) -> str:
        return f"netops-dns-external-{self.run}"

    def objects(self, family: str, domain: str) -> list[Object]:
        """A headless Service with an address of its own, and one that is another name for the API's."""
        labels = {LABEL: self.run}
        port = {"name": "dns", "port": 53, "protocol": "TCP"}
        slice_labels = {**labels, "kubernetes.io/service-name": self.headless}
        return [
            self._object("v1", "Service", self.headless, labels, spec={"clusterIP": "None", "ports": [port]}),
            self._object(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                self.headless,
                slice_labels,
                addressType=family,
                endpoints=[{"addresses": [ENDPOINTS[family]], "conditions": {"ready": True}}],
                ports=[port | {"protocol": "TCP"}],
            ),
            self._object(
                "v1",
                "Service",
                self.external,
                labels,
                spec={"type": "ExternalName", "externalName": f"{API.name}.{API.namespace}.svc.{domain}"},
            ),
        ]

    def _object(self, api_version: str, kind: str, name: str, labels: dict[str, str], **content: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def cluster_domain(corefile: str) -> str:
    """The zone in which plugin ``kubernetes`` answers for Services."""
    for block in parse(corefile).servers:
        for directive in block.directives:
            zones = [zone for zone in directive.arguments if not zone.rstrip(".").endswith(".arpa")]
            if directive.name == "kubernetes" and zones:
                return zones[0].rstrip(".")
    return DOMAIN


def make(client: KubeClient, namespace: str, domain: str) -> tuple[Probes, list[Question]]:
    """Make the Services of a run, and say what to ask about the cluster."""
    api = client.get(API)
    address = api["spec"]["clusterIP"] if api else ""
    family, kind = ("IPv6", "AAAA") if ":" in address else ("IPv4", "A")
    probes = Probes(secrets.token_hex(3), namespace)
    _remove(client, [one for one in _listed(client, namespace) if _age(one) > STALE_SECONDS])
    apply_all(client, probes.objects(family, domain), force=True, check=False)
    suffix = f"{namespace}.svc.{domain}"
    api_name = f"{API.name}.{API.namespace}.svc.{domain}"
    return probes, [
        Question(api_name, kind, values=(address,) if address else ()),
        Question(f"{probes.headless}.{suffix}", kind, values=(ENDPOINTS[family],)),
        Question(f"{probes.external}.{suffix}", "CNAME", values=(api_name,)),
    ]


def take_away(client: KubeClient, probes: Probes) -> None:
    """Delete the Services of a run."""
    _remove(
        client, [one for one in _listed(client, probes.namespace) if one["metadata"]["labels"][LABEL] == probes.run]
    )


def _listed(client: KubeClient, namespace: str) -> list[Object]:
    kinds = (("v1", "Service"), ("discovery.k8s.io/v1", "EndpointSlice"))
    marked = f"{LABEL},{MANAGED_BY}={MANAGER}"
    return [one for version, kind in kinds for one in client.list(version, kind, namespace, marked)]


def _remove(client: KubeClient, objects: Sequence[Object]) -> None:
    for one in objects:
        client.delete(ref_of(one), propagation="Background")


def _age(obj: Object) -> float:
    made = datetime.datetime.fromisoformat(obj["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()


def about(names: Sequence[str], zones: Sequence[str]) -> list[Question]:
    """What to ask beyond the cluster's own names.

    :param names: each must have an address.
    :param zones: for each somebody who knows it must be reached; not asked where a name lies in it.
    """
    covered = {_zone_of(name, zones) for name in names}
    return [
        *(Question(name, "A", RECORDS) for name in names),
        *(Question(zone, "SOA", WORD) for zone in zones if zone not in covered),
    ]


def _zone_of(name: str, zones: Sequence[str]) -> str:
    """The narrowest of the zones in which a name lies; empty when it lies in none."""
    dotted = f".{name.strip('.').lower()}."
    around = [zone for zone in zones if dotted.endswith("." + f"{zone.strip('.').lower()}.".lstrip("."))]
    return max(around, key=len, default="")
