# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that role node_firewall makes: it follows what the roles of the CNIs are told, and what runs."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLE = Path(__file__).resolve().parents[2] / "roles" / "node_firewall"
NETWORK = {"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/16"], "nodeport_range": "30000-32767"}


def running(cni: str) -> dict[str, Any]:
    """The variables of a cluster in which a CNI is seen."""
    return {"kubernetes_network": {**NETWORK, "cnis": {cni: SEEN[cni]}, "cnis_unread": ""}}


SEEN = {
    "calico": {"encapsulations": ["ipip"], "port": 0, "add_ons": ["typha", "bgp"]},
    "cilium": {"encapsulations": ["geneve"], "port": 6082, "add_ons": []},
}
# Variables as people set them, and what of the plan is the CNI's and its add-ons' then.
FOLLOWED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["flannel-vxlan 8472"]),
    ({"flannel_vxlan_port": 4789}, ["flannel-vxlan 4789"]),
    (
        {"flannel_vxlan_port": 4789, "node_firewall_ports": {"kubelet": 10350}},
        ["flannel-vxlan 4789"],
    ),
    ({"flannel_backend": "host-gw"}, []),
    ({"cni_plugin": "calico"}, ["calico-typha 5473", "calico-vxlan 4789"]),
    (
        {"cni_plugin": "calico", "calico_mode": "manifest", "calico_vxlan_port": 4790, "calico_wireguard": True},
        ["calico-vxlan 4790", "calico-wireguard 51820-51821"],
    ),
    (
        {"cni_plugin": "calico", "calico_felix": {"vxlanPort": 4791}, "calico_bgp": True},
        ["calico-typha 5473", "calico-vxlan 4791", "calico-vxlan-bgp 179"],
    ),
    ({"cni_plugin": "cilium"}, ["cilium-health 4240", "cilium-hubble 4244", "cilium-vxlan 8472"]),
    (
        {
            "cni_plugin": "cilium",
            "cilium_tunnel": "geneve",
            "cilium_hubble": False,
            "cilium_wireguard": True,
            "cilium_values": {"tunnelPort": 6082},
        },
        ["cilium-geneve 6082", "cilium-health 4240", "cilium-wireguard 51871"],
    ),
    (
        {"cni_plugin": "cilium", "cilium_tunnel": "none", "node_firewall_add_ons": ["hubble", "mutual-auth"]},
        ["cilium-health 4240", "cilium-hubble 4244", "cilium-mutual-auth 4250"],
    ),
    # A first run, before anything can be seen.
    (
        {"cni_plugin": "calico", "calico_pools": [{"name": "a", "cidr": "10.244.0.0/16", "encapsulation": "IPIP"}]},
        ["calico-bgp 179", "calico-ipip ", "calico-typha 5473"],
    ),
    (
        {
            "cni_plugin": "calico",
            "calico_bgp": True,
            "calico_pools": [{"encapsulation": "IPIP"}, {"encapsulation": "VXLAN"}],
        },
        ["calico-bgp 179", "calico-ipip ", "calico-typha 5473", "calico-vxlan 4789"],
    ),
    (
        {"cni_plugin": "calico", "calico_encapsulation": "None", "calico_linux_dataplane": "BPF"},
        ["calico-bgp 179", "calico-ebpf-vxlan 4789", "calico-typha 5473"],
    ),
    (
        {
            "cni_plugin": "cilium",
            "cilium_values": {"tunnelProtocol": "geneve", "encryption": {"enabled": True, "type": "wireguard"}},
        },
        ["cilium-geneve 6081", "cilium-health 4240", "cilium-hubble 4244", "cilium-wireguard 51871"],
    ),
    # Nothing is set, and this runs.
    (running("calico"), ["calico-bgp 179", "calico-ipip ", "calico-typha 5473"]),
    (running("cilium"), ["cilium-geneve 6082", "cilium-health 4240"]),
    ({**running("cilium"), "cilium_hubble": True}, ["cilium-geneve 6082", "cilium-health 4240", "cilium-hubble 4244"]),
    ({**running("cilium"), "node_firewall_cni": "flannel"}, ["flannel-vxlan 8472"]),
    ({**running("cilium"), "node_firewall_encapsulation": "native"}, ["cilium-health 4240"]),
]


