# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From one CNI to another, node by node: what is known of the cluster and of the switch, and what is left to do.

What a node has is said by a label of it. A node without the label has the CNI that was there when the switch began;
one with the CNI's name as its value has the other; one with ``none`` is between the two. Both CNIs' DaemonSets follow
the label, so a node changes hands by one write, and what a run that was killed left undone can be read from the nodes.

Two ways lead there. *Joined*: both CNIs carry packets in the same VXLAN, so that pods on nodes of the one reach pods
on nodes of the other (upstream's flannel-migration-controller, kube-controllers/pkg/controllers/flannelmigration in
github.com/projectcalico/calico, has shown it for Flannel to Calico; the way back is its mirror image). *Apart*: until
the last node has changed, pods reach only pods on nodes of their own CNI.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Selector

TARGETS = ("calico", "cilium", "flannel")
WAYS = ("joined", "apart")
# On nodes: the CNI, see above.
LABEL = "netops.kubernetes/cni"
BETWEEN = "none"
# On nodes while one is being switched: whether pods could be scheduled there before.
STEP = "netops.kubernetes/cni-switch"
WAS_OPEN, WAS_CORDONED = "open", "cordoned"
# What each CNI's programs note on nodes; the notes go when the CNI has gone.
NODE_NOTES = {
    "calico": "projectcalico.org/",
    "cilium": "network.cilium.io/",
    "flannel": "flannel.alpha.coreos.com/",
    "weave": "weave.works/",
}


class SwitchError(NetopsError):
    """A switch that cannot be made on this cluster as it is."""


@dataclass(frozen=True)
class Record:
    """The switch that is under way, as the cluster keeps it.

    :param default: the CNI of nodes without the label: the one that was there.
    :param other: the one that came.
    :param target: which of the two all nodes are to have. The way back is another target.
    :param way: ``joined`` or ``apart``.
    :param stage: ``nodes``, or ``end`` once every node has the target.
    """

    default: str
    other: str
    target: str
    way: str
    stage: str = "nodes"

    @property
    def source(self) -> str:
        return self.other if self.target == self.default else self.default

    @property
    def target_label(self) -> Optional[str]:
        """The label's value on a node that has the target; nothing stands for no label."""
        return None if self.target == self.default else self.target

    def cni_of(self, label: str) -> str:
        """The CNI of a node by its label; empty between the two."""
        if label == BETWEEN:
            return ""
        return self.other if label == self.other else self.default


@dataclass(frozen=True)
class NodeFacts:
    """A node as the API has it.

    :param label: the value of LABEL; empty without it.
    :param step: the value of STEP; empty unless the node is being switched.
    :param address: its internal IPv4 address.
    """

    name: str
    ready: bool = True
    schedulable: bool = True
    is_control_plane: bool = False
    label: str = ""
    step: str = ""
    pod_cidrs: tuple[str, ...] = ()
    address: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PodFacts:
    """A pod on the pod network.

    :param owner: the kind of its controller; ``Node`` of a static pod, empty without one.
    :param host_ports: ports of the node that lead to it.
    """

    namespace: str
    name: str
    node_name: str
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    host_ports: tuple[int, ...] = ()
    has_empty_dir: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def stays(self) -> bool:
        """Whether draining leaves it: it would come back to the same node."""
        return self.owner in {"DaemonSet", "Node"}


@dataclass(frozen=True)
class BudgetFacts:
    """A PodDisruptionBudget.

    :param expected: how many pods it counts.
    :param desired: how many of them must be healthy.
    """

    namespace: str
    name: str
    selector: Selector
    expected: int
    desired: int

    def covers(self, pod: PodFacts) -> bool:
        return self.namespace == pod.namespace and self.selector.matches(pod.labels)


@dataclass(frozen=True)
class Found:
    """What the cluster is, before anything changes.

    :param installed: the CNIs whose agents are there.
    :param hosts: the nodes that the play reaches.
    :param active: what each of those tells of itself: the CNI that its container runtime uses.
    :param policies: how many there are, by kind.
    :param is_operated: whether Calico's operator keeps its DaemonSet.
    :param replaces_kube_proxy: whether Cilium serves Services and no kube-proxy is there.
    """

    nodes: tuple[NodeFacts, ...]
    pods: tuple[PodFacts, ...]
    installed: tuple[str, ...]
    hosts: tuple[str, ...]
    budgets: tuple[BudgetFacts, ...] = ()
    active: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, int] = field(default_factory=dict)
    is_operated: bool = False
    replaces_kube_proxy: bool = False
    has_kube_proxy: bool = True
    record: Optional[Record] = None


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    :param way: ``joined`` or ``apart``.
    :param delete_unmanaged_pods: whether pods that nobody makes again may go.
    :param accept_unenforced_policies: whether policies may lose their enforcement for good.
    :param settings: those of the target's role.
    """

    target: str
    way: str = "joined"
    delete_unmanaged_pods: bool = False
    accept_unenforced_policies: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


# ---- what is to be done ---------------------------------------------------------------------------------------------


def record_from(said: Mapping[str, Any], subject: str) -> Record:
    """A record out of what was noted.

    :param subject: where it was noted, for the message.
    :raises SwitchError: it is none.
    """
    try:
        return Record(**said)
    except TypeError as error:
        fields = ", ".join(Record.__annotations__)
        raise SwitchError(subject, f"it notes no switch: {error}", f"fields {fields}", "Delete it") from error


def source_of(found: Found, wish: Wish) -> str:
    """The CNI that goes; empty where the target alone is there.

    :raises SwitchError: there is none, or there are more than one and no switch is under way.
    """
    if found.record:
        return found.record.default if wish.target == found.record.other else found.record.other
    others = [cni for cni in found.installed if cni != wish.target]
    if len(others) == 1 and wish.target not in found.installed:
        return others[0]
    if not others and wish.target in found.installed:
        return ""
    told = " and ".join(found.installed)
    raise SwitchError(
        "CNI of the cluster",
        f"agents of {told} are there, and no switch is under way" if told else "no CNI that is known here is there",
        "one of calico, cilium, flannel and weave",
        "Remove what should not be there" if told else f"Install {wish.target} with role netops.kubernetes.cni",
    )


def record_for(found: Found, wish: Wish) -> Record:
    """What the cluster is to keep of this switch: a new one, or the one under way with this target."""
    if found.record is None:
        return Record(source_of(found, wish), wish.target, wish.target, wish.way)
    before = found.record
    stage = before.stage if before.target == wish.target else "nodes"
    return Record(before.default, before.other, wish.target, before.way, stage)


def pending(record: Record, nodes: Iterable[NodeFacts]) -> list[NodeFacts]:
    """The nodes that are to be switched, in their order: those that are half-way, workers, the control plane."""
    if record.stage == "end":
        # All had it. Labels go one by one now, so that a node without one says nothing any more.
        return []
    left = [node for node in nodes if node.step or record.cni_of(node.label) != record.target]
    return sorted(left, key=lambda node: (not node.step, node.is_control_plane, node.name))
