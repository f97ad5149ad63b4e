# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of roles that are texts, as ``-e name=value`` gives every one.

The check of a role's arguments admits a text for a number or a truth, and does not convert it. A module converts its
options; what goes into a filter, a condition or an option's dictionary stays a text, and the text ``false`` is true.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.support.noted_plays import play

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTION = Path(__file__).resolve().parents[2]
ROLES = COLLECTION / "roles"
CNIS = ("calico", "cilium", "flannel")
TEXTS = {
    "kubernetes_network": {"pod_cidrs": ["10.244.0.0/16"]},
    "flannel_mtu": "0",
    "flannel_vxlan_port": "8472",
    "flannel_vxlan_vni": "1",
    "flannel_direct_routing": "false",
    "flannel_nftables": "false",
    "calico_bgp": "false",
    "calico_wireguard": "false",
    "calico_vxlan_port": "4789",
    "calico_vxlan_vni": "4096",
    "cilium_kube_proxy_replacement": "false",
}
CONDITION = re.compile(r"(\w+)(?: \| bool)?")


def run(folder: Path, variables: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
    """Run tasks with these variables and the collection's own plugins and roles, but the one that asks a cluster."""
    root = folder / "ansible_collections" / "netops" / "kubernetes"
    (root / "roles" / "kubernetes").mkdir(parents=True)
    (root / "plugins").symlink_to(COLLECTION / "plugins")
    for name in CNIS:
        (root / "roles" / name).symlink_to(ROLES / name)
    hosts = {"node": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
    code, printed = play(folder, {"all": {"hosts": hosts}}, variables, tasks)
    assert code == 0, printed


def test_a_cni_gets_numbers_and_truths(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    settings = [
        {
            "ansible.builtin.include_role": {
                "name": f"netops.kubernetes.{name}",
                "tasks_from": "settings",
                "public": True,
            }
        }
        for name in CNIS
    ]
    shown = "[__flannel_objects, flannel_settings, calico_settings, cilium_settings]"
    show = {"ansible.builtin.copy": {"dest": str(told), "content": f"{{{{ {shown} | to_json }}}}", "mode": "0600"}}
    run(tmp_path, TEXTS, [*settings, show])
    objects, flannel, calico, cilium = json.loads(told.read_text())
    [configuration] = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    assert json.loads(configuration["net-conf.json"]) == {
        "EnableNFTables": False,
        "Backend": {"Type": "vxlan", "VNI": 1, "Port": 8472},
        "Network": "10.244.0.0/16",
    }
    assert flannel == {"backend": "vxlan", "port": 8472, "vni": 1, "direct_routing": False}
    assert (calico["bgp"], calico["wireguard"], calico["vxlan_port"], calico["vxlan_vni"]) == (False, False, 4789, 4096)
    assert cilium["kube_proxy_replacement"] is False


def test_what_is_switched_off_by_a_text_is_off(tmp_path: Path) -> None:
    conditions = dict(_conditions())
    assert {"cni_switch_verify", "coredns_verify_uninstall", "node_firewall_probe"} <= set(conditions.values())
    variables = dict.fromkeys(conditions.values(), "false")
    run(tmp_path, variables, [{"ansible.builtin.assert": {"that": [f"not ({one})" for one in conditions]}}])


def _conditions() -> Iterator[tuple[str, str]]:
    """The conditions of tasks that are a variable alone which a role's arguments call a truth, with its name."""
    for role in sorted(path for path in ROLES.iterdir() if (path / "meta" / "argument_specs.yml").exists()):
        specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
        options = chain.from_iterable((one.get("options") or {}).items() for one in specs.values())
        truths = {name for name, option in options if option["type"] == "bool"}
        for file in sorted((role / "tasks").glob("*.yml")):
            for task in _tasks(yaml.safe_load(file.read_text())):
                said = task.get("when", [])
                for condition in said if isinstance(said, list) else [said]:
                    found = CONDITION.fullmatch(str(condition))
                    if found and found[1] in truths:
                        yield str(condition), found[1]


def _tasks(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in listed:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _tasks(task.get(part, []))


def test_no_replicas_asked_for_as_a_text_are_none_asked_for(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROLES / "coredns" / "tasks" / "main.yml").read_text())
    [asked] = [task[name] for task in tasks for name in task if name == "netops.kubernetes.coredns_workload"]
    words = asked["replicas"].removeprefix("{{").removesuffix("}}")
    run(tmp_path, {"coredns_replicas": "0"}, [{"ansible.builtin.assert": {"that": f"({words}) == omit"}}])
