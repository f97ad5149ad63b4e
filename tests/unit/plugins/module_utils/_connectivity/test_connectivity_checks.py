# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections prove a network, what their answers mean, and what is likely to be the cause when some fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity import checks
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.causes import likely_causes
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import (
    Check,
    Pod,
    Stage,
    Verdict,
    Wishes,
    distances,
    judge,
    judge_program,
    matrix,
    plan,
    pods_of,
    summary,
    untried,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.session import (
    WORKERS,
    ConnectivityError,
    require_all,
    until_all_pass,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.task import wishes_of

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = {"spec": {"clusterIP": "10.96.7.7", "ports": [{"nodePort": 31000}]}}
DUAL = {"spec": {**SERVICE["spec"], "clusterIPs": ["10.96.7.7", "2001:db8:96::7"]}}


def stage(count: int = 2, *, dual: bool = False) -> Stage:
    def addresses(network: int, number: int) -> tuple[str, ...]:
        four = f"10.{network}.{number // 250}.{number % 250 + 1}"
        return (four, f"2001:db8:{network}::{number + 1:x}") if dual else (four,)

    names = [f"node-{number:04}" for number in range(count)]
    pods = [Pod(f"a-{name}", name, addresses(244, number)) for number, name in enumerate(names)]
    beside = [Pod(f"b-{name}", name, addresses(245, number)) for number, name in enumerate(names)]
    on_nodes = [Pod(f"n-{name}", name, addresses(10, number)) for number, name in enumerate(names)]
    nodes = {name: addresses(10, number) for number, name in enumerate(names)}
    return Stage(pods, beside, on_nodes, DUAL if dual else SERVICE, nodes)


def test_every_kind_of_connection_is_tried_from_every_node() -> None:
    wishes = Wishes(("www.example.com",), (("192.0.2.9", 443),), 1450)
    tried = {(one.source.name, one.kind, one.host, one.port) for one in plan(stage(), wishes)}
    assert tried >= {
        ("a-node-0000", "pod to pod (TCP)", "10.244.0.2", 8080),
        ("a-node-0001", "pod to pod (UDP)", "10.244.0.1", 8081),
        ("a-node-0000", "pod to pod of its node (TCP)", "10.245.0.1", 8080),
        ("a-node-0000", "large transfers", "10.244.0.2", 8080),
        ("a-node-0000", "packets of the MTU", "10.244.0.2", 8081),
        ("a-node-0000", "Service by address", "10.96.7.7", 80),
        ("a-node-0000", "Service by name", "connectivity.netops-connectivity.svc", 80),
        ("a-node-0000", "NodePort", "10.10.0.2", 31000),
        ("n-node-0000", "node to pod", "10.244.0.2", 8080),
        ("n-node-0000", "node to pod", "10.244.0.1", 8080),
        ("a-node-0001", "outside", "192.0.2.9", 443),
        ("a-node-0001", "name", "www.example.com", 80),
    }
    assert ("a-node-0000", "NodePort", "10.10.0.1", 31000) not in tried
    assert len(tried) == 26, sorted(tried)


def test_both_families_are_tried_where_there_are_two() -> None:
    tried = {
        (one.kind, one.host) for one in plan(stage(dual=True), Wishes(mtu=1430)) if one.source.name[2:] == "node-0000"
    }
    for kind, host in (
        ("pod to pod (TCP, IPv6)", "2001:db8:244::2"),
        ("pod to pod of its node (UDP, IPv6)", "2001:db8:245::1"),
        ("large transfers (IPv6)", "2001:db8:244::2"),
        ("packets of the MTU (IPv6)", "2001:db8:244::2"),
        ("Service by address (IPv6)", "2001:db8:96::7"),
        ("NodePort (IPv6)", "2001:db8:10::2"),
        ("node to pod (IPv6)", "2001:db8:244::2"),
        ("pod to pod (TCP)", "10.244.0.2"),
    ):
        assert (kind, host) in tried


def test_a_packet_of_the_mtu_is_of_just_that_size() -> None:
    """What agnhost sends over UDP with the headers of IP and UDP (RFC 768, 791, 8200)."""
    for dual, headers in ((False, 28), (True, 48)):
        full = [one for one in plan(stage(dual=dual), Wishes(mtu=1450)) if one.what == checks.FULL]
        assert len(full[-1].query["request"]) + headers == 1450


def test_the_work_grows_with_the_nodes_and_not_with_their_pairs() -> None:
    assert distances(17) == list(range(1, 17))
    assert distances(1000) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    small, large = len(plan(stage(500), Wishes())), len(plan(stage(1000), Wishes()))
    assert large / small < 2.3
    tried = [one for one in plan(stage(100), Wishes()) if one.kind == "pod to pod (TCP)"]
    assert {one.target for one in tried} == {f"pod on node-{number:04}" for number in range(100)}


ONE = Pod("a", "one", ("10.244.0.2",))


@pytest.mark.parametrize(
    ("protocol", "message", "answer", "refused", "passed", "seen"),
    [
        ("http", "", {"responses": ["b"]}, "", True, "b"),
        ("http", "", {"errors": ["timeout"]}, "", False, "timeout"),
        ("http", "", {}, "", False, "no answer"),
        ("http", "", "<html>", "", False, "no answer of agnhost: <html>"),
        ("http", "xxx", {"responses": ["xxx"]}, "", True, "3 of 3 bytes came back"),
        ("udp", "xxx", {"responses": ["x"]}, "", False, "1 of 3 bytes came back"),
        ("name", "", {"errors": ["connection refused"]}, "", True, "it resolves"),
        ("name", "", None, "lookup www.example.com: no such host", False, "no such host"),
    ],
)
def test_what_an_answer_means(protocol: str, message: str, answer: Any, refused: str, passed: bool, seen: str) -> None:
    verdict = judge(Check("x", ONE, "y", "h", 80, protocol, message), answer, refused)
    assert verdict.passed is passed
    assert seen in verdict.seen


def test_what_the_end_of_a_program_means() -> None:
    check = Check(checks.OUTSIDE, ONE, "y", "192.0.2.9", 443, "connect")
    assert check.command == ["/agnhost", "connect", "--timeout=5s", "192.0.2.9:443"]
    assert judge_program(check, 0, "").passed
    assert judge_program(check, 1, "TIMEOUT\n") == Verdict(check, False, "TIMEOUT")
    six = Check(checks.FROM_NODE, ONE, "y", "2001:db8::1", 80, "connect")
    assert six.command[-1] == "[2001:db8::1]:80"


def verdicts(
    fails: Callable[[Check], bool], count: int = 3, wishes: Wishes | None = None, *, dual: bool = False
) -> list[Verdict]:
    tried = plan(stage(count, dual=dual), wishes or Wishes(("www.example.com",), (("192.0.2.9", 443),), 1450))
    return [Verdict(check, not fails(check), "i/o timeout" if fails(check) else "fine") for check in tried]


@pytest.mark.parametrize(
    ("fails", "cause"),
    [
        (lambda one: one.what in {checks.LARGE, checks.FULL}, "MTU of the nodes' network less|Set the CNI's MTU"),
        (lambda one: one.what == checks.FULL, "small transfers work between these nodes and large ones do not"),
        (lambda one: one.what in {checks.ACROSS, checks.LARGE, checks.FULL}, "VXLAN: UDP 8472 of Flannel"),
        (lambda one: one.what == checks.ACROSS and one.protocol == "udp", "only UDP fails"),
        (
            lambda one: one.what == checks.ACROSS and "node-0001" in one.source.node_name + one.target,
            "every failure is from or to node 'node-0001'",
        ),
        (lambda one: one.what == checks.SAME_NODE, "pods of one node do not reach each other"),
        (
            lambda one: one.what in {checks.SERVICE, checks.SERVICE_NAME} and one.source.node_name == "node-0002",
            "look at kube-proxy, or what replaces it, on node-0002",
        ),
        (lambda one: one.what in {checks.SERVICE_NAME, checks.RESOLVED}, "look at CoreDNS"),
        (lambda one: one.target == "node node-0001", "NodePorts of node node-0001 are not"),
        (lambda one: one.what == checks.FROM_NODE, "rp_filter"),
        (lambda one: one.what == checks.OUTSIDE, "masqueraded"),
        (lambda _one: True, "pods of one node do not reach each other"),
    ],
)
def test_likely_causes(fails: Callable[[Check], bool], cause: str) -> None:
    found = likely_causes(verdicts(fails))
    assert any(part in " | ".join(found) for part in cause.split("|")), found


def test_one_family_alone_is_named() -> None:
    found = likely_causes(verdicts(lambda one: one.what == checks.ACROSS and ":" in one.host, dual=True))
    assert "only IPv6 fails" in found[0]


def test_a_control_plane_that_does_not_reach_pods_is_told_from_pods_that_do_not() -> None:
    """All that is asked through the API server fails before it reaches a pod; what kubelets start in one works."""
    refused = "error trying to reach service: dial tcp 10.244.0.7:8080: i/o timeout"
    tried = [
        Verdict(one.check, True, "connected") if one.check.protocol == "connect" else judge(one.check, None, refused)
        for one in verdicts(lambda _one: False)
    ]
    [cause] = likely_causes(tried)
    assert "a control plane outside the pod network needs a route to the pods" in cause
    # One pod that was asked is enough to look at what lies between pods.
    asked = next(number for number, one in enumerate(tried) if one.check.what == checks.SAME_NODE)
    tried[asked] = judge(tried[asked].check, {"errors": ["i/o timeout"]})
    assert "pods of one node do not reach each other" in likely_causes(tried)[0]


def test_where_all_works_there_is_no_cause() -> None:
    assert likely_causes(verdicts(lambda _one: False)) == []


def test_a_broken_connection_is_named_from_both_ends_and_in_the_matrix() -> None:
    good = verdicts(lambda _one: False)
    require_all(good)
    bad = verdicts(lambda one: one.what == checks.LARGE and one.source.node_name == "node-0000")
    assert "large transfers: 4 of 6 connections work" in summary(bad)
    with pytest.raises(ConnectivityError) as refused:
        require_all(bad)
    said = str(refused.value)
    assert "large transfers from pod on node-0000 to pod on node-0001: i/o timeout" in said
    assert "Likely cause: small transfers work between these nodes" in said
    cells = refused.value.details["matrix"]
    assert cells == matrix(bad)
    assert cells["node-0000"]["pod on node-0001"] == "large transfers: i/o timeout"
    assert cells["node-0001"]["pod on node-0000"] == "works"
    assert refused.value.details["causes"] == likely_causes(bad)


def test_no_connection_is_begun_after_the_time_is_over() -> None:
    """A blocked tunnel port in a large cluster: thousands of checks, of which each takes seconds to fail."""

    def lost(check: Check) -> Verdict:
        # As a dropped packet does, it takes a while to fail.
        time.sleep(0.5)
        return Verdict(check, False, "i/o timeout")

    wanted = plan(stage(100), Wishes())
    told = until_all_pass(lost, wanted, timeout=1.2)
    assert [one.check for one in told] == wanted
    assert 0 < sum(one.tried for one in told) <= 3 * WORKERS
    assert {one.seen for one in told if not one.tried} == {"not tried: the time is over"}


def test_what_was_seen_before_the_time_was_over_is_kept() -> None:
    seen: list[Check] = []

    def slower(check: Check) -> Verdict:
        seen.append(check)
        # The second round does not end in time.
        time.sleep(0.0 if len(seen) <= len(wanted) else 1.0)
        return Verdict(check, False, "i/o timeout")

    wanted = plan(stage(3), Wishes())
    told = until_all_pass(slower, wanted, timeout=1.5)
    assert len(seen) < 2 * len(wanted)
    assert {one.seen for one in told} == {"i/o timeout"}


def test_what_was_not_tried_is_told_as_not_tried() -> None:
    """Those of the last nodes were not tried; they are no sign of anything."""
    across = {checks.ACROSS, checks.LARGE, checks.FULL, checks.NODE_PORT}
    told = [
        one if one.check.source.node_name == "node-0000" else untried(one.check)
        for one in verdicts(lambda one: one.what in across)
    ]
    tunnel, *_others, time_over = likely_causes(told)
    assert "look whether the tunnel's port is open" in tunnel
    assert "the time was over before every connection was tried" in time_over
    with pytest.raises(ConnectivityError) as refused:
        require_all(list(reversed(told)))
    failing = sum(one.tried and not one.passed for one in told)
    left = sum(not one.tried for one in told)
    assert f"{failing} of {len(told)} connections fail, and {left} were not tried before the time was over: " in str(
        refused.value
    )
    assert str(refused.value).count(": i/o timeout") == min(10, failing)
    cell = refused.value.details["matrix"]["node-0001"]["Service"]
    assert cell == "Service by address: not tried: the time is over"
    # No pod was asked through the API server; that it would not answer is not known.
    by_kubelets = [
        one if one.check.protocol == "connect" else untried(one.check) for one in verdicts(lambda _one: False)
    ]
    assert likely_causes(by_kubelets) == [time_over]


def test_pods_that_end_or_have_no_address_are_left_out() -> None:
    spec, running = {"nodeName": "one"}, {"podIP": "10.244.0.2", "podIPs": [{"ip": "10.244.0.2"}]}
    labels = {"app": "connectivity"}
    listed = [
        {"metadata": {"name": "a", "labels": labels}, "spec": spec, "status": running},
        {"metadata": {"name": "b", "labels": labels}, "spec": spec, "status": {}},
        {"metadata": {"name": "c", "labels": labels, "deletionTimestamp": "now"}, "spec": spec, "status": running},
        {"metadata": {"name": "d", "labels": {"app": "other"}}, "spec": spec, "status": running},
    ]
    assert [pod.name for pod in pods_of(listed, "connectivity")] == ["a"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mtu": 10}, "mtu 10: no link has it; expected 0, or 68 to 65535 bytes"),
        ({"mtu": -1}, "mtu -1: no link has it"),
        ({"mtu": 70000}, "mtu 70000: no link has it"),
        ({"outside": ["www.example.com"]}, "outside 'www.example.com': it is no server; expected HOST:PORT"),
        ({"outside": [":443"]}, "outside ':443': it is no server"),
        ({"outside": ["a:0"]}, "outside 'a:0': it is no server"),
        ({"outside": ["a:70000"]}, "outside 'a:70000': it is no server"),
    ],
)
def test_wishes_that_cannot_be(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConnectivityError) as refused:
        wishes_of({"names": [], "outside": [], "mtu": 0, "cni_nodes": {}, **asked})
    assert message in str(refused.value)


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    asked = {"names": [], "outside": ["[2001:db8::1]:443"], "mtu": 0, "cni_nodes": {}}
    assert wishes_of(asked).outside == (("2001:db8::1", 443),)


@pytest.mark.parametrize(
    ("mtu", "nodes", "tried"),
    [
        (0, {"a": {"mtu": 1450}, "b": {"mtu": 1400}}, 1400),
        (1300, {"a": {"mtu": 1450}}, 1300),
        # A CNI that says it nowhere.
        (0, {"a": {"mtu": 0}, "b": {}}, 0),
        (0, {}, 0),
    ],
)
def test_the_mtu_is_what_the_cni_says_unless_it_is_given(mtu: int, nodes: dict[str, Any], tried: int) -> None:
    assert wishes_of({"names": [], "outside": [], "mtu": mtu, "cni_nodes": nodes}).mtu == tried
