# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter port_plan_markdown as Ansible loads and calls it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.port_plan import port_plan
from ansible_collections.netops.kubernetes.plugins.filter.port_plan_markdown import FilterModule

GROUPS = {"kube_control_plane": ["cp"], "kube_node": ["worker"]}
HOSTVARS = {"cp": {"ip": "192.0.2.1"}, "worker": {"ip": "192.0.2.2"}}


def plan(node: str, **options: Any) -> dict[str, Any]:
    networks: dict[str, Any] = {"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/16"]}
    return port_plan(GROUPS, HOSTVARS, node, cni="flannel", encapsulation="vxlan", **networks, **options)


def port_plan_markdown(*arguments: Any, **options: Any) -> str:
    text: str = FilterModule().filters()["port_plan_markdown"](*arguments, **options)
    return text


def test_a_section_for_each_node_whatever_their_order() -> None:
    plans = [plan(node) for node in ("worker", "cp")]
    text = port_plan_markdown(plans)
    assert text == port_plan_markdown(plans[::-1])
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Ports of the nodes",
        "## cp",
        "## worker",
    ]
    assert "| kubelet | kubelet | tcp | 10250 | all_nodes, pods |" in text
    assert "| all_nodes | 192.0.2.1/32, 192.0.2.2/32 |" in text
    assert "| services | 10.96.0.0/16 |" in text
    # Only the node of the control plane has an API server.
    assert text.count("| kube-apiserver |") == 1


@pytest.mark.parametrize(("default", "words"), [("drop", "dropped"), ("reject", "rejected"), ("accept", "accepted")])
def test_what_happens_to_everything_else_is_said(default: str, words: str) -> None:
    assert f"; everything else: {words}." in port_plan_markdown([plan("worker")], default_input=default)
    assert "; everything else: dropped." in port_plan_markdown([plan("worker")])


def test_a_plan_that_went_through_json_is_the_same() -> None:
    made = plan("worker", load_balancer_cidrs=["203.0.113.0/28"])
    assert port_plan_markdown([json.loads(json.dumps(made))]) == port_plan_markdown([made])


def test_what_is_no_plan_fails_the_task_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match=r"plan: it lacks 'node_name'.*netops\.kubernetes\.port_plan"):
        port_plan_markdown([{"peers": {}}])
