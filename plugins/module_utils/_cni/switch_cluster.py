# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The steps of a switch on the whole cluster. Each can be taken again, and a run that was killed is gone on with.

begun, then for each node what ``switch_node`` has, then settled and ended. Whatever a step changes tells of itself: the
record stands before the first change.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from functools import partial

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    LABEL,
    NODE_NOTES,
    Record,
    SwitchError,
    pending,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_operator import (
    CONFIGURATION,
    OPERATOR,
    quietened,
    restarted,
    restored,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import (
    AGENTS,
    RECORD,
    agents,
    node_facts,
    record_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_steering import released, steered
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_step import Step
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone

# Flannel's namespace in its own manifest; in another one others may live too.
OWN_NAMESPACE = "kube-flannel"
RBAC = "rbac.authorization.k8s.io/v1"
# Beside the DaemonSet (flannel, Documentation/kube-flannel.yml; weave, prog/weave-kube/weave-daemonset-k8s-1.11.yaml).
KNOWN_OBJECTS = {
    "flannel": (
        ObjectRef("v1", "ConfigMap", "kube-flannel-cfg", "kube-flannel"),
        ObjectRef("v1", "ServiceAccount", "flannel", "kube-flannel"),
        ObjectRef(RBAC, "ClusterRoleBinding", "flannel"),
        ObjectRef(RBAC, "ClusterRole", "flannel"),
    ),
    "weave": (
        ObjectRef("v1", "ServiceAccount", "weave-net", "kube-system"),
        ObjectRef("v1", "ConfigMap", "weave-net", "kube-system"),
        ObjectRef(RBAC, "RoleBinding", "weave-net", "kube-system"),
        ObjectRef(RBAC, "Role", "weave-net", "kube-system"),
        ObjectRef(RBAC, "ClusterRoleBinding", "weave-net"),
        ObjectRef(RBAC, "ClusterRole", "weave-net"),
    ),
}


class ClusterSteps(Step):
    """Steps before the first node and after the last."""

    def begin(self, record: Record) -> None:
        """Note the switch, then take the agents of the CNI that was there away from nodes with the label."""
        before = record_of(self.client)
        if before != record:
            told = f"{record.source} -> {record.target}, {record.way}"
            self._do(f"{RECORD}: {told}", lambda: self._write(record))
        if record.default == "cilium" and record.stage == "nodes":
            self._set_operator(is_quiet=True)
        for agent in agents(self.client, record.default):
            patch = steered(agent["spec"])
            if patch and record.stage == "nodes":
                ref = ref_of({"apiVersion": "apps/v1", "kind": "DaemonSet", **agent})
                self._do(f"{ref}: away from nodes with label {LABEL}", partial(self._patch, ref, patch))

    def _set_operator(self, *, is_quiet: bool) -> None:
        configuration = self.client.get(CONFIGURATION)
        if configuration is None:
            return
        patch = quietened(configuration) if is_quiet else restored(configuration)
        told = "pods without Cilium, and nodes' taints, are let be" if is_quiet else "as it was"
        if patch:
            self._do(f"{CONFIGURATION}: {told}", partial(self._patch, CONFIGURATION, patch))
        operator = self.client.get(OPERATOR)
        restart = operator and restarted(operator, is_quiet=is_quiet)
        if restart:
            self._do(f"{OPERATOR}: started anew", partial(self._patch, OPERATOR, restart))

    def _write(self, record: Record) -> None:
        live = self.client.get(RECORD)
        content = {"data": asdict(record)}
        if live is None:
            metadata = {"name": RECORD.name, "namespace": RECORD.namespace}
            self.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content})
        else:
            self.client.replace({"apiVersion": "v1", "kind": "ConfigMap", **live, **content})

    def settle(self) -> None:
        """Note that every node has the target; give its DaemonSet back what the beginning took."""
        record = self._record()
        left = pending(record, [node_facts(node) for node in self.client.list("v1", "Node")])
        if left and not self.check:
            raise SwitchError(
                "switch of the CNI",
                f"nodes are left: {', '.join(node.name for node in left[:10])}",
                f"{record.target} on every node",
                "Run the playbook cni_switch again",
            )
        if record.stage != "end":
            self._do(f"{RECORD}: every node has {record.target}", lambda: self._write(replace(record, stage="end")))
        if record.target == record.default:
            for agent in agents(self.client, record.default):
                patch = released(agent["metadata"].get("annotations") or {})
                ref = ref_of({"apiVersion": "apps/v1", "kind": "DaemonSet", **agent})
                if patch:
                    self._do(f"{ref}: on every node", partial(self._patch, ref, patch))
            if record.default == "cilium":
                self._set_operator(is_quiet=False)
        self._remove_known(record.source)

    def _remove_known(self, cni: str) -> None:
        """Remove the objects of a CNI whose manifest has few, by the names that upstream gives them.

        Whoever has installed it: the switch is asked for, and the CNI is on no node any more. What has a removal of its
        own, Calico and Cilium, is left to it.
        """
        for agent in agents(self.client, cni) if cni in KNOWN_OBJECTS else []:
            namespace = agent["metadata"]["namespace"]
            refs = [ObjectRef("apps/v1", "DaemonSet", agent["metadata"]["name"], namespace)]
            refs += [replace(ref, namespace=namespace if ref.namespace else "") for ref in KNOWN_OBJECTS[cni]]
            if namespace == OWN_NAMESPACE:
                refs.append(ObjectRef("v1", "Namespace", namespace))
            # The DaemonSet last: while it is there, a run that was killed finds what is left.
            for ref in [*refs[1:], refs[0]]:
                live = self.client.get(ref)
                # What a run before has deleted goes by itself.
                if live is not None and not live["metadata"].get("deletionTimestamp"):
                    self._do(f"{ref} deleted", partial(self._delete, ref))
            if not self.check:
                wait_gone(self.client, refs, time.monotonic() + self.timeout)

    def end(self) -> None:
        """Take labels and the old CNI's notes off the nodes, then forget the switch.

        :raises SwitchError: the old CNI's agents are still there, or the new one's would lose a node.
        """
        record = record_of(self.client)
        if record is None:
            return
        self._require_end(record)
        for node in self.client.list("v1", "Node"):
            metadata = node["metadata"]
            labels = {LABEL: None} if LABEL in (metadata.get("labels") or {}) else {}
            prefix = NODE_NOTES[record.source]
            notes = {name: None for name in metadata.get("annotations") or {} if name.startswith(prefix)}
            if labels or notes:
                body = {"metadata": {"labels": labels, "annotations": notes}}
                name = metadata["name"]
                self._do(
                    f"Node '{name}': label and notes of {record.source} removed",
                    partial(self._patch_node, name, body),
                )
        self._do(f"{RECORD} deleted", lambda: self._delete(RECORD))

    def _require_end(self, record: Record) -> None:
        if self.check:
            return
        if record.stage != "end":
            raise SwitchError("switch of the CNI", "it has not come to its end", "every node switched", "Run it again")
        left = agents(self.client, record.source)
        if left:
            raise SwitchError(
                f"DaemonSet '{left[0]['metadata']['namespace']}/{left[0]['metadata']['name']}'",
                f"it is still there, and {record.source} is on no node any more",
                f"no objects of {record.source}",
                f"Remove them as they were installed; this collection removes what it has installed. Names: "
                f"{', '.join('/'.join(one) for one in AGENTS[record.source])}",
            )
        for agent in agents(self.client, record.target):
            if LABEL in json.dumps(agent["spec"]["template"]["spec"]):
                raise SwitchError(
                    f"DaemonSet '{agent['metadata']['namespace']}/{agent['metadata']['name']}'",
                    f"it still follows the label {LABEL}",
                    "one for every node",
                    f"Run role netops.kubernetes.{record.target}",
                )
