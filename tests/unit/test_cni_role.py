# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role cni asks of every node before it goes on to the chosen CNI, and that it does not where one node refuses.

The role's own tasks run, with modules in place of the collection's that note what they are given and do nothing.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.noted_plays import play

ROLES = Path(__file__).resolve().parents[2] / "roles"
CNIS = ("calico", "cilium", "flannel")
NOTING = """\
#!/usr/bin/python
# WANT_JSON
import json, os, sys

with open(sys.argv[1]) as file:
    given = {key: value for key, value in json.load(file).items() if not key.startswith("_ansible")}
with open(JOURNAL, "a") as file:
    file.write(json.dumps({"module": NAME, "node": os.environ["NODE"], **given}) + "\\n")
failed = NAME == "cni_info" and os.environ["NODE"] == FAILING
underlay = {"eth0": 9000 if os.environ["NODE"] == "node-b" else 1500}
print(json.dumps({"changed": False, "underlay": underlay, "failed": failed, "msg": "as the test wants"}))
"""
NETWORK = {
    "pod_cidrs": ["10.244.0.0/16"],
    "service_cidrs": ["10.96.0.0/16"],
    "kube_proxy_mode": "nftables",
    "nodes": [{"name": "a", "addresses": ["192.0.2.1", "2001:db8::1"]}, {"name": "b", "addresses": ["192.0.2.2"]}],
}
TOLD = {"node-a": {"eth0": 1500}, "node-b": {"eth0": 9000}}


def run(folder: Path, cni: str, *, entry: str = "main", failing: str = "") -> tuple[int, list[dict[str, Any]], str]:
    """Run the role; how Ansible ended, what modules were given in their order, and what was printed."""
    root = folder / "ansible_collections" / "netops" / "kubernetes"
    for name in ("cni", *CNIS):
        shutil.copytree(ROLES / name, root / "roles" / name)
    (root / "roles" / "kubernetes").mkdir()
    for name in CNIS:
        # Of a CNI's own role what it says before anything is applied.
        (root / "roles" / name / "tasks" / "main.yml").write_text((ROLES / name / "tasks" / "apply.yml").read_text())
    (root / "roles" / "flannel" / "vars" / "main.yml").write_text("__flannel_objects: []\n")
    journal = folder / "journal"
    journal.touch()
    modules = root / "plugins" / "modules"
    modules.mkdir(parents=True)
    for name in ("cni_cluster_info", "cni_info", "cni_preflight", "manifest", "calico", "cilium"):
        text = NOTING.replace("JOURNAL", repr(str(journal))).replace("FAILING", repr(failing))
        (modules / f"{name}.py").write_text(text.replace("NAME", repr(name)))
    hosts = {name: {"ansible_connection": "local"} for name in TOLD}
    variables = {
        "cni_plugin": cni,
        "cni_shared_routes": ["10.0.0.0/8"],
        "kubernetes_network": NETWORK,
        "kubernetes_kubeconfig": "",
        "kubernetes_api_host": "node-a",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    tasks = [{"ansible.builtin.include_role": {"name": "netops.kubernetes.cni", "tasks_from": entry}}]
    code, printed = play(folder, {"all": {"hosts": hosts}}, variables, tasks)
    noted = [json.loads(line) for line in journal.read_text().splitlines()]
    return code, noted, printed


@pytest.mark.parametrize(("cni", "asking"), [("calico", "calico"), ("cilium", "cilium"), ("flannel", "cni_preflight")])
def test_every_node_is_asked_and_the_cni_is_told_what_they_said(tmp_path: Path, cni: str, asking: str) -> None:
    code, noted, printed = run(tmp_path, cni)
    assert code == 0, printed
    asked = [one for one in noted if one["module"] == "cni_info" and one.get("expected")]
    assert sorted(one["node"] for one in asked) == ["node-a", "node-b"]
    for one in asked:
        assert one["expected"] == cni
        assert (one["pod_cidrs"], one["service_cidrs"]) == (NETWORK["pod_cidrs"], NETWORK["service_cidrs"])
        assert one["node_addresses"] == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
        assert one["shared_routes"] == ["10.0.0.0/8"]
    [told] = [one for one in noted if one["module"] == asking]
    assert (told["interfaces"], told["mtu"]) == (TOLD, 0)
    assert told["service_cidrs"] == NETWORK["service_cidrs"]
    if cni == "flannel":
        assert (told["encapsulation"], told["dataplane"]) == ("vxlan", "nftables")
    if cni != "cilium":
        assert told["kube_proxy_mode"] == "nftables"
    assert "linux_dataplane" not in told, "the module takes what goes with the mode"


def test_nothing_is_applied_anywhere_where_one_node_refuses(tmp_path: Path) -> None:
    code, noted, printed = run(tmp_path, "calico", failing="node-b")
    assert code != 0
    assert {one["module"] for one in noted} == {"cni_cluster_info", "cni_info"}, printed


def test_the_verification_asks_the_same(tmp_path: Path) -> None:
    _code, noted, printed = run(tmp_path, "calico", entry="verify")
    [told] = [one for one in noted if one["module"] == "calico"]
    assert told["interfaces"] == TOLD, printed
    asked = [one for one in noted if one["module"] == "cni_info"]
    assert all(one["pod_cidrs"] == NETWORK["pod_cidrs"] for one in asked)