def plans(folder: Path, settings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plan for each set of variables, all in one run of Ansible."""
    files = [str(ROLE / name / "main.yml") for name in ("defaults", "vars")]
    plays = [
        {
            "hosts": "kube_node",
            "gather_facts": False,
            "vars_files": files,
            # Of the task: a file of the play would win over the play's own.
            "tasks": [
                {"ansible.builtin.debug": {"msg": "PLAN {{ __node_firewall_plan | to_json | b64encode }}"}, "vars": one}
            ],
        }
        for one in settings
    ]
    inventory = {
        "all": {
            "vars": {"ansible_connection": "local", "ip": "192.0.2.1", "kubernetes_network": NETWORK},
            "children": {"kube_control_plane": {"hosts": {"cp": {}}}, "kube_node": {"hosts": {"worker": {}}}},
        }
    }
    return shown_by(folder, inventory, plays, "PLAN")


def shown_by(folder: Path, inventory: dict[str, Any], plays: Sequence[dict[str, Any]], mark: str) -> list[Any]:
    """What plays show behind a word, as JSON in Base64, which no call-back plugin breaks into lines."""
    (folder / "inventory.json").write_text(json.dumps(inventory))
    (folder / "plays.json").write_text(json.dumps(plays))
    command = ["ansible-playbook", "-i", str(folder / "inventory.json"), str(folder / "plays.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(b64decode(found)) for found in re.findall(rf'"{mark} (\S+)"', done.stdout)]


def test_the_plan_follows_what_the_cnis_role_is_told(tmp_path: Path) -> None:
    made = plans(tmp_path, [variables for variables, _unused in FOLLOWED])
    for plan, (variables, expected) in zip(made, FOLLOWED, strict=True):
        rules = [f"{rule['id']} {rule['ports']}" for rule in plan["rules"]]
        assert [one for one in sorted(rules) if one.startswith(("flannel", "calico", "cilium"))] == expected, variables
    assert [rule["ports"] for rule in made[2]["rules"] if rule["id"] == "kubelet"] == ["10350"]


def probes_from_here(folder: Path, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """What entry point verify would probe from the controller; its module stands aside for one that shows that."""
    verify = yaml.safe_load((ROLE / "tasks" / "verify.yml").read_text())
    [block] = [task for task in verify if "block" in task]
    [task] = [task for task in block["block"] if task["name"] == "Probe the nodes from here too"]
    asked = task.pop("netops.kubernetes.port_probe")
    assert (asked["state"], asked["node_name"]) == ("probed", "controller")
    task.pop("register")
    words = asked["targets"].strip().removeprefix("{{").removesuffix("}}")
    task["ansible.builtin.debug"] = {"msg": f"TARGETS {{{{ {words} | to_json | b64encode }}}}"}
    bound = {"protocol": "tcp", "port": 10250, "address": "{{ ip }}", "status": "bound"}
    known = {"__node_firewall_fact": "{{ __node_firewall_plan }}", "__node_firewall_listened": {"listeners": [bound]}}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [str(ROLE / name / "main.yml") for name in ("defaults", "vars")],
        "tasks": [
            {"ansible.builtin.set_fact": known},
            {**task, "vars": {**block["vars"], "node_firewall_controller_addresses": list(addresses)}},
        ],
    }
    inventory = {
        "all": {
            "vars": {"ansible_connection": "local", "kubernetes_network": NETWORK},
            "children": {
                "kube_control_plane": {"hosts": {"cp": {"ip": "192.0.2.1"}}},
                "kube_node": {"hosts": {"worker": {"ip": "192.0.2.2"}}},
            },
        }
    }
    return [target for shown in shown_by(folder, inventory, [play], "TARGETS") for target in shown]


def test_the_controller_probes_every_node_once_when_its_addresses_are_known(tmp_path: Path) -> None:
    assert probes_from_here(tmp_path, []) == []
    targets = probes_from_here(tmp_path, ["198.51.100.7"])
    kubelets = {(one["node_name"], one["expected"]) for one in targets if one["port"] == 10250}
    assert kubelets == {("cp", "closed"), ("worker", "closed")}
