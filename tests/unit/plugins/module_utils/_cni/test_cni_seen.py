# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a CNI carries packets, read from what it has at the API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.seen import (
    calico_network,
    cilium_network,
    flannel_network,
)

MIRROR = Path(os.environ.get("NETOPS_MIRROR", Path(__file__).resolve().parents[5].parent / "shared" / "mirror"))


def flannel(**backend: Any) -> dict[str, Any]:
    return {"data": {"net-conf.json": json.dumps({"Network": "10.244.0.0/16", "Backend": backend})}}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (flannel(Type="vxlan"), {"encapsulations": ["vxlan"], "port": 0, "add_ons": []}),
        (flannel(Type="vxlan", Port=4789), {"encapsulations": ["vxlan"], "port": 4789, "add_ons": []}),
        (flannel(Type="wireguard"), {"encapsulations": ["wireguard"], "port": 0, "add_ons": []}),
        (flannel(), {"encapsulations": ["udp"], "port": 0, "add_ons": []}),
        ({"data": {"net-conf.json": "{"}}, {}),
        ({"data": {"net-conf.json": "[]"}}, {}),
        ({"data": {}}, {}),
        ({}, {}),
    ],
)
def test_flannel(configuration: dict[str, Any], expected: dict[str, Any]) -> None:
    assert flannel_network(configuration) == expected


def test_flannel_as_upstream_publishes_it() -> None:
    documents = yaml.safe_load_all((MIRROR / "flannel/v0.28.9/kube-flannel.yml").read_text())
    [configuration] = [one for one in documents if one["kind"] == "ConfigMap"]
    assert configuration["metadata"]["name"] == "kube-flannel-cfg"
    assert flannel_network(configuration)["encapsulations"] == ["vxlan"]


@pytest.mark.parametrize(
    ("data", "encapsulation", "port", "add_ons"),
    [
        ({"routing-mode": "tunnel", "tunnel-protocol": "vxlan"}, "vxlan", 0, []),
        ({"routing-mode": "tunnel", "tunnel-protocol": "geneve", "tunnel-port": "6082"}, "geneve", 6082, []),
        ({"routing-mode": "native", "tunnel-protocol": "vxlan", "tunnel-port": "0"}, "native", 0, []),
        ({"tunnel": "geneve"}, "geneve", 0, []),
        ({"tunnel": "disabled"}, "native", 0, []),
        ({"enable-hubble": "true", "hubble-listen-address": ":4244"}, "vxlan", 0, ["hubble"]),
        ({"enable-hubble": "true"}, "vxlan", 0, []),
        ({"enable-wireguard": "true", "enable-ipsec": "true"}, "vxlan", 0, ["wireguard", "ipsec"]),
        (
            {"routing-mode": "native", "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": "geneve"},
            "native",
            0,
            ["dsr-geneve"],
        ),
    ],
)
def test_cilium(data: dict[str, str], encapsulation: str, port: int, add_ons: list[str]) -> None:
    assert cilium_network({"data": data}) == {"encapsulations": [encapsulation], "port": port, "add_ons": add_ons}


def test_a_cilium_that_says_nothing() -> None:
    assert cilium_network({}) == {}


def agent(**environment: str) -> dict[str, Any]:
    entries = [{"name": name, "value": value} for name, value in environment.items()]
    return {"spec": {"template": {"spec": {"containers": [{"name": "calico-node", "env": entries}]}}}}


def pool(**modes: Any) -> dict[str, Any]:
    return {"spec": {"cidr": "10.244.0.0/16", **modes}}


@pytest.mark.parametrize(
    ("pools", "expected"),
    [
        ([pool(vxlanMode="Always", ipipMode="Never")], ["vxlan"]),
        ([pool(vxlanMode="CrossSubnet")], ["vxlan-crosssubnet"]),
        ([pool(vxlanMode="CrossSubnet"), pool(vxlanMode="Always")], ["vxlan"]),
        ([pool(ipipMode="Always")], ["ipip"]),
        ([pool(ipipMode="CrossSubnet"), pool()], ["ipip-crosssubnet"]),
        ([pool(ipipMode="Never", vxlanMode="Never")], ["none"]),
        ([pool(ipipMode="Always", disabled=True)], ["ipip"]),
        ([pool(ipipMode="Always"), pool(vxlanMode="CrossSubnet"), pool()], ["vxlan-crosssubnet", "ipip"]),
        ([], None),
    ],
)
def test_the_encapsulations_of_calico_are_those_of_its_pools(
    pools: list[dict[str, Any]], expected: list[str] | None
) -> None:
    assert calico_network(agent(), {}, pools, {}).get("encapsulations") == expected


def test_what_calico_brings_is_told_by_its_agents_and_felix() -> None:
    typha = {"FELIX_TYPHAK8SSERVICENAME": "calico-typha", "CALICO_NETWORKING_BACKEND": "bird"}
    vxlan = [pool(vxlanMode="Always")]
    felix = {"spec": {"vxlanPort": 4790, "wireguardEnabled": True, "bpfEnabled": True}}
    found = calico_network(agent(**typha), {}, vxlan, felix)
    assert found == {"encapsulations": ["vxlan"], "port": 4790, "add_ons": ["typha", "bgp", "wireguard", "calico-ebpf"]}
    assert calico_network(agent(CALICO_NETWORKING_BACKEND="vxlan"), {}, vxlan, {})["add_ons"] == []


@pytest.mark.parametrize("version", ["v3.28.5", "v3.31.7", "v3.32.1"])
def test_calico_as_upstream_publishes_it(version: str) -> None:
    """Its environment is from a ConfigMap, which says "none" for the name of Typha's Service."""
    documents = [one for one in yaml.safe_load_all((MIRROR / f"calico/{version}/calico.yaml").read_text()) if one]
    named = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    live, told = named["DaemonSet", "calico-node"], {"calico-config": named["ConfigMap", "calico-config"]}
    assert calico_network(live, told, [pool(ipipMode="Always")], {})["add_ons"] == ["bgp"]
    told["calico-config"]["data"]["calico_backend"] = "vxlan"
    assert calico_network(live, told, [pool(vxlanMode="Always")], {})["add_ons"] == []
