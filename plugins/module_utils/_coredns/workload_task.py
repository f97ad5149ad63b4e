# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What module ``coredns_workload`` does: fields of CoreDNS' Deployment, and the objects beside it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import beside, fields
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.rollout import MARK
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.scaling import ScalingError
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import Place, Workload, find_workload
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import converge
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change, result_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, comparable, same
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

ANTI_AFFINITIES = ("preferred", "required", "none")
HOST = "kubernetes.io/hostname"
_SECONDS = 60.0


def coredns_workload(
    asked: Mapping[str, Any], render: Callable[[Any], str], *, check: bool, diff: bool
) -> dict[str, Any]:
    """Fulfil the module's wishes, or give everything back.

    :param render: makes readable text of an object, for the diff.
    :raises NetopsError: a wish would not do, or CoreDNS runs in another way.
    """
    client = connect(asked)
    place = Place(ObjectRef("v1", "ConfigMap", asked["name"], asked["namespace"]), "")
    workload = find_workload(client, place)
    is_wanted = asked["state"] == "present"
    labels = workload.live["spec"]["selector"].get("matchLabels") or {}
    wishes = _wishes(asked, labels) if is_wanted else {}
    objects = _objects(asked, workload, labels) if is_wanted else []
    if workload.ref.kind != "Deployment" and (wishes or objects):
        raise ScalingError(str(workload.ref), "CoreDNS runs as a DaemonSet, one on each node", "a Deployment")
    if wishes.get("anti_affinity") and asked["anti_affinity"] == "required":
        _require_room(client, workload, wishes.get("replicas") or workload.live["spec"].get("replicas", 1))
    # What stands beside goes when nobody needs it any more: should the image come back, so must its permissions.
    is_final = is_wanted or not asked["provisional"]
    changes = (
        converge(client, objects, owner=beside.OWNER, prune=True, force=False, check=check, timeout=_SECONDS)
        if is_final
        else []
    )
    changes.append(_change(client, workload.ref, wishes, check=check, provisional=asked["provisional"]))
    if not is_wanted and is_final:
        changes += _unmark(client, workload, check=check)
    return {**result_of(client, changes, render, diff=diff), "image": _image(workload, wishes)}


def _image(workload: Workload, wishes: Mapping[str, Any]) -> str:
    """Which image runs when the wishes are fulfilled."""
    live = copy.deepcopy(workload.live)
    fields.fulfil(live, wishes)
    return str(fields.read(live, "image"))


def _wishes(asked: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Values of the Deployment's fields, by the fields' names."""
    if asked["replicas"] is not None and asked["autoscaler"]:
        raise ScalingError("replicas", "both a number and an autoscaler are asked for", "one of the two")
    if asked["replicas"] is not None and asked["replicas"] < 1:
        raise ScalingError("replicas", str(asked["replicas"]), "1 or more")
    selector = {"labelSelector": {"matchLabels": dict(labels)}}
    wishes: dict[str, Any] = {
        name: asked[name] for name in ("replicas", "priority_class", "image") if asked[name] is not None
    }
    if asked["anti_affinity"]:
        wishes["anti_affinity"] = _anti_affinity(asked["anti_affinity"], {**selector, "topologyKey": HOST})
    if asked["topology_spread"] is not None:
        wishes["topology_spread"] = [
            {
                **selector,
                "topologyKey": one["topology_key"],
                "maxSkew": one["max_skew"],
                "whenUnsatisfiable": one["when_unsatisfiable"],
            }
            for one in asked["topology_spread"]
        ] or None
    if asked["resources"]:
        wishes["resources"] = {kind: amounts for kind, amounts in asked["resources"].items() if amounts}
    return wishes


def _anti_affinity(wish: str, term: Mapping[str, Any]) -> Any:
    if wish == "required":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    if wish == "preferred":
        return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    return None


def _objects(asked: Mapping[str, Any], workload: Workload, labels: Mapping[str, str]) -> list[Object]:
    replicas = asked["replicas"] or workload.live["spec"].get("replicas", 1)
    budget, scaler = asked["disruption_budget"], asked["autoscaler"]
    return [
        *([beside.disruption_budget(workload.ref, labels, budget, replicas)] if budget else []),
        *(beside.autoscaler(workload.ref, scaler) if scaler else []),
        *(beside.permissions(workload.ref, workload.service_account) if asked["image"] else []),
    ]


def _require_room(client: KubeClient, workload: Workload, replicas: int) -> None:
    """Require a node for each replica: what must be apart and has no room waits for ever."""
    tolerations = workload.template["spec"].get("tolerations") or []
    nodes = [node for node in client.list("v1", "Node") if is_open(node, tolerations)]
    if replicas > len(nodes):
        raise ScalingError(
            "anti_affinity required",
            f"{replicas} replicas on {len(nodes)} nodes that take them",
            "a node for each replica",
            "Ask for fewer replicas, or for anti_affinity preferred",
        )


def is_open(node: Mapping[str, Any], tolerations: list[Any]) -> bool:
    """Whether pods with these tolerations are placed on a node."""
    taints = [one for one in node["spec"].get("taints") or () if one["effect"] != "PreferNoSchedule"]
    return not node["spec"].get("unschedulable") and all(
        any(_tolerates(toleration, taint) for toleration in tolerations) for taint in taints
    )


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return not toleration.get("key") or bool(toleration["key"] == taint["key"])
    return bool(toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""))


def _unmark(client: KubeClient, workload: Workload, *, check: bool) -> list[Change]:
    """Take away what made kubelets look at the Corefile, or replaced the pods: they take the one from before then."""
    if MARK in _annotations(workload.template):
        # New pods, without it.
        return [_without_mark(client, workload.ref, {"spec": {"template": _WITHOUT_MARK}}, check=check)]
    marked = [pod for pod in workload.pods(client) if MARK in _annotations(pod)]
    refs = [ObjectRef("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"]) for pod in marked]
    return [_without_mark(client, ref, _WITHOUT_MARK, check=check) for ref in refs]


_WITHOUT_MARK = {"metadata": {"annotations": {MARK: None}}}


def _annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def _without_mark(client: KubeClient, ref: ObjectRef, body: Mapping[str, Any], *, check: bool) -> Change:
    before = client.get(ref)
    if before is None:
        # It went away meanwhile.
        return Change(ref, "absent", {}, {})
    after = client.patch(ref, body, dry_run=check)
    return Change(ref, "changed", comparable(before), comparable(after))


def _change(client: KubeClient, ref: ObjectRef, wishes: Mapping[str, Any], *, check: bool, provisional: bool) -> Change:
    def change(live: Object | None) -> tuple[Change, bool]:
        if live is None:
            return Change(ref, "absent", {}, {}), False
        before = copy.deepcopy(live)
        fields.fulfil(live, wishes)
        if not provisional:
            fields.note_proof(live)
        if same(before, live):
            return Change(ref, "unchanged", {}, {}), False
        # The server writes some values in its own way, quantities above all.
        fields.settle(live, client.replace(live, dry_run=True))
        if same(before, live):
            return Change(ref, "unchanged", {}, {}), False
        if provisional:
            fields.note_write(live, before)
        return Change(ref, "changed", comparable(before), comparable(live)), True

    return update(client, ref, change, check=check)
