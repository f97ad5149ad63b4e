# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNIs a cluster has, by what they make at its API, and what one of them has left there."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import MARKS, PARTS, Marks
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.seen import configuration, mode_of
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import FORBIDDEN, NAMES_ONLY, KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import drain
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import inventory_ref
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    DEFINITION,
    MANAGED_BY,
    ObjectRef,
    is_marked,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

DEFINITION_API = "apiextensions.k8s.io/v1"
TAG = re.compile(r":(v?\d[^@/]*)(?:@|$)")


class PresenceError(NetopsError):
    """A CNI that still runs, where what it has left is to be removed."""


# The agents that the roles lay down, and take over where somebody else has.
OWN_AGENTS = {
    cni: {str(ObjectRef("apps/v1", "DaemonSet", name, place)) for place, name in agents}
    for cni, agents in {
        "calico": [("calico-system", "calico-node"), ("kube-system", "calico-node")],
        "cilium": [("kube-system", "cilium")],
        "flannel": [("kube-flannel", "kube-flannel-ds")],
    }.items()
}


def presence(client: KubeClient) -> dict[str, Any]:
    """Which CNIs the cluster has: those that run, and what others have left.

    It takes as many requests as the lists of DaemonSets and of nodes have pages, one or two, and one for the ConfigMap
    of each Canal, Cilium or Flannel that runs; whoever may not read that is told no mode.
    """
    groups = _without_others(client, {group["name"] for group in client.raw("GET", "/apis")["groups"]})
    workloads = list(client.list("apps/v1", "DaemonSet"))
    keys = _node_keys(client)
    cnis = {cni: _told(client, cni, marks, workloads, groups, keys) for cni, marks in MARKS.items()}
    return {"cnis": {cni: told for cni, told in cnis.items() if told}, "state": state_of(cnis)}


def _without_others(client: KubeClient, groups: set[str]) -> set[str]:
    """Groups of the API, but those of a CNI in which others alone define kinds."""
    shared = {group for marks in MARKS.values() if marks.prefix for group in marks.groups & groups}
    if not shared:
        return groups
    names = [one["metadata"]["name"] for one in client.list(DEFINITION_API, DEFINITION, accept=NAMES_ONLY)]
    own = {name.partition(".")[2] for name in names if any(marks.defines(name) for marks in MARKS.values())}
    return groups - (shared - own)


def _node_keys(client: KubeClient) -> dict[str, int]:
    """How many nodes have an annotation, by its key."""
    counts: dict[str, int] = {}
    for node in client.list("v1", "Node", accept=NAMES_ONLY):
        for key in node["metadata"].get("annotations") or {}:
            counts[key] = counts.get(key, 0) + 1
    return counts


def _told(
    client: KubeClient,
    cni: str,
    marks: Marks,
    workloads: Sequence[Object],
    groups: set[str],
    keys: Mapping[str, int],
) -> dict[str, Any]:
    agents = [one for one in workloads if marks.agents.fullmatch(one["metadata"]["name"])]
    annotated = max([count for key, count in keys.items() if key.startswith(marks.node_keys or ("/",))], default=0)
    served = sorted(groups & marks.groups)
    if not agents and not annotated and not served:
        return {}
    statuses = [one.get("status") or {} for one in agents]
    return {
        "running": bool(agents),
        "version": next((tag for one in agents if (tag := _version(one))), ""),
        "mode": _mode(client, cni, agents, groups),
        "managed_by": next((labels[MANAGED_BY] for one in agents if MANAGED_BY in (labels := _labels(one))), ""),
        "agents": [str(ref_of(one)) for one in agents],
        "nodes": sum(status.get("desiredNumberScheduled", 0) for status in statuses),
        "nodes_ready": sum(status.get("numberReady", 0) for status in statuses),
        "not_ready": [f"{ref_of(one)}: {reason}" for one in agents if (reason := not_ready(one))],
        "api_groups": served,
        "annotated_nodes": annotated,
    }


def _labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return labels


def _version(workload: Mapping[str, Any]) -> str:
    """The tag of the first container's image; empty where it is pinned by its digest alone."""
    found = TAG.search(workload["spec"]["template"]["spec"]["containers"][0]["image"])
    return found[1] if found else ""


