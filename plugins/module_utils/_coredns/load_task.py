# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What module ``coredns_info`` does: look twice at every CoreDNS, and compare what it sees with the plan."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import load
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.scaling import Cluster, ScalingError, plan
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import (
    METRICS_PORT,
    Place,
    Workload,
    find_workload,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload_task import is_open
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.notes import KEY
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

_CORES = re.compile(r"(\d+)(m?)")


def coredns_info(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The module's result.

    :raises NetopsError: there is no CoreDNS, or the interval is none.
    """
    if asked["interval"] < 1:
        raise ScalingError("interval", f"{asked['interval']} s", "1 or more")
    client = connect(asked)
    place = Place(ObjectRef("v1", "ConfigMap", asked["name"], asked["namespace"]), KEY)
    _live, corefile = place.read(client)
    has_autopath = any(one.name == "autopath" for block in parse(corefile).servers for one in block.directives)
    workload = find_workload(client, place)
    own = sorted(workload.pods(client), key=lambda pod: str(pod["metadata"]["name"]))
    seconds, seen = _measured(client, own, float(asked["interval"]))
    pods = list(client.list("v1", "Pod"))
    measured = [one for one in seen if one]
    all_of_them = load.total(measured)
    queries = all_of_them.requests / seconds
    cluster = _cluster(client, workload, pods, queries)
    wanted = plan(cluster, autopath=has_autopath)
    return {
        "changed": False,
        "pods": [_told(pod, counts, seconds) for pod, counts in zip(own, seen)],
        "queries": round(queries, 1),
        "questions_per_answer": round(all_of_them.questions_per_answer, 2),
        "replicas": {
            "running": sum(map(is_pod_ready, own)),
            "wanted": wanted.replicas,
            "memory_mib": wanted.memory_mib,
            "reasons": list(wanted.reasons),
        },
        "autopath": has_autopath,
        "search_paths": [
            {
                "ndots": path.ndots,
                "domains": path.domains,
                # The server walks the search path where it has autopath.
                "questions": load.FAMILIES if has_autopath else path.questions,
                "pods": path.pods,
                "examples": list(path.examples),
            }
            for path in load.search_paths(pods)
        ],
        "problems": _problems(own, seen, seconds, wanted.replicas),
        "api_requests": client.requests,
    }


def _measured(client: KubeClient, pods: Sequence[Object], interval: float) -> tuple[float, list[Optional[load.Counts]]]:
    """What each pod did between two looks, and the seconds between them; nothing of one that tells nothing."""
    look = partial(_counts, client)
    begin = time.monotonic()
    before = each(pods, look)
    time.sleep(interval)
    seconds = time.monotonic() - begin
    after = each(pods, look)
    return seconds, [now.since(then) if now and then else None for then, now in zip(before, after)]


def _counts(client: KubeClient, pod: Mapping[str, Any]) -> Optional[load.Counts]:
    place = pod["metadata"]
    path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}:{METRICS_PORT}/proxy/metrics"
    try:
        return load.read_counts(str(client.raw("GET", path)))
    except KubeError:
        # Plugin prometheus is not there, or the API server does not reach the pod.
        return None


def _told(pod: Mapping[str, Any], counts: Optional[load.Counts], seconds: float) -> dict[str, Any]:
    told = {
        "name": pod["metadata"]["name"],
        "node": pod["spec"].get("nodeName", ""),
        "ready": is_pod_ready(pod),
        "measured": counts is not None,
    }
    if counts is None:
        return told
    return {
        **told,
        "queries": round(counts.requests / seconds, 1),
        "failures": round(counts.failed / seconds, 2),
        "cache_hits": round(counts.hit_share, 3),
        "questions_per_answer": round(counts.questions_per_answer, 2),
    }


def _cluster(client: KubeClient, workload: Workload, pods: Sequence[Object], queries: float) -> Cluster:
    tolerations = workload.template["spec"].get("tolerations") or []
    nodes = [node for node in client.list("v1", "Node") if is_open(node, tolerations)]
    services = sum(1 for _one in client.list("v1", "Service"))
    return Cluster(len(nodes), sum(map(_cores, nodes)), len(pods), services, queries)


def _cores(node: Mapping[str, Any]) -> int:
    found = _CORES.fullmatch(str(((node.get("status") or {}).get("capacity") or {}).get("cpu", "0")))
    if not found:
        return 0
    return int(found[1]) // 1000 if found[2] else int(found[1])


def _problems(pods: Sequence[Object], seen: Sequence[Optional[load.Counts]], seconds: float, wanted: int) -> list[str]:
    """What people should look at."""
    ready = sum(map(is_pod_ready, pods))
    told = [f"{ready} CoreDNS are ready, the plan wants {wanted}"] if ready < wanted else []
    for pod, counts in zip(pods, seen):
        name = f"{pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}"
        if counts is None:
            told.append(f"{name} does not tell what it does: plugin prometheus, or the way to it, is not there")
        elif counts.failed:
            told.append(
                f"{name} answered {counts.failed:.0f} of {counts.responses:.0f} questions with "
                f"{' or '.join(load.FAILED)} in {seconds:.0f} s"
            )
    return told
