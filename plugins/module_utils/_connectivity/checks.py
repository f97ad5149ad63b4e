# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which connections prove that a cluster's network works, and what their answers mean.

The pods run ``agnhost netexec``, whose ``/dial`` opens a connection from inside a pod (k8s.io/kubernetes
test/images/agnhost/netexec).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "netops-connectivity"
NAME = "connectivity"
HTTP_PORT = 8080
UDP_PORT = 8081
SERVICE_PORT = 80
LABELS = {"app": NAME}


@dataclass(frozen=True)
class Pod:
    """One test pod."""

    name: str
    node_name: str
    address: str


@dataclass(frozen=True)
class Check:
    """One connection from inside a pod.

    :param what: the kind of proof, as the summary counts it.
    :param source: the pod that connects.
    :param protocol: ``http``, ``udp``, or ``name`` where only the answer of the DNS counts.
    """

    what: str
    source: Pod
    target: str
    host: str
    port: int
    protocol: str

    @property
    def query(self) -> dict[str, str]:
        """The parameters of ``/dial``."""
        protocol = "http" if self.protocol == "name" else self.protocol
        return {
            "host": self.host,
            "port": str(self.port),
            "protocol": protocol,
            "request": "hostname",
            "tries": "1",
        }


@dataclass(frozen=True)
class Verdict:
    """What a check showed."""

    check: Check
    passed: bool
    seen: str


def objects(image: str) -> list[dict[str, Any]]:
    """The test pods, one on every node, and the Service before them."""
    place = {"name": NAME, "namespace": NAMESPACE}
    ports = [
        {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
        {"name": "udp", "containerPort": UDP_PORT, "protocol": "UDP"},
    ]
    container = {
        "name": "agnhost",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"],
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": HTTP_PORT}, "periodSeconds": 2},
    }
    pod = {
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {
                "type": "NodePort",
                "selector": LABELS,
                "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": HTTP_PORT, "protocol": "TCP"}],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": place,
            "spec": {
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": pod},
            },
        },
    ]


def pods_of(listed: Sequence[Mapping[str, Any]]) -> list[Pod]:
    """The test pods that run, out of the API's list."""
    return [
        Pod(pod["metadata"]["name"], pod["spec"]["nodeName"], pod["status"]["podIP"])
        for pod in listed
        if pod["status"].get("podIP") and not pod["metadata"].get("deletionTimestamp")
    ]


def plan(
    pods: Sequence[Pod], service: Mapping[str, Any], nodes: Mapping[str, str], names: Sequence[str]
) -> list[Check]:
    """Every connection to try.

    :param service: the test Service as the API has it.
    :param nodes: each node's address by name.
    :param names: further names that must resolve.
    """
    cluster_ip = service["spec"]["clusterIP"]
    node_port = service["spec"]["ports"][0]["nodePort"]
    checks: list[Check] = []
    for pod in pods:
        for other in pods:
            if other.node_name != pod.node_name:
                target = f"pod on {other.node_name}"
                checks.append(Check("pod to pod (TCP)", pod, target, other.address, HTTP_PORT, "http"))
                checks.append(Check("pod to pod (UDP)", pod, target, other.address, UDP_PORT, "udp"))
        checks.append(Check("Service by address", pod, "Service", cluster_ip, SERVICE_PORT, "http"))
        host = f"{NAME}.{NAMESPACE}.svc"
        checks.append(Check("Service by name", pod, host, host, SERVICE_PORT, "http"))
        for node_name, address in nodes.items():
            if node_name != pod.node_name:
                checks.append(Check("NodePort", pod, f"node {node_name}", address, node_port, "http"))
        checks += [Check("name", pod, name, name, SERVICE_PORT, "name") for name in names]
    return checks


def judge(check: Check, answer: Any, refused: str = "") -> Verdict:
    """What an answer of ``/dial`` means.

    :param answer: its JSON.
    :param refused: what the API server said instead; agnhost answers so when a name does not resolve.
    """
    if refused:
        return Verdict(check, False, refused)
    if not isinstance(answer, dict):
        return Verdict(check, False, f"no answer of agnhost: {str(answer)[:200]}")
    if check.protocol == "name":
        return Verdict(check, True, "it resolves")
    if answer.get("responses"):
        return Verdict(check, True, str(answer["responses"][0]))
    return Verdict(check, False, "; ".join(answer.get("errors") or ["no answer"]))


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """One line for each kind of proof."""
    kinds = list(dict.fromkeys(verdict.check.what for verdict in verdicts))
    lines = []
    for kind in kinds:
        own = [verdict for verdict in verdicts if verdict.check.what == kind]
        passed = sum(verdict.passed for verdict in own)
        lines.append(f"{kind}: {passed} of {len(own)} connections work")
    return lines
