# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which connections prove that a cluster's network works, and what their answers mean.

The pods run ``agnhost netexec``, whose ``/dial`` opens a connection from inside a pod; ``agnhost connect`` is started
in them (k8s.io/kubernetes test/images/agnhost).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import pulled_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMESPACE = "netops-connectivity"
NAME = "connectivity"
# A second pod on every node, and one in the network of the node itself.
BESIDE = "connectivity-beside"
ON_NODE = "connectivity-node"
CONTAINER = "agnhost"
HTTP_PORT = 8080
UDP_PORT = 8081
SERVICE_PORT = 80
# In so many nodes each pod tries all others; in more, some, so that the work grows with the nodes and not their pairs.
ALL_PAIRS = 17
# More than one packet of any MTU. What is sent by TCP must not be cut into pieces on its way (DF).
LARGE_BYTES = 20_000
# agnhost reads so much of a datagram.
LONGEST_DATAGRAM = 2000
HEADERS = {4: 20 + 8, 6: 40 + 8}
CONNECT_SECONDS = 5

ACROSS = "pod to pod"
SAME_NODE = "pod to pod of its node"
LARGE = "large transfers"
FULL = "packets of the MTU"
SERVICE = "Service by address"
SERVICE_NAME = "Service by name"
NODE_PORT = "NodePort"
FROM_NODE = "node to pod"
OUTSIDE = "outside"
RESOLVED = "name"


@dataclass(frozen=True)
class Pod:
    """One test pod, with its addresses of both families where it has them."""

    name: str
    node_name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """One connection.

    :param what: the kind of proof, a constant of this module.
    :param source: the pod that connects.
    :param target: what it connects to, in a user's words.
    :param protocol: ``http`` or ``udp`` by ``/dial``, ``connect`` by ``agnhost connect`` (TCP), or ``name`` where only
        the answer of the DNS counts.
    :param message: what is sent to be sent back; empty: a plain request.
    """

    what: str
    source: Pod
    target: str
    host: str
    port: int
    protocol: str
    message: str = ""

    @property
    def kind(self) -> str:
        """The kind of proof as the summary counts it."""
        words = [{"http": "TCP", "udp": "UDP"}.get(self.protocol, "") if self.what in BOTH else ""]
        words += ["IPv6"] if ":" in self.host else []
        told = ", ".join(filter(None, words))
        return f"{self.what} ({told})" if told else self.what

    @property
    def query(self) -> dict[str, str]:
        """The parameters of ``/dial``."""
        protocol = "http" if self.protocol == "name" else self.protocol
        asked = {"http": f"echo?msg={self.message}", "udp": f"echo {self.message}"}
        request = asked[protocol] if self.message else "hostname"
        return {"host": self.host, "port": str(self.port), "protocol": protocol, "request": request, "tries": "1"}

    @property
    def command(self) -> list[str]:
        """What connects when it is started in the source, and prints why it could not."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return ["/agnhost", "connect", f"--timeout={CONNECT_SECONDS}s", f"{host}:{self.port}"]


BOTH = {ACROSS, SAME_NODE}


@dataclass(frozen=True)
class Verdict:
    """What a check showed.

    :param answered: whether the pod that was to connect said something, and not the API server before it alone.
    :param tried: whether there was time for it; one that was not tried shows nothing.
    """

    check: Check
    passed: bool
    seen: str
    answered: bool = True
    tried: bool = True


def untried(check: Check) -> Verdict:
    """The verdict on a check that nobody had time for."""
    return Verdict(check, False, "not tried: the time is over", answered=False, tried=False)


@dataclass(frozen=True)
class Wishes:
    """What a user wants to be proven beyond the usual.

    :param names: further names that must resolve.
    :param outside: TCP servers outside the cluster, ``HOST:PORT``.
    :param mtu: the MTU that pods are to have, in bytes; 0: packets of that size are not tried.
    """

    names: tuple[str, ...] = ()
    outside: tuple[tuple[str, int], ...] = ()
    mtu: int = 0


def objects(image: str, pull_secrets: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The test pods, three on every node, and the Service before the first of them.

    :param pull_secrets: names of Secrets beside the pods.
    """
    pulled = pulled_by(pull_secrets)
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            # One pod of each node is in the node's own network.
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "type": "NodePort",
                "ipFamilyPolicy": "PreferDualStack",
                "selector": {"app": NAME},
                "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": HTTP_PORT, "protocol": "TCP"}],
            },
        },
        _daemon_set(NAME, _server(image), **pulled),
        _daemon_set(BESIDE, _server(image), **pulled),
        _daemon_set(ON_NODE, {"name": CONTAINER, "image": image, "args": ["pause"]}, hostNetwork=True, **pulled),
    ]


