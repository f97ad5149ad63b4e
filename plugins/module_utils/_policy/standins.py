# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Throw-away pods that stand for workloads, the connections between them, and what their ends say: pure.

A stand-in bears a workload's labels and serves its ports, so policies take it for that workload. Nobody else may:

- it names its namespace as its controller, so that no ReplicaSet or StatefulSet adopts it by its labels;
- it waits for a readiness gate that nobody opens, so that no Service sends it anything;
- it ends by itself, should nobody come back to remove it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import pulled_by
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import family_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import ALLOWED, DENIED, UNDEFINED
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    FIRST_PORT,
    LAST_PORT,
    NamedPort,
    PodPeer,
    PolicyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import Executed
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
        Inventory,
        Labels,
        Pod,
        Policy,
        Selector,
    )

MARK = "netops.kubernetes/stand-in"
GATE = "netops.kubernetes/stands-in"
PROTOCOLS = ("TCP", "UDP")
# Every one connects to every other: their connections grow with the square.
MOST = 50
LIFETIME_SECONDS = 3600
# How long an open connection may take to open.
CONNECT_SECONDS = 2
UNKNOWN = "unknown"


@dataclass(frozen=True)
class StandIn:
    """One throw-away pod.

    :param name: empty until it is decided.
    :param stands_for: the workload, for people.
    :param ports: which it serves.
    """

    namespace: str
    labels: Labels
    ports: tuple[NamedPort, ...]
    stands_for: str
    name: str = ""


@dataclass(frozen=True)
class Connection:
    """One connection to try."""

    source: Pod
    destination: Pod
    address: str
    protocol: str
    port: int

    @property
    def family(self) -> int:
        return family_of(self.address)

    @property
    def command(self) -> list[str]:
        """What opens it inside the source, and prints why it did not open (agnhost connect)."""
        host = f"[{self.address}]" if self.family == 6 else self.address
        limit = f"--timeout={CONNECT_SECONDS}s"
        return ["/agnhost", "connect", f"--protocol={self.protocol.lower()}", limit, f"{host}:{self.port}"]


@dataclass(frozen=True)
class Seen:
    """How a connection ended: allowed, denied, or unknown when it could not be tried."""

    verdict: str
    words: str


@dataclass(frozen=True)
class Comparison:
    """What policies say of a connection beside what became of it."""

    source: str
    destination: str
    protocol: str
    port: int
    family: int
    predicted: str
    observed: str
    seen: str
    why: str

    @property
    def agrees(self) -> bool:
        """Where the specification leaves it open, whatever was seen is right."""
        return self.observed == self.predicted or (self.predicted == UNDEFINED and self.observed != UNKNOWN)

    def __str__(self) -> str:
        return (
            f"{self.source} to {self.destination} at {self.protocol} {self.port} over IPv{self.family}: "
            f"predicted {self.predicted}, observed {self.observed} ({self.seen}); {self.why or 'no policy'}"
        )

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        return asdict(self)


# ---- who stands for whom -----------------------------------------------------------------------------------------


