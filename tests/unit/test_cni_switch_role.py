# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How role cni_switch goes from node to node: in the plan's order, and no further than the first failure.

The role's own tasks run, with modules in place of the collection's that note that they were called and do nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.noted_plays import play

TASKS = Path(__file__).resolve().parents[2] / "roles" / "cni_switch" / "tasks"
MODULES = ("cni_switch", "cni_cleanup", "cni_info", "connectivity_check", "node_kernel")
NOTING = """\
#!/usr/bin/python
# WANT_JSON
import json, os, sys

with open(sys.argv[1]) as file:
    step = json.load(file).get("state", "none") + " " + os.environ["NODE"]
with open(JOURNAL, "a") as file:
    file.write(step + "\\n")
print(json.dumps({"changed": False, "static_pods": [], "failed": step == FAILING, "msg": "as the test wants"}))
"""
# Not as an inventory sorts them, and the control plane last.
PLANNED = ["node-c", "node-b", "node-d", "node-a"]
STEPS = ("emptied", "filled", "opened")
END = ("settled", "ended")


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder of collections with one of this name, of modules that only note."""
    root = tmp_path / "ansible_collections" / "netops" / "kubernetes"
    for role, entries in (("flannel", ["provide", "main"]), ("calico", ["remove"]), ("connectivity", ["main"])):
        folder = root / "roles" / role / "tasks"
        folder.mkdir(parents=True)
        for entry in entries:
            (folder / f"{entry}.yml").write_text("[]\n")
    return root


def steps_of(root: Path, *, failing: str = "", unreachable: str = "") -> tuple[int, list[str], str]:
    """Run the switch; how Ansible ended, the steps on nodes in their order, and what was printed."""
    folder = root.parents[2]
    journal = folder / "journal"
    journal.touch()
    modules = root / "plugins" / "modules"
    modules.mkdir(parents=True)
    for name in MODULES:
        text = NOTING.replace("JOURNAL", repr(str(journal))).replace("FAILING", repr(failing))
        (modules / f"{name}.py").write_text(text)
    switch = {
        "source": "calico",
        "pending_nodes": PLANNED,
        "pod_cidrs": [],
        "node_selector": {"netops.kubernetes/cni": "flannel"},
        "record": {"way": "joined", "stage": "nodes"},
    }
    hosts: dict[str, Any] = {name: {"ansible_connection": "local"} for name in sorted(PLANNED)}
    if unreachable:
        hosts[unreachable] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory = {"all": {"hosts": hosts, "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}}
    tasks: list[dict[str, Any]] = [
        {
            "ansible.builtin.set_fact": {
                "__cni_switch": switch,
                "__cni_switch_name": "{{ inventory_hostname }}",
                "__cni_switch_began": "{{ ansible_play_hosts }}",
            }
        },
        {"ansible.builtin.include_tasks": str(TASKS / "switch.yml")},
    ]
    variables = {
        "cni_switch_to": "flannel",
        "cni_switch_verify": True,
        "cni_switch_timeout": 1,
        "cni_switch_delete_unmanaged_pods": False,
        "kubernetes_kubeconfig": "",
        "kubernetes_api_host": "localhost",
    }
    code, printed = play(folder, inventory, variables, tasks)
    noted = [line for line in journal.read_text().splitlines() if line.split()[0] in STEPS + END]
    return code, noted, printed


def test_no_node_is_touched_after_one_that_failed(collections: Path) -> None:
    code, steps, printed = steps_of(collections, failing="filled node-b")
    assert code != 0
    assert steps == [f"{step} node-c" for step in STEPS] + ["emptied node-b", "filled node-b"], printed
    assert "node-b was not switched to its end" in " ".join(printed.split())


def test_no_node_is_touched_after_one_that_was_lost(collections: Path) -> None:
    code, steps, printed = steps_of(collections, unreachable="node-b")
    assert code != 0
    assert steps == [f"{step} node-c" for step in STEPS] + ["emptied node-b"], printed
    assert "node-b was not switched to its end" in " ".join(printed.split())


def test_nodes_are_switched_in_the_order_of_the_plan_and_not_forgotten_with_leftovers(collections: Path) -> None:
    code, steps, printed = steps_of(collections, failing="absent node-c")
    assert code != 0
    assert steps == [f"{step} {node}" for node in PLANNED for step in STEPS] + ["settled node-a"], printed
    assert "node-c was not switched to its end" in " ".join(printed.split())