def _server(image: str) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "udp", "containerPort": UDP_PORT, "protocol": "UDP"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": HTTP_PORT},
            "periodSeconds": 2,
            # On a busy node one second, the default, keeps pods from being ready that answer.
            "timeoutSeconds": 5,
        },
    }


def _daemon_set(name: str, container: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        **spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }


def pods_of(listed: Sequence[Mapping[str, Any]], name: str) -> list[Pod]:
    """The test pods of one DaemonSet that run, in the order of their nodes.

    :param listed: the API's list.
    """
    pods = [
        Pod(pod["metadata"]["name"], pod["spec"]["nodeName"], tuple(one["ip"] for one in pod["status"]["podIPs"]))
        for pod in listed
        if pod["metadata"]["labels"].get("app") == name
        and pod["status"].get("podIPs")
        and not pod["metadata"].get("deletionTimestamp")
    ]
    return sorted(pods, key=lambda pod: pod.node_name)


def distances(count: int) -> list[int]:
    """How far on, in the ring of all nodes, the others are that each node tries.

    With few nodes all of them; else 1, 2, 4 and so on: every node is tried as often as it tries, and from everywhere.
    """
    if count <= ALL_PAIRS:
        return list(range(1, count))
    return [2**power for power in range(count.bit_length()) if 2**power < count]


@dataclass(frozen=True)
class Stage:
    """What is there for the test.

    :param pods: of the first DaemonSet, which connect and are connected to.
    :param beside: a further one on each node.
    :param on_nodes: in the nodes' own networks.
    :param service: the test Service as the API has it.
    :param nodes: each node's addresses by name.
    """

    pods: Sequence[Pod]
    beside: Sequence[Pod]
    on_nodes: Sequence[Pod]
    service: Mapping[str, Any]
    nodes: Mapping[str, Sequence[str]]


def plan(stage: Stage, wishes: Wishes) -> list[Check]:
    """Every connection to try."""
    names = sorted(stage.nodes)
    others = {
        name: [names[(number + away) % len(names)] for away in distances(len(names))]
        for number, name in enumerate(names)
    }
    by_node = {pod.node_name: pod for pod in stage.pods}
    beside = {pod.node_name: pod for pod in stage.beside}
    checks: list[Check] = []
    for pod in stage.pods:
        away = others.get(pod.node_name, [])
        checks += _between(pod, [by_node[name] for name in away if name in by_node], wishes.mtu)
        checks += _to_pod(SAME_NODE, pod, beside.get(pod.node_name))
        checks += _to_service(pod, stage.service)
        checks += _to_nodes(pod, away, stage)
        checks += [Check(OUTSIDE, pod, f"{host}:{port}", host, port, "connect") for host, port in wishes.outside]
        checks += [Check(RESOLVED, pod, name, name, SERVICE_PORT, "name") for name in wishes.names]
    for pod in stage.on_nodes:
        targets = [by_node[name] for name in (pod.node_name, *others.get(pod.node_name, [])) if name in by_node]
        checks += [
            Check(FROM_NODE, pod, f"pod on {target.node_name}", address, HTTP_PORT, "connect")
            for target in targets
            for address in _common(pod, target.addresses)
        ]
    return checks


def _common(pod: Pod, addresses: Sequence[str]) -> list[str]:
    """Those of the addresses whose family the pod has too."""
    families = {family_of(own) for own in pod.addresses}
    return [address for address in addresses if family_of(address) in families]