def _mode(client: KubeClient, cni: str, agents: Sequence[Object], groups: set[str]) -> str:
    if not agents:
        return ""
    if cni == "calico":
        spaces = {one["metadata"]["namespace"] for one in agents}
        return "operator" if "operator.tigera.io" in groups and "calico-system" in spaces else "manifest"
    try:
        return mode_of(cni, configuration(client, cni, agents[0]))
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        return ""


def state_of(cnis: Mapping[str, Mapping[str, Any]]) -> str:
    """``none``, ``one``, ``mixed`` (the agents of several are there) or ``leftovers`` (of one that does not run)."""
    running = {cni for cni, told in cnis.items() if told.get("running")}
    owners = running.union(*(PARTS.get(cni, set()) for cni in running))
    # Multus calls the others.
    if len(running - {"multus"}) > 1:
        return "mixed"
    if {cni for cni, told in cnis.items() if told} - owners:
        return "leftovers"
    return "one" if running else "none"


def require_own_place(cnis: Mapping[str, Mapping[str, Any]], cni: str) -> None:
    """Refuse to install a CNI beside another installation of it.

    :param cnis: what there is of each CNI, as :func:`presence` tells it.
    :param cni: a key of OWN_AGENTS, the CNI that is to be installed.
    :raises PresenceError: its agents run where the collection would not take them over, but add its own.
    """
    agents = [agent for one in _with_wholes(cni) if one in cnis for agent in cnis[one]["agents"]]
    others = [agent for agent in agents if agent not in OWN_AGENTS[cni]]
    if others:
        raise PresenceError(
            f"CNI {cni}",
            f"{', '.join(others)} is there, which would run beside {' or '.join(sorted(OWN_AGENTS[cni]))}",
            "no agents of it elsewhere",
            "Remove that one as it was installed; pods keep their network until its successor's agents are there",
        )


def free_nodes(client: KubeClient, cni: str, *, check: bool, timeout: float) -> list[str]:
    """Free every node of pods on the pod network before a CNI goes; returns what was done, or would be.

    A cluster that has nothing of it, not even a node's annotation, has gone through this before: its pods are let be.

    :raises NetopsError: somebody else installed it, so it would stay; a pod would not come back, or does not go away in
        time.
    """
    _require_own(client, cni)
    return drain(client, check=check, timeout=timeout) if cni in presence(client)["cnis"] else []


def _require_own(client: KubeClient, cni: str) -> None:
    foreign = [str(ref_of(one)) for one in _agents(client, cni) if not is_marked(one)]
    # Those of Calico's operator bear no mark.
    if foreign and client.get(inventory_ref(cni)) is None:
        raise PresenceError(
            f"CNI {cni}",
            f"{', '.join(foreign)} is there, and not of this collection",
            f"a CNI that role netops.kubernetes.{cni} has installed",
            f"Remove it as it was installed, or let the role take it over: run it with {cni}_force_conflicts: true",
        )


# ---- what one has left ---------------------------------------------------------------------------------------------


def clean_cluster(client: KubeClient, cni: str, *, check: bool, timeout: float) -> list[str]:
    """Remove what a CNI that does not run any more has left at the API; returns what was removed, or would be.

    :param cni: a key of MARKS.
    :param timeout: seconds for its definitions to go away.
    :param check: say what would be removed, whether its agents are still there or not: they may go before.
    :raises NetopsError: its agents are still there, or something does not go away.
    """
    marks = MARKS[cni]
    if not check:
        _require_gone(client, cni)
    nodes = [node for node in client.list("v1", "Node") if _of_node(marks, node)]
    done = [f"{ref_of(node)}: {', '.join(_of_node(marks, node))}" for node in nodes]
    if not check:
        each(nodes, partial(_clean_node, client, marks))
    return done + clean_definitions(client, marks, check=check, timeout=timeout)


def agents_of(client: KubeClient, cni: str) -> list[str]:
    """The DaemonSets that are there of the CNI, and of one that the CNI is a part of and shares all it makes with."""
    return [str(ref_of(one)) for one in _agents(client, cni)]


def _agents(client: KubeClient, cni: str) -> list[Object]:
    marks = [MARKS[one].agents for one in _with_wholes(cni)]
    named = client.list("apps/v1", "DaemonSet", accept=NAMES_ONLY)
    return [one for one in named if any(agents.fullmatch(one["metadata"]["name"]) for agents in marks)]