def chosen(
    inventory: Inventory, namespaces: Sequence[str], given: Sequence[Mapping[str, Any]], ports: Sequence[NamedPort]
) -> list[StandIn]:
    """The stand-ins to make.

    :param namespaces: whose workloads are stood for: one pod for all that policies cannot tell apart by their labels.
    :param given: further ones, each with namespace, labels and ports.
    :param ports: that each serves beside its own.
    :raises PolicyError: a namespace is not there, or they are none, one or too many.
    """
    for name in [*namespaces, *(one["namespace"] for one in given)]:
        if name not in inventory.namespaces:
            raise PolicyError(f"namespace {name!r}", "it is not there", "an existing one", "Correct its name")
    keys = mentioned_keys(inventory.policies)
    found: dict[object, StandIn] = {}
    for pod in inventory.pods:
        if pod.namespace in namespaces and not pod.host_network and MARK not in pod.labels:
            told_apart = frozenset((key, value) for key, value in pod.labels.items() if key in keys)
            one = StandIn(pod.namespace, pod.labels, _served(pod.ports, ports), str(pod))
            found.setdefault((pod.namespace, told_apart, frozenset(pod.ports)), one)
    for number, asked in enumerate(given):
        own = tuple(NamedPort(one["name"] or "", one["protocol"], _number(one["port"])) for one in asked["ports"])
        labels = {str(key): str(value) for key, value in asked["labels"].items()}
        told = ", ".join(f"{key}={value}" for key, value in labels.items()) or "no labels"
        found[number] = StandIn(asked["namespace"], labels, _served(own, ports), f"{asked['namespace']} ({told})")
    if len(found) < 2:
        text = "they are none" if not found else f"there is only {next(iter(found.values())).stands_for}"
        raise PolicyError(
            "workloads to stand for",
            text,
            "at least two, to connect to each other",
            "Name namespaces with pods that are not on their node's network, or workloads",
        )
    if len(found) > MOST:
        raise PolicyError(
            "workloads to stand for", f"they are {len(found)}", f"at most {MOST}", "Name fewer namespaces at a time"
        )
    return [StandIn(**{**one.__dict__, "name": f"netops-stand-in-{n}"}) for n, one in enumerate(found.values(), 1)]


def mentioned_keys(policies: Iterable[Policy]) -> set[str]:
    """The keys of labels of pods that any policy looks at."""
    selectors: list[Selector] = []
    for policy in policies:
        selectors.append(policy.subject.pods)
        for rule in policy.rules:
            selectors += [peer.pods for peer in rule.peers or () if isinstance(peer, PodPeer)]
    return {requirement.key for selector in selectors for requirement in selector.requirements}


def asked_ports(given: Sequence[Mapping[str, Any]]) -> list[NamedPort]:
    """Ports as the options name them.

    :raises PolicyError: one is none.
    """
    return [NamedPort("", one["protocol"], _number(one["port"])) for one in given]


def _number(port: int) -> int:
    if not FIRST_PORT <= port <= LAST_PORT:
        raise PolicyError(f"port {port}", "there is no such port", f"a number from {FIRST_PORT} to {LAST_PORT}")
    return port


def _served(own: Sequence[NamedPort], further: Sequence[NamedPort]) -> tuple[NamedPort, ...]:
    """Each port once, a name before none; what is neither TCP nor UDP cannot be tried."""
    found: dict[tuple[str, int], NamedPort] = {}
    for one in sorted([*own, *further], key=lambda port: not port.name):
        if one.protocol in PROTOCOLS:
            found.setdefault((one.protocol, one.number), one)
    return tuple(found.values())


# ---- their pods --------------------------------------------------------------------------------------------------


def pod_of(one: StandIn, image: str, namespace_uid: str, pull_secrets: Sequence[str] = ()) -> Object:
    """The pod of a stand-in.

    :param image: of agnhost.
    :param namespace_uid: of its namespace, which it names as its controller.
    :param pull_secrets: names of Secrets of its namespace.
    """
    by_protocol = [[port for port in one.ports if port.protocol == protocol] for protocol in PROTOCOLS]
    containers = [_container(n, image, *pair) for n, pair in enumerate(zip_longest(*by_protocol))]
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": one.namespace, "uid": namespace_uid, "controller": True}
    apart = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchExpressions": [{"key": MARK, "operator": "Exists"}]},
        "namespaceSelector": {},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": one.name,
            "namespace": one.namespace,
            "labels": {**one.labels, MARK: "true"},
            "ownerReferences": [owner],
        },
        "spec": {
            **pulled_by(pull_secrets),
            "containers": containers,
            "readinessGates": [{"conditionType": GATE}],
            "activeDeadlineSeconds": LIFETIME_SECONDS,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [{"operator": "Exists"}],
            # Over as many nodes as there are: what goes between nodes is enforced elsewhere than what stays.
            "affinity": {
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
                }
            },
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
                # Ports below 1024 without a capability; every pod security level admits this one.
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
        },
    }


