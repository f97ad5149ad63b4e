# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections prove a network, and what their answers mean."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import (
    Check,
    Pod,
    judge,
    plan,
    pods_of,
    summary,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.session import (
    ConnectivityError,
    require_all,
)

PODS = [Pod("a", "one", "10.244.0.2"), Pod("b", "two", "10.244.1.2")]
SERVICE = {"spec": {"clusterIP": "10.96.7.7", "ports": [{"nodePort": 31000}]}}
NODES = {"one": "192.0.2.1", "two": "192.0.2.2"}


def test_every_pod_tries_every_other_node() -> None:
    checks = plan(PODS, SERVICE, NODES, ["www.example.com"])
    tried = {(check.source.name, check.what, check.host, check.port) for check in checks}
    assert ("a", "pod to pod (TCP)", "10.244.1.2", 8080) in tried
    assert ("b", "pod to pod (UDP)", "10.244.0.2", 8081) in tried
    assert ("a", "NodePort", "192.0.2.2", 31000) in tried
    assert ("a", "NodePort", "192.0.2.1", 31000) not in tried
    assert ("b", "name", "www.example.com", 80) in tried
    assert len(checks) == 12


CHECK = plan(PODS, SERVICE, NODES, ["www.example.com"])


@pytest.mark.parametrize(
    ("protocol", "answer", "refused", "passed", "seen"),
    [
        ("http", {"responses": ["b"]}, "", True, "b"),
        ("http", {"errors": ["timeout"]}, "", False, "timeout"),
        ("http", {}, "", False, "no answer"),
        ("http", "<html>", "", False, "no answer of agnhost: <html>"),
        ("name", {"errors": ["connection refused"]}, "", True, "it resolves"),
        ("name", None, "lookup www.example.com: no such host", False, "no such host"),
    ],
)
def test_what_an_answer_means(protocol: str, answer: Any, refused: str, passed: bool, seen: str) -> None:
    verdict = judge(Check("x", PODS[0], "y", "h", 80, protocol), answer, refused)
    assert verdict.passed is passed
    assert seen in verdict.seen


def test_a_broken_connection_is_named_from_both_ends() -> None:
    good = judge(CHECK[0], {"responses": ["b"]})
    bad = judge(CHECK[0], {"errors": ["i/o timeout"]})
    require_all([good])
    assert summary([good, bad]) == ["pod to pod (TCP): 1 of 2 connections work"]
    with pytest.raises(ConnectivityError, match=r"pod to pod \(TCP\) from pod on one to pod on two: i/o timeout"):
        require_all([good, bad])


def test_pods_that_end_or_have_no_address_are_left_out() -> None:
    spec, running = {"nodeName": "one"}, {"podIP": "10.244.0.2"}
    listed = [
        {"metadata": {"name": "a"}, "spec": spec, "status": running},
        {"metadata": {"name": "b"}, "spec": spec, "status": {}},
        {"metadata": {"name": "c", "deletionTimestamp": "now"}, "spec": spec, "status": running},
    ]
    assert [pod.name for pod in pods_of(listed)] == ["a"]
