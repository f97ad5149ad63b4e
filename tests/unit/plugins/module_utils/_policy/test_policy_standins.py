# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins, their connections, and what their ends mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import Executed, exit_code
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import NamedPort, Pod
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import (
    MARK,
    Comparison,
    Connection,
    Seen,
    StandIn,
    chosen,
    connections,
    failure,
    judged,
    missing,
    pod_of,
)

HTTP = NamedPort("http", "TCP", 80)


def pod(name: str, *addresses: str, ports: tuple[NamedPort, ...] = (HTTP,)) -> Pod:
    return Pod("shop", name, {}, addresses, ports=ports)


def test_every_pod_asks_every_other_in_each_family_that_both_have() -> None:
    both, four, six = pod("both", "10.0.0.1", "fd00::1"), pod("four", "10.0.0.2"), pod("six", "fd00::3")
    found = {(one.source.name, one.destination.name, one.address) for one in connections([both, four, six])}
    assert found == {
        ("both", "four", "10.0.0.2"),
        ("both", "six", "fd00::3"),
        ("four", "both", "10.0.0.1"),
        ("six", "both", "fd00::1"),
    }


def test_a_program_connects_once_and_says_why_not() -> None:
    one = Connection(pod("a"), pod("b"), "fd00::1", "UDP", 53)
    assert one.command == ["/agnhost", "connect", "--protocol=udp", "--timeout=2s", "[fd00::1]:53"]


@pytest.mark.parametrize(
    ("code", "output", "verdict"),
    [
        (0, "", "allowed"),
        (1, "TIMEOUT\n", "denied"),
        (1, "TIMEOUT: read udp 10.0.0.1:4: i/o timeout\n", "denied"),
        (1, "REFUSED\n", "denied"),
        (1, "OTHER: dial tcp: no route to host\n", "denied"),
        (1, "UNKNOWN: address x: missing port\n", "unknown"),
        (1, "DNS: no such host\n", "unknown"),
        (137, "", "unknown"),
    ],
)
def test_how_a_connection_ended(code: int, output: str, verdict: str) -> None:
    seen = judged(Executed(code, output))
    assert seen.verdict == verdict
    assert seen.words


def said(*causes: dict[str, str], status: str = "Failure") -> str:
    return json.dumps({"status": status, "details": {"causes": list(causes)}})


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ('{"status": "Success"}', 0),
        (said({"reason": "ExitCode", "message": "3"}), 3),
        (said(), None),
        (said({"reason": "ExitCode", "message": "many"}), None),
        ('{"status": "Failure", "message": "container not found"}', None),
        ("", None),
        ("[]", None),
        ("it broke", None),
    ],
)
def test_the_last_word_of_an_exec(status: str, code: int | None) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize(
    ("predicted", "observed", "agrees"),
    [
        ("allowed", "allowed", True),
        ("denied", "denied", True),
        ("allowed", "denied", False),
        ("denied", "allowed", False),
        ("undefined", "allowed", True),
        ("undefined", "denied", True),
        ("undefined", "unknown", False),
        ("denied", "unknown", False),
    ],
)
def test_what_counts_as_agreement(predicted: str, observed: str, agrees: bool) -> None:
    one = Comparison("a", "b", "TCP", 80, 4, predicted, observed, "words", "reasons")
    assert one.agrees == agrees
    text = f"a to b at TCP 80 over IPv4: predicted {predicted}, observed {observed} (words); reasons"
    assert (text in failure([one])) == (not agrees)


def test_at_most_ten_disagreements_are_named() -> None:
    wrong = [Comparison("a", "b", "TCP", port, 4, "denied", "allowed", "connected", "") for port in range(1, 13)]
    message = failure(wrong)
    assert "12 of 12 connections" in message
    assert message.count("observed allowed") == 10


def live(name: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{}], **spec}}


def policy(key: str) -> dict[str, Any]:
    selector = {"matchExpressions": [{"key": key, "operator": "Exists"}]}
    metadata = {"name": key, "namespace": "shop"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": selector}]}]},
    }


def test_pods_that_no_policy_tells_apart_have_one_stand_in() -> None:
    pods = [
        live("one", {"app": "web", "copy": "1"}),
        live("two", {"app": "web", "copy": "2"}),
        live("other", {"app": "cart"}),
        live("node", {"app": "node"}, hostNetwork=True),
        live("left", {"app": "left", MARK: "true"}),
    ]
    found = chosen(inventory([*pods, policy("app")]), ["shop"], [], [HTTP])
    assert [(one.name, one.stands_for) for one in found] == [
        ("netops-stand-in-1", "shop/one"),
        ("netops-stand-in-2", "shop/other"),
    ]
    found = chosen(inventory([*pods, policy("app"), policy("copy")]), ["shop"], [], [HTTP])
    assert [one.stands_for for one in found] == ["shop/one", "shop/two", "shop/other"]


def test_a_pod_serves_every_port_once() -> None:
    ports = (NamedPort("dns", "UDP", 53), NamedPort("", "UDP", 5353), HTTP)
    made = pod_of(StandIn("shop", {"app": "x"}, ports, "shop/x", "x"), "image", "uid")
    assert [one["args"] for one in made["spec"]["containers"]] == [
        ["netexec", "--http-port=80", "--udp-port=53"],
        ["netexec", "--http-port=0", "--udp-port=5353"],
    ]
    assert made["metadata"]["labels"] == {"app": "x", MARK: "true"}


def test_what_keeps_stand_ins_from_running_is_named() -> None:
    place = {"name": "a", "namespace": "shop"}
    pulling = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    held: dict[str, Any] = {"metadata": place, "status": {"phase": "Pending", "containerStatuses": [pulling]}}
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}
    lost: dict[str, Any] = {"metadata": place, "status": {"phase": "Pending", "conditions": [unplaced]}}
    runs = {"podIP": "10.0.0.1", "conditions": [{"type": "ContainersReady", "status": "True"}]}
    assert missing([{"metadata": place, "status": runs}], 1) == ""
    assert missing([held], 1) == "shop/a: ErrImagePull: no such image"
    assert missing([lost], 1) == "shop/a: 0/2 nodes are available"
    assert missing([], 2) == "2 of 2 pods are not there any more"


def test_unknown_ends_are_told_in_their_own_words() -> None:
    assert judged(Executed(2, "")) == Seen("unknown", "agnhost ended with 2")