def _with_wholes(cni: str) -> list[str]:
    """The CNI, and those that it is a part of."""
    return [cni, *(whole for whole, parts in PARTS.items() if cni in parts)]


def _require_gone(client: KubeClient, cni: str) -> None:
    agents = agents_of(client, cni)
    if agents:
        raise PresenceError(
            f"CNI {cni}",
            f"{', '.join(agents)} is still there",
            "a CNI that does not run any more",
            f"Remove it first: role netops.kubernetes.{cni}, tasks_from uninstall, or as it was installed",
        )


def _of_node(marks: Marks, node: Mapping[str, Any]) -> list[str]:
    annotations = node["metadata"].get("annotations") or {}
    taints = taints_of(node, marks.taints)
    own = [key for key in annotations if marks.node_keys and key.startswith(marks.node_keys)]
    return [*(f"annotation {key}" for key in sorted(own)), *(f"taint {key}" for key in taints)]


def taints_of(node: Mapping[str, Any], keys: frozenset[str]) -> list[str]:
    """Which of these taints a node has."""
    return [taint["key"] for taint in node["spec"].get("taints") or [] if taint["key"] in keys]


def remove_taints(node: Object, keys: frozenset[str]) -> None:
    """Take these taints off a node as it was read; it is not written."""
    node["spec"]["taints"] = [taint for taint in node["spec"].get("taints") or [] if taint["key"] not in keys]


def _clean_node(client: KubeClient, marks: Marks, node: Object) -> None:
    def change(live: Object | None) -> tuple[None, bool]:
        if live is None or not _of_node(marks, live):
            return None, False
        kept = {
            key: value
            for key, value in (live["metadata"].get("annotations") or {}).items()
            if not key.startswith(marks.node_keys)
        }
        live["metadata"]["annotations"] = kept
        remove_taints(live, marks.taints)
        return None, True

    update(client, ref_of(node), change, check=False)


def clean_definitions(client: KubeClient, marks: Marks, *, check: bool, timeout: float) -> list[str]:
    """Remove a CNI's definitions with all objects in them; returns what was removed, or would be.

    :param timeout: seconds for them to go away.
    :raises NetopsError: somebody else's finalizer holds an object.
    """
    named = client.list(DEFINITION_API, DEFINITION, accept=NAMES_ONLY)
    refs = [ref_of(one) for one in named if marks.defines(one["metadata"]["name"])]
    counted = dict(zip(refs, each(refs, partial(_objects_of, client))))
    done = [f"{ref} with {len(objects)} objects" for ref, objects in counted.items()]
    if check or not refs:
        return done
    # Whoever serves these finalizers does not run any more: nobody else would ever let go.
    held = [(one, own) for objects in counted.values() for one in objects if (own := _held(marks, one))]
    each(refs, client.delete)
    each(held, lambda pair: _let_go(client, *pair))
    wait_gone(client, refs, time.monotonic() + timeout)
    return done


def _objects_of(client: KubeClient, ref: ObjectRef) -> list[Object]:
    definition = client.get(ref) or {"spec": {"versions": []}}
    spec = definition["spec"]
    version = next((one["name"] for one in spec["versions"] if one.get("served")), "")
    place = f"{spec.get('group')}/{version}"
    # One that is just coming, or going, is served no more than one whose versions are all switched off.
    if not version or not client.serves(place, spec["names"]["kind"]):
        return []
    return list(client.list(place, spec["names"]["kind"], accept=NAMES_ONLY))


def _held(marks: Marks, obj: Mapping[str, Any]) -> list[str]:
    """The finalizers of the CNI's own."""
    return [one for one in obj["metadata"].get("finalizers") or [] if one.startswith(marks.finalizers or ("/",))]


def _let_go(client: KubeClient, obj: Object, own: Iterable[str]) -> None:
    gone = set(own)

    def change(live: Object | None) -> tuple[None, bool]:
        if live is None:
            return None, False
        finalizers = live["metadata"].get("finalizers") or []
        live["metadata"]["finalizers"] = [one for one in finalizers if one not in gone]
        return None, bool(gone & set(finalizers))

    update(client, ref_of(obj), change, check=False)
