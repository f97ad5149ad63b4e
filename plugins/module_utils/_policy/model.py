# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What policies, pods, namespaces and nodes are, once read: one form for every kind of policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

INGRESS, EGRESS = "ingress", "egress"
DIRECTIONS = (INGRESS, EGRESS)
PROTOCOLS = ("TCP", "UDP", "SCTP")
FIRST_PORT, LAST_PORT = 1, 65535
NAME_LABEL = "kubernetes.io/metadata.name"
ALLOW, DENY, PASS = "allow", "deny", "pass"
# In the order in which they decide.
ADMIN, NAMESPACED, BASELINE = "admin", "namespaced", "baseline"

Labels = Mapping[str, str]


class PolicyError(NetopsError):
    """A policy that cannot be read, or a baseline that cannot be applied; the text names the object."""


@dataclass(frozen=True)
class Requirement:
    """One condition on a label; ``operator`` is In, NotIn, Exists or DoesNotExist (apimachinery's label selectors)."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Labels) -> bool:
        """Whether labels meet it; NotIn is met by labels without the key."""
        if self.operator == "In":
            return self.key in labels and labels[self.key] in self.values
        if self.operator == "NotIn":
            return self.key not in labels or labels[self.key] not in self.values
        return (self.key in labels) == (self.operator == "Exists")

    def __str__(self) -> str:
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        if self.operator in {"In", "NotIn"}:
            return f"{self.key} {'in' if self.operator == 'In' else 'not in'} ({', '.join(self.values)})"
        return self.key if self.operator == "Exists" else f"!{self.key}"


@dataclass(frozen=True)
class Selector:
    """Labels that must all be met; without requirements it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        return all(one.holds(labels) for one in self.requirements)

    def __str__(self) -> str:
        return ", ".join(map(str, self.requirements)) or "all"


EVERYTHING = Selector()


@dataclass(frozen=True)
class PodPeer:
    """Pods by labels, in one namespace by name (``namespaces`` is ``None``) or in namespaces by labels."""

    pods: Selector = EVERYTHING
    namespaces: Optional[Selector] = None
    namespace: str = ""

    def __str__(self) -> str:
        place = f"namespace {self.namespace}" if self.namespaces is None else f"namespaces ({self.namespaces})"
        return f"pods ({self.pods}) of {place}"


@dataclass(frozen=True)
class BlockPeer:
    """Addresses by network, less those of ``exceptions``."""

    network: str
    exceptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.network + (f" except {', '.join(self.exceptions)}" if self.exceptions else "")


@dataclass(frozen=True)
class NodePeer:
    """Addresses of nodes by their labels."""

    nodes: Selector

    def __str__(self) -> str:
        return f"nodes ({self.nodes})"


@dataclass(frozen=True)
class DomainPeer:
    """Addresses by DNS name: which ones is not known here."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"domain names {', '.join(self.names)}"


Peer = Union[PodPeer, BlockPeer, NodePeer, DomainPeer]


@dataclass(frozen=True)
class PortMatch:
    """Ports of a protocol by number, or by the name that the destination pod gives one of its ports.

    :param protocol: empty with a name: of any protocol.
    """

    protocol: str
    low: int = FIRST_PORT
    high: int = LAST_PORT
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return f"{self.protocol or 'any protocol'} {self.name!r}"
        if (self.low, self.high) == (FIRST_PORT, LAST_PORT):
            return self.protocol
        return f"{self.protocol} {self.low}" + (f"-{self.high}" if self.high != self.low else "")


@dataclass(frozen=True)
class Rule:
    """One rule of a policy.

    :param peers: who is on the other side; ``None`` is everybody.
    :param ports: ports of the destination; ``None`` is every port of every protocol.
    :param path: where it stands in its policy, such as ``ingress[0]``.
    """

    direction: str
    action: str
    peers: Optional[tuple[Peer, ...]]
    ports: Optional[tuple[PortMatch, ...]]
    path: str
    name: str = ""


@dataclass(frozen=True)
class Defect:
    """What is wrong with a policy as it is written.

    :param check: the id of the check that reports it, see ``checks``.
    :param path: where in the object.
    """

    check: str
    path: str
    text: str


@dataclass(frozen=True)
class Policy:
    """A NetworkPolicy, ClusterNetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy.

    :param directions: for which it isolates its subject; only a NetworkPolicy isolates.
    :param priority: within a tier, the smaller decides first.
    """

    ref: ObjectRef
    tier: str
    subject: PodPeer
    directions: tuple[str, ...]
    rules: tuple[Rule, ...]
    priority: int = 0
    defects: tuple[Defect, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class NamedPort:
    """A container's port; ``name`` may be empty."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Pod:
    """A pod, or the pods that a workload would make (``kind`` is the workload's, and there are no addresses).

    :param calls_api: whether it has an account of its own for the API server.
    """

    namespace: str
    name: str
    labels: Labels
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    ports: tuple[NamedPort, ...] = ()
    node: str = ""
    kind: str = "Pod"
    workload: str = ""
    calls_api: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.kind == "Pod" else f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True)
class Node:
    """A node with all of its addresses."""

    name: str
    labels: Labels
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service; ``target`` is a number, or a name that the pods resolve."""

    name: str
    protocol: str
    number: int
    target: Union[int, str]
    node_port: int = 0


@dataclass(frozen=True)
class Service:
    """A Service.

    :param keeps_source: whether clients from outside come with their own address, not a node's.
    :param selector: ``None`` where it has none: its endpoints are somebody else's work.
    """

    namespace: str
    name: str
    kind: str
    selector: Optional[Selector]
    addresses: tuple[str, ...]
    ports: tuple[ServicePort, ...]
    labels: Labels = field(default_factory=dict)
    keeps_source: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Inventory:
    """All that an evaluation looks at.

    :param namespaces: their labels by name.
    :param unread: policies of kinds that are not evaluated.
    :param others: further objects by kind: what flows are told from.
    """

    namespaces: Mapping[str, Labels]
    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...]
    services: tuple[Service, ...]
    policies: tuple[Policy, ...]
    unread: tuple[ObjectRef, ...] = ()
    others: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