def family_of(address: str) -> int:
    """4 or 6."""
    return ipaddress.ip_address(address).version


def _between(pod: Pod, others: Sequence[Pod], mtu: int) -> Iterator[Check]:
    for other in others:
        yield from _to_pod(ACROSS, pod, other)
        target = f"pod on {other.node_name}"
        for address in _common(pod, other.addresses):
            yield Check(LARGE, pod, target, address, HTTP_PORT, "http", "x" * LARGE_BYTES)
            if mtu:
                size = min(mtu - HEADERS[family_of(address)], LONGEST_DATAGRAM) - len("echo ")
                yield Check(FULL, pod, target, address, UDP_PORT, "udp", "x" * size)


def _to_pod(what: str, pod: Pod, other: Pod | None) -> Iterator[Check]:
    for address in _common(pod, other.addresses) if other else []:
        target = f"pod on {other.node_name}" if other else ""
        yield Check(what, pod, target, address, HTTP_PORT, "http")
        yield Check(what, pod, target, address, UDP_PORT, "udp")


def _to_service(pod: Pod, service: Mapping[str, Any]) -> Iterator[Check]:
    spec = service["spec"]
    for address in _common(pod, spec.get("clusterIPs") or [spec["clusterIP"]]):
        yield Check(SERVICE, pod, "Service", address, SERVICE_PORT, "http")
    host = f"{NAME}.{NAMESPACE}.svc"
    yield Check(SERVICE_NAME, pod, host, host, SERVICE_PORT, "http")


def _to_nodes(pod: Pod, away: Sequence[str], stage: Stage) -> Iterator[Check]:
    spec = stage.service["spec"]
    families = {family_of(address) for address in spec.get("clusterIPs") or [spec["clusterIP"]]}
    for name in away:
        for address in _common(pod, stage.nodes[name]):
            if family_of(address) in families:
                yield Check(NODE_PORT, pod, f"node {name}", address, spec["ports"][0]["nodePort"], "http")


def judge(check: Check, answer: Any, refused: str = "") -> Verdict:
    """What an answer of ``/dial`` means.

    :param answer: its JSON.
    :param refused: what the API server said instead; agnhost answers so when a name does not resolve.
    """
    if refused:
        return Verdict(check, False, refused, answered=False)
    if not isinstance(answer, dict):
        return Verdict(check, False, f"no answer of agnhost: {str(answer)[:200]}")
    if check.protocol == "name":
        return Verdict(check, True, "it resolves")
    if not answer.get("responses"):
        return Verdict(check, False, "; ".join(answer.get("errors") or ["no answer"]))
    said = str(answer["responses"][0])
    if not check.message:
        return Verdict(check, True, said)
    return Verdict(check, len(said) == len(check.message), f"{len(said)} of {len(check.message)} bytes came back")


def judge_program(check: Check, code: int, output: str) -> Verdict:
    """What the end of ``agnhost connect`` means."""
    words = " ".join(output.split())[:200]
    return Verdict(check, code == 0, words or ("connected" if code == 0 else f"agnhost ended with {code}"))


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """One line for each kind of proof."""
    kinds = list(dict.fromkeys(verdict.check.kind for verdict in verdicts))
    lines = []
    for kind in kinds:
        own = [verdict for verdict in verdicts if verdict.check.kind == kind]
        passed = sum(verdict.passed for verdict in own)
        lines.append(f"{kind}: {passed} of {len(own)} connections work")
    return lines


def matrix(verdicts: Sequence[Verdict]) -> dict[str, dict[str, str]]:
    """From which node to what: ``works``, or what does not, by the source's node and the target."""
    cells: dict[str, dict[str, list[str]]] = {}
    for verdict in verdicts:
        check = verdict.check
        row = cells.setdefault(check.source.node_name, {})
        row.setdefault(check.target, []).extend([] if verdict.passed else [f"{check.kind}: {verdict.seen}"])
    return {
        node: {target: "; ".join(failed) or "works" for target, failed in row.items()} for node, row in cells.items()
    }
