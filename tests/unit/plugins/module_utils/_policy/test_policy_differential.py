# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random clusters, judged by the collection and by a literal evaluator that shares nothing with it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import (
    ALLOWED,
    DENIED,
    UNDEFINED,
    Reachability,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from tests.support.literal_policies import LiteralCluster
from tests.support.random_policies import OUTSIDE, PORTS, PROTOCOLS, RandomCluster

# `make fuzz` asks for more.
CLUSTERS = int(os.environ.get("NETOPS_FUZZ_CLUSTERS", "400"))
FIRST = int(os.environ.get("NETOPS_FUZZ_FIRST", "0"))
PARTS = 4


def literal(readings: list[LiteralCluster], source: Any, destination: Any, protocol: str, port: int) -> str:
    answers: set[bool] = set()
    for reading in readings:
        answers |= reading.outcomes(source, destination, protocol, port)
    return UNDEFINED if len(answers) > 1 else ALLOWED if answers == {True} else DENIED


def text(end: Any) -> str:
    return end if isinstance(end, str) else f"{end['metadata']['namespace']}/{end['metadata']['name']}"


def disagreements(seed: int) -> list[str]:
    cluster = RandomCluster(seed)
    objects = cluster.objects()
    ours = Reachability(inventory(objects))
    ends: dict[str, Any] = {text(one): ours.find(text(one)) for one in objects if one["kind"] == "Pod"}
    found = []
    for family in cluster.families:
        readings = [LiteralCluster(objects, family, hosts_are_pods=hosts) for hosts in (False, True)]
        pods = readings[0].pods()
        outside = cluster.pick.sample(OUTSIDE[family], 2)
        for source in [*pods, *outside]:
            for destination in [*pods, *outside]:
                if isinstance(source, str) and isinstance(destination, str):
                    continue
                protocol, port = cluster.pick.choice(PROTOCOLS), cluster.pick.choice((*PORTS, 9000))
                expected = literal(readings, source, destination, protocol, port)
                begin, end = ends.get(text(source), text(source)), ends.get(text(destination), text(destination))
                seen = ours.judge(begin, end, protocol, port, family).verdict
                if seen != expected:
                    found.append(
                        f"seed {seed} IPv{family}: {text(source)} > {text(destination)} {protocol} {port}: "
                        f"{seen}, taken literally {expected}"
                    )
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_every_verdict_is_the_literal_one(part: int) -> None:
    found = [line for seed in range(FIRST + part, FIRST + CLUSTERS, PARTS) for line in disagreements(seed)]
    assert not found, "\n".join(found[:20])


def test_a_mistake_would_show() -> None:
    """The clusters are such that all verdicts occur, and that forgetting one policy changes some of them."""
    verdicts: set[str] = set()
    changed = 0
    for seed in range(60):
        objects = RandomCluster(seed).objects()
        policies = [one for one in objects if one["kind"].endswith("Policy")]
        pods = [text(one) for one in objects if one["kind"] == "Pod"]
        whole = Reachability(inventory(objects))
        less = Reachability(inventory([one for one in objects if one not in policies[:1]]))
        answers = [[one.reachable(a, b, "TCP", 80).verdict for a in pods for b in pods] for one in (whole, less)]
        verdicts |= set(answers[0])
        changed += answers[0] != answers[1]
    assert {ALLOWED, DENIED, UNDEFINED} <= verdicts
    assert changed > 10
