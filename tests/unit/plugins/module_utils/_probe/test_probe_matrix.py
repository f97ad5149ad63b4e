# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From plans to listeners and targets, and from results to culprits; through the filters where they are thin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_listeners import port_probe_listeners
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_report import port_probe_report
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_targets import port_probe_targets
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, Rule, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.matrix import probed_ports, sample, unlisted
from hypothesis import given
from hypothesis import strategies as st

CLUSTER = Cluster(
    groups={"kube_control_plane": ["cp"], "kube_node": ["w1", "w2"]},
    addresses={"cp": ["192.0.2.1", "2001:db8::1"], "w1": ["192.0.2.2", "2001:db8::2"], "w2": ["192.0.2.3"]},
    cni="flannel",
    encapsulations=("vxlan",),
)
PLANS = {name: plan_for(name, CLUSTER).to_output() for name in CLUSTER.addresses}
HOSTVARS: dict[str, dict[str, Any]] = {
    "cp": {"ip": "192.0.2.1", "access_ip": "2001:db8::1"},
    "w1": {"ip": "192.0.2.2", "access_ip": "2001:db8::2"},
    "w2": {"ip": "192.0.2.3"},
}


def listened(name: str, **status: str) -> dict[str, Any]:
    """A result in which every port is free but those that are named by protocol and number."""
    wanted = port_probe_listeners(PLANS, HOSTVARS, name)
    return {
        "listeners": [
            {
                "protocol": one["protocol"],
                "port": one["port"],
                "address": address,
                "status": status.get(f"{one['protocol']}{one['port']}", "bound"),
            }
            for one in wanted
            for address in one["addresses"]
        ]
    }


def test_a_node_listens_on_what_stands_for_its_plan() -> None:
    wanted = port_probe_listeners(PLANS, HOSTVARS, "w1", negative=False)
    ports = [(one["protocol"], one["port"]) for one in wanted]
    assert {("tcp", 22), ("tcp", 10250), ("tcp", 10256)} < set(ports)
    assert {("tcp", 30000), ("tcp", 32767), ("udp", 30000), ("udp", 32767), ("udp", 8472)} < set(ports)
    assert len(ports) == 12
    assert all(one["addresses"] == ["192.0.2.2", "2001:db8::2"] for one in wanted)
    assert len(port_probe_listeners(PLANS, HOSTVARS, "w1")) == 14


def test_what_has_no_ports_is_listened_on_and_probed() -> None:
    cluster = replace(CLUSTER, encapsulations=("ipsec",), add_ons=("sctp",))
    plans = {name: plan_for(name, cluster).to_output() for name in CLUSTER.addresses}
    wanted = port_probe_listeners(plans, HOSTVARS, "cp")
    assert {"protocol": "esp", "port": 0, "addresses": ["192.0.2.1", "2001:db8::1"]} in wanted
    assert len([one for one in wanted if one["protocol"] == "sctp"]) == 3
    status = {"esp": "bound", "sctp": "unsupported"}
    listeners = [{**one, "address": "192.0.2.1", "status": status.get(one["protocol"], "in_use")} for one in wanted]
    found = port_probe_targets(plans, HOSTVARS, "w2", {"cp": {"listeners": listeners}})
    assert {(one["port"], one["kind"]) for one in found if one["protocol"] == "esp"} == {(0, "echo")}
    assert {one["kind"] for one in found if one["protocol"] == "sctp"} == {"unsupported"}
    [esp] = [one for one in found if one["protocol"] == "esp"]
    row = {"source": "w2", **esp, "verdict": "dropped", "detail": "", "source_address": "192.0.2.3"}
    assert (
        "cp esp 192.0.2.1 (flannel-ipsec-esp) from w2: dropped, expected open"
        in port_probe_report([{"results": [row]}], plans)["text"]
    )


