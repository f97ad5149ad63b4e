# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How many CoreDNS a cluster wants, and how much memory each.

Too few is a known outage: questions wait, and clients give up. Sources: kubernetes-sigs/cluster-proportional-autoscaler
(linear and ladder), cluster/addons/dns-horizontal-autoscaler of Kubernetes (its numbers), and CoreDNS' own
"Scaling CoreDNS in Kubernetes Clusters" (memory; 6,733 questions a second answered by upstreams on two processors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CORES_PER_REPLICA = 256
NODES_PER_REPLICA = 16
QUERIES_PER_REPLICA = 5000
# A peak is no average.
HEADROOM = 2.0


class ScalingError(NetopsError):
    """A wish about CoreDNS' replicas that would not do."""


@dataclass(frozen=True)
class Cluster:
    """What replicas are planned from.

    :param nodes: on which pods may be placed.
    :param cores: of these.
    :param queries: a second, as measured; 0 when nobody measured.
    """

    nodes: int
    cores: int
    pods: int = 0
    services: int = 0
    queries: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How many, how large, and why."""

    replicas: int
    memory_mib: int
    reasons: tuple[str, ...]


def plan(
    cluster: Cluster,
    *,
    cores_per_replica: float = CORES_PER_REPLICA,
    nodes_per_replica: float = NODES_PER_REPLICA,
    queries_per_replica: float = QUERIES_PER_REPLICA,
    autopath: bool = False,
) -> Plan:
    """The replicas that nodes, cores and load ask for: the most of the three, and two where there are two nodes."""
    asked = {
        f"{cluster.nodes} nodes at {nodes_per_replica:g} a replica": math.ceil(cluster.nodes / nodes_per_replica),
        f"{cluster.cores} cores at {cores_per_replica:g} a replica": math.ceil(cluster.cores / cores_per_replica),
    }
    if cluster.queries:
        load = math.ceil(cluster.queries * HEADROOM / queries_per_replica)
        asked[f"{cluster.queries:.0f} questions a second, {HEADROOM:g} times, at {queries_per_replica:g} a replica"] = (
            load
        )
    least = 2 if cluster.nodes > 1 else 1
    reasons = [f"{count} for {why}" for why, count in asked.items()]
    reasons.append(f"{least} at least, so that " + ("one may fail" if least > 1 else "there is one"))
    return Plan(max(least, *asked.values()), memory_mib(cluster.pods, cluster.services, autopath), tuple(reasons))


def memory_mib(pods: int, services: int, autopath: bool) -> int:
    """The memory that one CoreDNS needs, in MiB, by the formula of its own documentation (which says MB)."""
    things = pods + services
    return math.ceil(things / 250 + 56 if autopath else things / 1000 + 54)


# ---- what the proportional autoscaler will do ------------------------------------------------------------------------


def linear(cluster: Cluster, parameters: Mapping[str, Any]) -> int:
    """The replicas of the autoscaler's controller ``linear``."""
    least, most = parameters.get("min") or 1, parameters.get("max") or 0

    def term(count: int, each: float) -> int:
        if not each:
            return 1
        wanted = math.ceil(count / each)
        return max(least, min(most, wanted) if most else wanted)

    by_nodes = term(cluster.nodes, parameters.get("nodesPerReplica") or 0)
    if parameters.get("preventSinglePointFailure") and cluster.nodes > 1:
        by_nodes = max(2, by_nodes)
    return max(term(cluster.cores, parameters.get("coresPerReplica") or 0), by_nodes)


def ladder(cluster: Cluster, parameters: Mapping[str, Any]) -> int:
    """The replicas of the autoscaler's controller ``ladder``."""
    return max(
        _step(cluster.cores, parameters.get("coresToReplicas") or ()),
        _step(cluster.nodes, parameters.get("nodesToReplicas") or ()),
    )


def _step(count: int, steps: Sequence[Sequence[int]]) -> int:
    if not steps:
        return 1
    reached = [replicas for threshold, replicas in steps if threshold <= count]
    return reached[-1] if reached else steps[0][1]
