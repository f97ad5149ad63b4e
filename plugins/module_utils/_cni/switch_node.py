# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The steps of a switch on one node: emptied, filled and opened.

A node's mark comes with its cordon, and its label is what both CNIs follow.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CALICO_API
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import remove_taints, taints_of
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import MARKS
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    BETWEEN,
    LABEL,
    STEP,
    WAS_CORDONED,
    WAS_OPEN,
    NodeFacts,
    Record,
    SwitchError,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import CALICO_VNI
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import (
    FELIX,
    agent_pods,
    lack_of,
    node_facts,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_step import Step
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_tunnel import (
    TUNNEL_MAC,
    claims,
    notes_for_calico,
    notes_for_flannel,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import uses_pod_network
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object


class NodeSteps(Step):
    """Steps on a node; each can be taken again, and one that was killed is gone on with."""

    def link(self) -> None:
        """Give each node its blocks of Calico, and let the two CNIs know each other's nodes where they are joined.

        Repeated before every node: Calico takes blocks away that stay empty for a quarter of an hour.
        """
        record = self._record()
        nodes = [node_facts(node) for node in self.client.list("v1", "Node")]
        if record.other == "calico" and self.client.serves(CALICO_API, "IPAMBlock"):
            pools, blocks = (list(self.client.list(CALICO_API, kind)) for kind in ("IPPool", "IPAMBlock"))
            for obj in claims(nodes, pools, blocks):
                # A run that was killed may have made it, and not yet the block that comes last.
                if self.client.get(ref_of(obj)) is None:
                    self._do(f"{ref_of(obj)} created", partial(self.client.create, obj))
        if record.way == "joined":
            self._introduce(record, nodes)

    def _introduce(self, record: Record, nodes: Iterable[NodeFacts]) -> None:
        for node in nodes:
            # The label of a node that is between the two does not say who has been there; its notes stand already.
            cni = record.cni_of(node.label)
            notes: dict[str, str] = {}
            if cni == "flannel" and record.default == "flannel":
                notes = notes_for_calico(node)
            elif cni == "calico" and record.default == "calico":
                notes = self._notes_for_flannel(node)
            if notes:
                self._do(
                    f"Node '{node.name}': notes {', '.join(sorted(notes))}",
                    partial(self._patch_node, node.name, {"metadata": {"annotations": notes}}),
                )

    def _notes_for_flannel(self, node: NodeFacts) -> dict[str, str]:
        mac = node.notes.get(TUNNEL_MAC)
        if not mac:
            raise SwitchError(
                f"node '{node.name}'",
                f"Calico has not noted {TUNNEL_MAC} there",
                "the hardware address of its end of the tunnel, which Calico has noted where it came from Flannel",
                "Set cni_switch_way: apart",
            )
        settings = (self.client.get(FELIX) or {}).get("spec") or {}
        return notes_for_flannel(node, int(settings.get("vxlanVNI") or CALICO_VNI), mac)

    def empty(self, name: str, *, delete_unmanaged: bool) -> None:
        """Cordon a node, evict its pods, and take the old CNI's agents away from it."""
        self.link()
        record, node = self._record(), self._node(name)
        cni = record.cni_of(node.label)
        if cni == record.target and not node.step:
            return
        if not node.step:
            was = WAS_OPEN if node.schedulable else WAS_CORDONED
            body = {"metadata": {"annotations": {STEP: was}}, "spec": {"unschedulable": True}}
            self._do(f"Node '{name}' cordoned", lambda: self._patch_node(name, body))
        if cni == record.source:
            self._evict(name, delete_unmanaged=delete_unmanaged)
            body = {"metadata": {"labels": {LABEL: BETWEEN}}}
            self._do(f"Node '{name}' has left {record.source}", lambda: self._patch_node(name, body))
        self._wait(
            lambda: _names(agent_pods(self.client, record.source, name)),
            lambda reason: SwitchError(
                f"node '{name}'",
                f"agents of {record.source} are still there after {self.timeout:.0f} s: {reason}",
                "none, since its label sends them away",
                "Look at kube-controller-manager and at the node's kubelet",
            ),
        )

    def _evict(self, name: str, *, delete_unmanaged: bool) -> None:
        going = self._going(name)
        alone = [ref for ref, owned in going if not owned]
        if alone and not delete_unmanaged:
            raise SwitchError(
                f"pod {_names_of(alone)}",
                "no controller makes it again",
                "pods of a controller",
                "Delete it yourself, or set cni_switch_delete_unmanaged_pods: true to lose it",
            )
        for ref, _owned in going:
            self.done.append(f"{ref} evicted")
        refusals: dict[ObjectRef, str] = {}

        def lack() -> str:
            left = [ref for ref, _owned in self._going(name)]
            for ref in left:
                refusals[ref] = self._ask_to_go(ref)
            return "; ".join(f"{ref}: {refusals[ref] or 'it is on its way out'}" for ref in left)

        self._wait(
            lack,
            lambda reason: SwitchError(
                f"node '{name}'",
                f"pods are still there after {self.timeout:.0f} s: {reason}",
                "an empty node",
                "Give what their PodDisruptionBudgets protect more replicas, or end the pods; then run again",
            ),
        )

    def _going(self, name: str) -> list[tuple[ObjectRef, bool]]:
        """The pods on a node's pod network that draining takes away, and whether they have a controller."""
        pods: list[tuple[ObjectRef, bool]] = []
        for pod in self.client.list("v1", "Pod", field_selector=f"spec.nodeName={name}"):
            owners = [one["kind"] for one in pod["metadata"].get("ownerReferences") or [] if one.get("controller")]
            if uses_pod_network(pod) and not {"DaemonSet", "Node"} & set(owners):
                gone = bool(pod["metadata"].get("deletionTimestamp"))
                pods.append((_pod_ref(pod), bool(owners) or gone))
        return pods

    def _ask_to_go(self, ref: ObjectRef) -> str:
        """Evict a pod; why it must not go yet, or an empty string."""
        metadata = {"name": ref.name, "namespace": ref.namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"{self.client.path('v1', 'Pod', ref.namespace, ref.name)}/eviction"
        live = self.client.get(ref)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return ""
        try:
            self.client.raw("POST", path, body=body, busy=False)
        except KubeError as error:
            if error.status == 404:
                return ""
            # 429: a budget admits none now. 500: several budgets (k8s.io/kubernetes, pkg/registry/core/pod/storage).
            if error.status not in {409, 429}:
                raise
            return error.seen
        return ""

    def fill(self, name: str) -> list[str]:
        """Let the new CNI come to a node, and recreate there what the old one gave a network.

        :returns: static pods that must be restarted on the node itself, as ``NAMESPACE/NAME``.
        """
        record, node = self._record(), self._node(name)
        if record.cni_of(node.label) != record.target:
            if node.label != BETWEEN and not self.check:
                raise SwitchError(
                    f"node '{name}'", f"it still has {record.source}", "a node that was emptied", "Empty it first"
                )
            body = {"metadata": {"labels": {LABEL: record.target_label}}}
            self._do(f"Node '{name}' has come to {record.target}", lambda: self._patch_node(name, body))
        self._untaint(name, MARKS[record.source].taints)
        self._wait(
            lambda: lack_of(self.client, record.target, name),
            lambda reason: SwitchError(
                f"node '{name}'",
                f"{record.target} does not work there after {self.timeout:.0f} s: {reason}",
                "ready agents, and a node that is Ready",
                f"Look at their logs, mend it and run again; or go back with cni_switch_to: {record.source}",
            ),
        )
        return self._renew(record, name)

    def _untaint(self, name: str, keys: frozenset[str]) -> None:
        """Take off a node what kept pods away until the old CNI's agent was ready there, which it will not be again."""

        def change(live: Object | None) -> tuple[list[str], bool]:
            gone = taints_of(live, keys) if live else []
            if live and gone:
                remove_taints(live, keys)
            return gone, bool(gone)

        if keys:
            gone = update(self.client, ObjectRef("v1", "Node", name), change, check=self.check)
            self.done += [f"Node '{name}': taint {key} removed" for key in gone]

    def _renew(self, record: Record, name: str) -> list[str]:
        made = [one["metadata"]["creationTimestamp"] for one in agent_pods(self.client, record.target, name)]
        # The old CNI was gone before the new one's agents were made, so what is younger has the new network.
        old = [
            pod
            for pod in self.client.list("v1", "Pod", field_selector=f"spec.nodeName={name}")
            if uses_pod_network(pod) and made and pod["metadata"]["creationTimestamp"] < min(made)
        ]
        static = [pod for pod in old if _is_static(pod)]
        for pod in old:
            if not _is_static(pod):
                ref = _pod_ref(pod)
                self._do(f"{ref} deleted, to come back with the new network", partial(self._delete, ref))
        sets = {_owner(pod) for pod in old if is_pod_ready(pod) and not _is_static(pod)}
        gone = {pod["metadata"]["uid"] for pod in old if not _is_static(pod)}
        self._wait(
            lambda: self._unrenewed(name, gone, sets),
            lambda reason: SwitchError(
                f"node '{name}'",
                f"pods that draining leaves are not back after {self.timeout:.0f} s: {reason}",
                "ready pods, as before",
                "Look at their events and logs, then run again",
            ),
        )
        return [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in static]

    def _unrenewed(self, name: str, gone: set[str], sets: set[str]) -> str:
        pods = list(self.client.list("v1", "Pod", field_selector=f"spec.nodeName={name}"))
        there = [pod for pod in pods if pod["metadata"]["uid"] in gone]
        if there:
            return f"{_names(there)} still there"
        back = {_owner(pod) for pod in pods if is_pod_ready(pod) and not pod["metadata"].get("deletionTimestamp")}
        return "; ".join(f"{owner}: no ready pod" for owner in sorted(sets - back))

    def open(self, name: str) -> None:
        """Uncordon a node that was schedulable before, and end its part of the switch."""
        record, node = self._record(), self._node(name)
        if not node.step:
            return
        if record.cni_of(node.label) != record.target:
            if self.check:
                return
            raise SwitchError(f"node '{name}'", f"it has not come to {record.target}", "a node that was filled")
        body: dict[str, Any] = {"metadata": {"annotations": {STEP: None}}}
        if node.step == WAS_OPEN:
            body["spec"] = {"unschedulable": None}
        line = "uncordoned" if node.step == WAS_OPEN else "done, cordoned as it was"
        self._do(f"Node '{name}' {line}", lambda: self._patch_node(name, body))


def _pod_ref(pod: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])


def _names(pods: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods[:10])


def _names_of(refs: Sequence[ObjectRef]) -> str:
    return ", ".join(f"'{ref.namespace}/{ref.name}'" for ref in refs[:10])


def _owner(pod: Mapping[str, Any]) -> str:
    for one in pod["metadata"].get("ownerReferences") or []:
        if one.get("controller"):
            return f"{one['kind']} '{pod['metadata']['namespace']}/{one['name']}'"
    return f"pod '{pod['metadata']['namespace']}/{pod['metadata']['name']}'"


def _is_static(pod: Mapping[str, Any]) -> bool:
    """Whether a kubelet made it from a file (kubernetes.io/config.mirror)."""
    return "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {})
