# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""CoreDNS where it runs: the workload that mounts a Corefile's ConfigMap, its pods, and the Services before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.reloading import (
    Saying,
    complaints,
    hash_in_metrics,
    of_log,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import storage
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

DNS_PORT = 53
# kubeadm's and kubespray's manifests, and plugin prometheus' own default.
METRICS_PORT = 9153
COMPLAINTS_SHOWN = 3
LOG_LINES = 500


class RolloutError(NetopsError):
    """CoreDNS does not do what the Corefile wants."""


@dataclass(frozen=True)
class Place:
    """Which Corefile: a key of a ConfigMap."""

    ref: ObjectRef
    key: str

    def read(self, client: KubeClient) -> tuple[Object, str]:
        """The ConfigMap and the Corefile in it.

        :raises CorefileError: there is no such ConfigMap or key.
        """
        live = client.get(self.ref)
        if live is None or self.key not in (live.get("data") or {}):
            raise CorefileError(
                str(self.ref), f"it is not there, or has no key {self.key}", "the ConfigMap that CoreDNS reads"
            )
        return live, str(live["data"][self.key])


@dataclass(frozen=True)
class Workload:
    """The Deployment or DaemonSet of CoreDNS."""

    live: Object

    @property
    def ref(self) -> ObjectRef:
        return ref_of(self.live)

    @property
    def template(self) -> Mapping[str, Any]:
        template: Mapping[str, Any] = self.live["spec"]["template"]
        return template

    @property
    def container(self) -> str:
        """The name of the container that runs CoreDNS; the first where none can be told by its image."""
        found = storage.container_of(self.live) or self.template["spec"]["containers"][0]
        return str(found["name"])

    @property
    def service_account(self) -> str:
        """Under which its pods ask the API."""
        return str(self.template["spec"].get("serviceAccountName") or "default")

    def pods(self, client: KubeClient) -> list[Object]:
        """Its pods, those that are being deleted left out."""
        labels = self.live["spec"]["selector"].get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        pods = client.list("v1", "Pod", self.ref.namespace, selector)
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def addresses(self, client: KubeClient) -> tuple[str, ...]:
        """Where it is asked: the cluster addresses of the Services before its pods.

        :raises RolloutError: there is none.
        """
        labels = (self.template["metadata"].get("labels") or {}).items()
        found = [
            address
            for service in client.list("v1", "Service", self.ref.namespace)
            if (service["spec"].get("selector") or {}).items() <= labels and service["spec"].get("selector")
            if any(port["port"] == DNS_PORT for port in service["spec"].get("ports") or ())
            for address in service["spec"].get("clusterIPs") or ()
            if address != "None"
        ]
        if not found:
            raise RolloutError(
                str(self.ref), "no Service of port 53 stands before its pods", "one, such as kube-system/kube-dns"
            )
        return tuple(dict.fromkeys(found))


def find_workload(client: KubeClient, place: Place) -> Workload:
    """The workload that mounts the ConfigMap.

    :raises RolloutError: there is none.
    """
    for live in storage.workloads_that_mount(client, place.ref.namespace, place.ref.name):
        return Workload(live)
    raise RolloutError(
        str(place.ref), "no Deployment and no DaemonSet mounts it", "the one that runs CoreDNS", "Name its ConfigMap"
    )


def saying(client: KubeClient, pod: Mapping[str, Any], container: str) -> Saying:
    """What a pod's CoreDNS says of its Corefile.

    The log tells what it runs with. Where the log has lost that, the metrics tell, from the first reload on. Of a text
    that was refused, only the metrics tell which one it was.
    """
    said = of_log(_log(client, pod, container))
    if said.running and not said.refusal:
        return said
    path = (
        f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}:{METRICS_PORT}/proxy/metrics"
    )
    try:
        read = hash_in_metrics(str(client.raw("GET", path)))
    except KubeError:
        # Plugin prometheus is not there, or the API server does not reach pods.
        read = ""
    return Saying(read or said.running, said.refusal)


def what_is_wrong(client: KubeClient, workload: Workload) -> list[str]:
    """What the pods complain of, this run's and the one before, with the pod and its node before each line."""
    lines = []
    for pod in workload.pods(client):
        where = f"{pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}"
        texts = [_log(client, pod, workload.container, previous=previous) for previous in (True, False)]
        lines += [f"{where}: {line}" for line in complaints("\n".join(texts), COMPLAINTS_SHOWN)]
    return lines


def _log(client: KubeClient, pod: Mapping[str, Any], container: str, *, previous: bool = False) -> str:
    """A container's log; empty where the kubelet does not have it."""
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
    query = {"container": container, **({"previous": "true", "tailLines": str(LOG_LINES)} if previous else {})}
    try:
        return str(client.raw("GET", path, query=query))
    except KubeError:
        return ""