def _container(number: int, image: str, tcp: NamedPort | None, udp: NamedPort | None) -> dict[str, Any]:
    """One server has one port of each protocol. It cannot do without one of TCP, and then takes any that is free."""
    words = [f"--http-port={tcp.number if tcp else 0}", f"--udp-port={udp.number if udp else -1}"]
    return {
        "name": f"agnhost-{number}",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", *words],
        "ports": [
            {"containerPort": port.number, "protocol": port.protocol, **({"name": port.name} if port.name else {})}
            for port in (tcp, udp)
            if port
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        # A quota may ask for both; a request of nothing lets them onto full nodes. Programs that connect run here too.
        "resources": {
            "requests": {"cpu": "0", "memory": "16Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
    }


def missing(pods: Sequence[Mapping[str, Any]], count: int) -> str:
    """What keeps the stand-ins from being complete; empty: they all run.

    :param pods: as the API has them.
    """
    reasons = [] if len(pods) >= count else [f"{count - len(pods)} of {count} pods are not there any more"]
    for pod in pods:
        status = pod.get("status") or {}
        conditions = {one["type"]: one for one in status.get("conditions") or []}
        if status.get("podIP") and (conditions.get("ContainersReady") or {}).get("status") == "True":
            continue
        waiting = [
            f"{state['reason']}: {state.get('message') or ''}".rstrip(": ")
            for container in status.get("containerStatuses") or []
            if (state := (container.get("state") or {}).get("waiting")) and state.get("reason")
        ]
        scheduled = conditions.get("PodScheduled") or {}
        if scheduled.get("status") == "False":
            waiting.append(str(scheduled.get("message")))
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        reasons.append(f"{name}: {'; '.join(waiting) or 'phase ' + str(status.get('phase'))}")
    return " | ".join(reasons[:5])


# ---- their connections -------------------------------------------------------------------------------------------


def connections(pods: Sequence[Pod]) -> list[Connection]:
    """From every stand-in to every port of every other, in each family of addresses that both have.

    Neighbours in the list have different sources, so that one pod does not open many at once.
    """
    pairs = [(pods[n - away], pods[n]) for away in range(1, len(pods)) for n in range(len(pods))]
    return [
        Connection(source, destination, address, port.protocol, port.number)
        for source, destination in pairs
        for address in destination.addresses
        if any(family_of(own) == family_of(address) for own in source.addresses)
        for port in destination.ports
    ]


def judged(done: Executed) -> Seen:
    """What the end of ``agnhost connect`` means.

    Every port that is tried is served, so a refusal is a policy's doing as well: some reject instead of dropping.
    """
    words = " ".join(done.output.split())[:200]
    if done.code == 0:
        return Seen(ALLOWED, "connected")
    kind = words.partition(":")[0]
    if kind in {"TIMEOUT", "REFUSED", "OTHER"}:
        return Seen(DENIED, words)
    return Seen(UNKNOWN, words or f"agnhost ended with {done.code}")


def summary(comparisons: Sequence[Comparison], pods: int) -> list[str]:
    """The whole test in a few lines."""
    agreed = [one for one in comparisons if one.agrees]
    lines = [f"{pods} pods, {len(comparisons)} connections: {len(agreed)} as predicted"]
    for predicted in (ALLOWED, DENIED, UNDEFINED):
        own = [one for one in comparisons if one.predicted == predicted]
        if own:
            seen = sum(one.observed == ALLOWED for one in own)
            lines.append(f"{predicted}: {len(own)} predicted, {seen} of them connected")
    return lines


def failure(comparisons: Sequence[Comparison]) -> str:
    """The message about disagreements; at most ten are named. Empty: there is none."""
    wrong = [one for one in comparisons if not one.agrees]
    if not wrong:
        return ""
    named = " | ".join(map(str, wrong[:10]))
    return str(
        PolicyError(
            "enforcement of policies",
            f"{len(wrong)} of {len(comparisons)} connections end otherwise than the policies say: {named}",
            "none",
            "Look whether the CNI enforces policies on the nodes of these pods, and what not_evaluated names",
        )
    )