def test_who_is_no_node_reaches_what_everybody_may() -> None:
    listening = {"cp": listened("cp"), "w1": listened("w1")}
    found = port_probe_targets(PLANS, HOSTVARS, "controller", listening, source_addresses=["198.51.100.7"])
    assert {one["node_name"] for one in found} == {"cp", "w1"}
    expected = {one["rule"]: one["expected"] for one in found}
    assert (expected["ssh"], expected["nodeport-tcp"], expected["kubelet"]) == ("open", "open", "closed")
    assert {one["address"] for one in found} == {"192.0.2.1", "192.0.2.2"}, "it has no IPv6"
    with pytest.raises(AnsibleFilterError, match="source_addresses of 'controller': address 'here'"):
        port_probe_targets(PLANS, HOSTVARS, "controller", listening, source_addresses=["here"])


def test_targets_say_what_is_right() -> None:
    listening = {"cp": listened("cp", tcp6443="in_use", udp8472="kernel"), "w1": listened("w1"), "w2": {}}
    found = port_probe_targets(PLANS, HOSTVARS, "w2", listening)
    by_port = {(one["node_name"], one["protocol"], one["port"]): one for one in found}
    assert {one["address"] for one in found} == {"192.0.2.1", "192.0.2.2"}, "w2 has no IPv6, and says nothing of itself"
    assert by_port["cp", "tcp", 6443]["kind"] == "service"
    assert by_port["cp", "tcp", 6443]["expected"] == "open"
    assert by_port["cp", "tcp", 2379]["expected"] == "closed", "a worker is not in the peer set of etcd"
    vxlan = by_port["cp", "udp", 8472]
    assert (vxlan["kind"], vxlan["expected"], vxlan["control_port"]) == ("kernel", "open", 22)
    assert [one["expected"] for one in found if not one["rule"]] == ["closed"] * 4
    positive = port_probe_targets(PLANS, HOSTVARS, "w2", listening, negative=False)
    assert {one["expected"] for one in positive} == {"open"}


def test_nothing_is_expected_where_routes_decide() -> None:
    plans = {name: {**plan, "peers": dict(plan["peers"])} for name, plan in PLANS.items()}
    plans["cp"]["peers"]["all_nodes"] = ["192.0.2.2/32"]
    hostvars = {**HOSTVARS, "w1": {"ip": "192.0.2.2", "access_ip": "192.0.2.22"}}
    found = port_probe_targets(plans, hostvars, "w1", {"cp": listened("cp")})
    assert not [one for one in found if one["rule"] == "kubelet"]


@pytest.mark.parametrize(
    ("ports", "expected"), [("22", (22,)), ("51820-51821", (51820, 51821)), ("1-3", (1, 2, 3)), ("1-65535", None)]
)
def test_ranges_are_sampled(ports: str, expected: tuple[int, ...] | None) -> None:
    found = sample(Rule("one", "one", "tcp", ports, ("all_nodes",)))
    assert expected in (found, None)
    assert found == sample(Rule("one", "one", "tcp", ports, ("all_nodes",)))
    assert list(found) == sorted(set(found))


@given(st.integers(1, 65535), st.integers(1, 65535), st.text(min_size=1, max_size=5))
def test_samples_are_of_their_range(one: int, other: int, name: str) -> None:
    low, high = sorted((one, other))
    found = sample(Rule(name, "one", "tcp", f"{low}-{high}", ()))
    assert (found[0], found[-1]) == (low, high)
    assert list(found) == sorted(set(found))


def test_a_port_that_no_rule_names() -> None:
    plan = plan_for("w1", CLUSTER)
    port = unlisted(plan, "tcp")
    assert 20000 <= port < 30000
    taken = replace(plan, rules=(*plan.rules, Rule("taken", "taken", "tcp", str(port), ("all_nodes",))))
    assert unlisted(taken, "tcp") not in {port, 0}
    everything = replace(plan, rules=(Rule("all", "all", "tcp", "1-65535", ("all_nodes",)),))
    assert next(one for one in probed_ports(everything, negative=True) if one[2] is None)[0] == "udp"


def test_unknown_nodes_and_broken_plans_fail_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="node 'w9': it has no plan; expected one of cp, w1, w2"):
        port_probe_listeners(PLANS, HOSTVARS, "w9")
    with pytest.raises(AnsibleFilterError, match="node 'w9': it has no plan"):
        port_probe_targets(PLANS, HOSTVARS, "w9", {})
    with pytest.raises(AnsibleFilterError, match="the output of the filter"):
        port_probe_report([], plans={"w1": {"rules": 1}})


