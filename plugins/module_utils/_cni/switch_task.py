# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the modules ``cni_switch_plan`` and ``cni_switch`` does, from its options to its result."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_cluster import pool_cidrs
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    LABEL,
    Wish,
    pending,
    record_for,
    record_from,
    source_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_cluster import ClusterSteps
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import wanted
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_node import NodeSteps
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_obstacles import problems, require_possible
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_plan import plan_lines
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import found, network_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect

if TYPE_CHECKING:
    from collections.abc import Mapping


def plan(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the cluster and say what a switch would do; nothing is changed.

    :param asked: the options of ``cni_switch_plan``.
    :raises SwitchError: something stands in the way; all of it is named.
    """
    client = connect(asked)
    wish = Wish(
        target=asked["target"],
        way=asked["way"],
        delete_unmanaged_pods=asked["delete_unmanaged_pods"],
        accept_unenforced_policies=asked["accept_unenforced_policies"],
        settings=asked["settings"],
    )
    active = {str(name): str(cni) for name, cni in asked["hosts"].items()}
    cluster = found(client, list(active), active)
    if cluster.record is None and not source_of(cluster, wish):
        nothing = {"source": "", "plan": [], "pending_nodes": [], "record": {}, "node_selector": {}}
        return {"changed": False, **nothing, "pod_cidrs": asked["pod_cidrs"], "api_requests": client.requests}
    record = record_for(cluster, wish)
    source = None if cluster.record else network_of(client, record.source, cluster.nodes)
    target = wanted(wish.target, wish.settings, asked["pod_cidrs"], cluster.nodes)
    require_possible(problems(cluster, wish, source, target))
    return {
        "changed": False,
        "source": record.source,
        "plan": plan_lines(cluster, wish, source, target),
        "pending_nodes": [node.name for node in pending(record, cluster.nodes)],
        "record": asdict(record),
        "pod_cidrs": sorted({*asked["pod_cidrs"], *pool_cidrs(client)}),
        # Until every node has the new CNI, its DaemonSets are for nodes with the label; the one that was there has its
        # own already.
        "node_selector": {LABEL: record.target} if record.target == record.other else {},
        "api_requests": client.requests,
    }


def step(asked: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Take one step.

    :param asked: the options of ``cni_switch``.
    :raises NetopsError: it cannot be taken, or does not end in time.
    """
    client = connect(asked)
    timeout = float(asked["timeout"])
    on_node = NodeSteps(client, check=check, timeout=timeout)
    on_cluster = ClusterSteps(client, check=check, timeout=timeout)
    state, name = asked["state"], asked["node_name"]
    static: list[str] = []
    if state == "begun":
        on_cluster.begin(record_from(asked["record"], "record"))
    elif state == "emptied":
        on_node.empty(name, delete_unmanaged=asked["delete_unmanaged_pods"])
    elif state == "filled":
        static = on_node.fill(name)
    elif state == "opened":
        on_node.open(name)
    elif state == "settled":
        on_cluster.settle()
    else:
        on_cluster.end()
    done = on_cluster.done + on_node.done
    return {
        "changed": bool(done),
        "done": done,
        "static_pods": static,
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in done)},
        "api_requests": client.requests,
    }
