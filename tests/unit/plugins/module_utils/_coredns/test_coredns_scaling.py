# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many CoreDNS, by the plan and by the autoscaler; and what its parameters may be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.filter.coredns_plan import coredns_plan
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.beside import disruption_budget, parameters
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.scaling import (
    Cluster,
    ScalingError,
    ladder,
    linear,
    memory_mib,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload_task import is_open
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

TARGET = ObjectRef("apps/v1", "Deployment", "coredns", "kube-system")


@pytest.mark.parametrize(
    ("nodes", "cores", "queries", "replicas"),
    [(1, 4, 0, 1), (2, 8, 0, 2), (33, 128, 0, 3), (10, 1000, 0, 4), (10, 100, 9000, 4), (10, 100, 2500, 2)],
)
def test_plan(nodes: int, cores: int, queries: float, replicas: int) -> None:
    assert coredns_plan(nodes, cores, queries=queries)["replicas"] == replicas


def test_plan_says_why() -> None:
    assert coredns_plan(40, 640, pods=3000, services=400, queries=9000) == {
        "replicas": 4,
        "memory_mib": 58,
        "reasons": [
            "3 for 40 nodes at 16 a replica",
            "3 for 640 cores at 256 a replica",
            "4 for 9000 questions a second, 2 times, at 5000 a replica",
            "2 at least, so that one may fail",
        ],
    }


def test_memory() -> None:
    assert memory_mib(10_000, 2_000, autopath=False) == 66
    assert memory_mib(10_000, 2_000, autopath=True) == 104


@pytest.mark.parametrize(
    ("nodes", "cores", "content", "replicas"),
    [
        (1, 2, {"nodesPerReplica": 16}, 1),
        (1, 2, {"nodesPerReplica": 16, "preventSinglePointFailure": True}, 1),
        (2, 2, {"nodesPerReplica": 16, "preventSinglePointFailure": True}, 2),
        (2, 2, {"nodesPerReplica": 16, "preventSinglePointFailure": True, "max": 1}, 2),
        (100, 5000, {"nodesPerReplica": 16, "coresPerReplica": 256}, 20),
        (100, 5000, {"nodesPerReplica": 16, "coresPerReplica": 256, "max": 5}, 5),
        (3, 8, {"coresPerReplica": 256, "min": 3}, 3),
    ],
)
def test_linear(nodes: int, cores: int, content: dict[str, Any], replicas: int) -> None:
    assert linear(Cluster(nodes, cores), content) == replicas


@pytest.mark.parametrize(
    ("nodes", "cores", "replicas"), [(1, 1, 1), (3, 64, 3), (1, 512, 5), (40, 513, 5), (100, 1, 8)]
)
def test_ladder(nodes: int, cores: int, replicas: int) -> None:
    steps = {"coresToReplicas": [[1, 1], [64, 3], [512, 5]], "nodesToReplicas": [[2, 2], [100, 8]]}
    assert ladder(Cluster(nodes, cores), steps) == max(replicas, 2)
    assert ladder(Cluster(nodes, cores), {}) == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "autoscaler: 0 kinds of parameters are given; expected linear or ladder."),
        ({"linear": {"min": 1}, "ladder": {"cores_to_replicas": [[1, 1]]}}, "autoscaler: 2 kinds of parameters"),
        ({"linear": {"min": 2}}, "autoscaler, linear: neither cores nodes"),
        ({"linear": {"nodes_per_replica": -1.0}}, "autoscaler, linear.nodesPerReplica: -1.0; expected 0 or more."),
        ({"linear": {"nodes_per_replica": 1, "min": 3, "max": 2}}, "autoscaler, linear: max 2 is below min 3"),
        ({"ladder": {"cores_to_replicas": [[1, 1, 1]]}}, "autoscaler, ladder.coresToReplicas: step [1, 1, 1]"),
        ({"ladder": {"nodes_to_replicas": [[0, 1]]}}, "autoscaler, ladder.nodesToReplicas: step [0, 1]"),
        ({"ladder": {"include_unschedulable_nodes": True}}, "autoscaler, ladder: no step"),
    ],
)
def test_parameters_that_the_autoscaler_refuses(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(ScalingError) as caught:
        parameters(wish)
    assert str(caught.value).startswith(said.replace("neither cores nodes", "neither cores nor nodes a replica"))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "disruption budget: 0 of its limits are given; expected one of the two."),
        ({"max_unavailable": "0"}, "disruption budget: max_unavailable 0: no node with CoreDNS could be drained"),
        ({"min_available": "100%"}, "disruption budget: min_available 100%: no node with CoreDNS could be drained"),
        (
            {"min_available": "60%"},
            "disruption budget: min_available 60% of 2 replicas, which is 2: no node with CoreDNS",
        ),
        ({"min_available": "51%"}, "disruption budget: min_available 51% of 2 replicas, which is 2: no node"),
        ({"min_available": "half"}, "disruption budget: min_available half; expected a number, or a share such as 50%"),
        ({"min_available": "2"}, "disruption budget: min_available 2 of 2 replicas: no node with CoreDNS could be"),
    ],
)
def test_budgets_under_which_no_node_is_drained(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(ScalingError) as caught:
        disruption_budget(TARGET, {"k8s-app": "kube-dns"}, wish, 2)
    assert str(caught.value).startswith(said)


def test_budget() -> None:
    made = disruption_budget(TARGET, {"k8s-app": "kube-dns"}, {"max_unavailable": "1"}, 2)
    assert made["spec"] == {"selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "maxUnavailable": 1}
    assert disruption_budget(TARGET, {}, {"max_unavailable": "100%"}, 2)["spec"]["maxUnavailable"] == "100%"
    # A share is rounded up, of what may be away as well as of what must stay.
    assert disruption_budget(TARGET, {}, {"max_unavailable": "1%"}, 2)["spec"]["maxUnavailable"] == "1%"
    assert disruption_budget(TARGET, {}, {"min_available": "50%"}, 2)["spec"]["minAvailable"] == "50%"
    assert disruption_budget(TARGET, {}, {"min_available": "66%"}, 3)["spec"]["minAvailable"] == "66%"


@pytest.mark.parametrize(
    ("spec", "tolerations", "is_taken"),
    [
        ({}, [], True),
        ({"unschedulable": True}, [], False),
        ({"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}, [], True),
        ({"taints": [{"key": "a", "effect": "NoSchedule"}]}, [], False),
        ({"taints": [{"key": "a", "effect": "NoSchedule"}]}, [{"key": "a", "effect": "NoSchedule"}], True),
        ({"taints": [{"key": "a", "effect": "NoSchedule"}]}, [{"key": "a", "effect": "NoExecute"}], False),
        ({"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}, [{"key": "a"}], False),
        ({"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}, [{"operator": "Exists"}], True),
    ],
)
def test_nodes_that_take_pods(spec: dict[str, Any], tolerations: list[Any], is_taken: bool) -> None:
    assert is_open({"spec": spec}, tolerations) is is_taken