# ---- results -----------------------------------------------------------------------------------------------------


def row(verdict: str, expected: str = "open", **changes: Any) -> dict[str, Any]:
    return {
        "source": "w2",
        "source_address": "192.0.2.3",
        "node_name": "cp",
        "address": "192.0.2.1",
        "protocol": "tcp",
        "port": 10250,
        "rule": "kubelet",
        "kind": "service",
        "expected": expected,
        "verdict": verdict,
        "detail": "",
        **changes,
    }


OTHER_ANSWER = row("open", port=22, rule="ssh")


@pytest.mark.parametrize(
    ("failed", "others", "culprit", "remedy"),
    [
        (row("refused"), [], "kubelet does not listen on 192.0.2.1", "Start it on cp"),
        (row("refused", kind="echo"), [], "the listener on cp has ended", "Listen for longer"),
        (row("dropped"), [], "nothing at all comes back from 192.0.2.1", "whether cp is up"),
        (
            row("dropped"),
            [OTHER_ANSWER],
            "the plan admits it by rule kubelet",
            "other tables of nft list",
        ),
        (row("rejected"), [], "the plan admits it by rule kubelet", "and at the network"),
        (
            row("rejected", source_address="192.0.2.77"),
            [],
            "the plan of cp does not admit 192.0.2.77 by rule kubelet (from all_nodes)",
            "node_firewall_peers",
        ),
        (row("rejected", node_name="unplanned"), [], "a rule on unplanned or a firewall", "nft list ruleset"),
        (row("no_route"), [], "w2 has no route to 192.0.2.1", "ip route get 192.0.2.1"),
        (
            row("rejected", detail="this node's own rules do not let it out"),
            [],
            "rules of w2 itself",
            "nft list ruleset on w2",
        ),
        (row("open", "closed", port=2379, rule="etcd-client"), [], "nothing on cp drops it", "default_input drop"),
        (row("open", "closed"), [], "the plan admits 192.0.2.3 by rule kubelet", "Correct the peer sets"),
    ],
)
def test_culprits(failed: dict[str, Any], others: list[dict[str, Any]], culprit: str, remedy: str) -> None:
    report = port_probe_report([{"results": [failed, *others]}], plans=PLANS)
    assert len(report["failures"]) == 1
    failure = report["failures"][0]
    assert culprit in failure["culprit"]
    assert remedy in failure["remedy"]
    assert failure["culprit"] in report["text"]
    assert report["matrix"]["w2"][failed["node_name"]][f"tcp 192.0.2.1 {failed['port']}"] == failed["verdict"]


@pytest.mark.parametrize("verdict", ["refused", "rejected", "dropped", "no_route"])
def test_what_does_not_get_in_is_closed(verdict: str) -> None:
    assert port_probe_report([{"results": [row(verdict, "closed")]}])["failures"] == []


def test_what_is_not_known_is_neither_right_nor_wrong() -> None:
    report = port_probe_report([{"results": [row("unknown", detail="why"), row("unknown", "closed")]}, {}], plans=PLANS)
    assert (len(report["failures"]), len(report["unproven"])) == (0, 2)
    assert "0 as expected, 0 not, 2 not proven" in report["text"]
    assert report["missing"] == ["cp", "w1"]
    assert "not probed from: cp, w1" in report["text"]


def test_the_same_failure_from_many_nodes_is_told_once() -> None:
    results = [{"results": [row("refused", source=f"n{number}"), OTHER_ANSWER]} for number in range(50)]
    text = port_probe_report(results)["text"]
    assert text.splitlines()[0] == "from \\ to  cp"
    assert text.splitlines()[1] == "n0         0/1"
    assert "cp tcp 192.0.2.1 10250 (kubelet) from n0, n1, n2 and 47 more: refused, expected open" in text
    assert text.count("does not listen") == 1


def test_nothing_probed_is_said() -> None:
    assert port_probe_report([])["text"] == "nothing was probed\n"
