# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium's settings as values of its chart, judged by the schemas that its project publishes."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import (
    Cilium,
    CiliumError,
    carriage,
    require_step,
    require_values,
    values,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import parse

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[5] / ".." / "shared" / "mirror")))
VERSIONS = ("1.19.6", "1.20.0")


def cilium(**settings: Any) -> Cilium:
    return Cilium(**{"version": "1.20.0", "pod_cidrs": ("10.244.0.0/16",), **settings})


@cache
def schema(version: str) -> dict[str, Any]:
    file = MIRROR / "cilium" / version / "values.schema.json"
    assert file.exists(), f"{file} is missing; set NETOPS_MIRROR to a folder with the upstream files"
    content: dict[str, Any] = json.loads(file.read_text())
    return content


@pytest.mark.parametrize("version", VERSIONS)
def test_the_charts_own_defaults_are_values_of_it(version: str) -> None:
    defaults = parse((MIRROR / "cilium" / version / "values.yaml").read_text(), "values.yaml")[0]
    require_values(defaults, schema(version))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pod_cidrs": ("10.244.0.0/16", "2001:db8:244::/104"), "tunnel": "geneve", "mtu": 1400, "wireguard": True},
        {"tunnel": "none", "kube_proxy_replacement": True, "api_endpoint": "192.0.2.1:6443", "hubble": False},
        {"values": {"bpf": {"masquerade": True}, "podAnnotations": {"any": "thing"}}},
    ],
)
def test_what_is_made_of_settings_is_of_the_schema(version: str, settings: dict[str, Any]) -> None:
    require_values(values(cilium(**settings)), schema(version))


def test_settings_become_values_and_further_ones_win() -> None:
    wanted = cilium(
        pod_cidrs=("10.244.0.0/16", "2001:db8:244::/104"),
        kube_proxy_replacement=True,
        api_endpoint="[2001:db8::1]:6443",
        values={"operator": {"replicas": 1}, "hubble": {"relay": {"enabled": True}}},
    )
    made = values(wanted)
    assert made["ipam"]["operator"] == {
        "clusterPoolIPv4PodCIDRList": ["10.244.0.0/16"],
        "clusterPoolIPv6PodCIDRList": ["2001:db8:244::/104"],
    }
    assert (made["ipv4"]["enabled"], made["ipv6"]["enabled"]) == (True, True)
    assert (made["routingMode"], made["tunnelProtocol"]) == ("tunnel", "vxlan")
    assert (made["k8sServiceHost"], made["k8sServicePort"]) == ("2001:db8::1", 6443)
    assert made["operator"] == {"replicas": 1, "rollOutPods": True}
    assert made["hubble"]["relay"] == {"enabled": True, "rollOutPods": True}
    assert made["rollOutCiliumPods"] is True
    routed = values(cilium(tunnel="none"))
    assert (routed["routingMode"], routed["ipv4NativeRoutingCIDR"]) == ("native", "10.244.0.0/16")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ("vxlan", False, 0)),
        ({"tunnel": "geneve", "mtu": 1400, "wireguard": True}, ("geneve", True, 1400)),
        ({"tunnel": "none"}, ("none", False, 0)),
        ({"values": {"routingMode": "native", "MTU": 1300}}, ("none", False, 1300)),
        ({"values": {"tunnelProtocol": "geneve"}, "mtu": 1400}, ("geneve", False, 1400)),
        ({"values": {"encryption": {"enabled": True, "type": "ipsec"}}}, ("vxlan", False, 0)),
    ],
)
def test_how_packets_go_is_told_by_the_values(settings: dict[str, Any], told: tuple[str, bool, int]) -> None:
    assert carriage(values(cilium(**settings))) == told


def test_what_further_values_say_is_judged_as_the_settings_are() -> None:
    routed = values(cilium(values={"routingMode": "native"}))
    assert routed["ipv4NativeRoutingCIDR"] == "10.244.0.0/16"
    wider = {"routingMode": "native", "ipv4NativeRoutingCIDR": "10.0.0.0/8"}
    assert values(cilium(values=wider))["ipv4NativeRoutingCIDR"] == "10.0.0.0/8"
    assert "ipv4NativeRoutingCIDR" not in values(cilium(tunnel="none", values={"routingMode": "tunnel"}))
    for further in (
        {"k8sServiceHost": "192.0.2.1", "k8sServicePort": 6443},
        {"k8sServiceHostRef": {"name": "api"}},
        {"k8s": {"apiServerURLs": "https://192.0.2.1:6443"}},
    ):
        values(cilium(values={"kubeProxyReplacement": True, **further}))
    assert values(cilium(kube_proxy_replacement=True, values={"kubeProxyReplacement": "false"}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"version": "latest"}, "version: 'latest'; expected a version"),
        ({"pod_cidrs": ()}, "pod networks: none; expected one network, or one of each address family"),
        ({"pod_cidrs": ("10.0.0.0/16", "10.1.0.0/16")}, "pod networks: 10.0.0.0/16, 10.1.0.0/16; expected one network"),
        ({"pod_cidrs": ("10.0.0.1/16",)}, "pod network '10.0.0.1/16': it has host bits set"),
        ({"tunnel": "ipip"}, "tunnel: 'ipip'; expected one of vxlan, geneve, none"),
        ({"mtu": -1}, "mtu: -1; expected a number from 0 to 65535"),
        ({"operator_replicas": 0}, "operator_replicas: 0; expected a number from 1 to 10"),
        ({"kube_proxy_replacement": True}, "api_endpoint: ''; expected HOST:PORT"),
        ({"values": {"kubeProxyReplacement": True}}, "api_endpoint: ''; expected HOST:PORT"),
        ({"values": {"kubeProxyReplacement": "true"}}, "api_endpoint: ''; expected HOST:PORT"),
        ({"api_endpoint": "example.com"}, "api_endpoint: 'example.com'; expected HOST:PORT"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(NetopsError) as refused:
        values(cilium(**settings))
    assert said in str(refused.value)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("further", "said"),
    [
        (
            {"kubeProxyReplacment": True},
            "kubeProxyReplacment is no value of this chart (is kubeProxyReplacement meant?)",
        ),
        ({"hubble": {"realy": {}}}, "hubble.realy is no value of this chart (is relay meant?)"),
        ({"operator": {"replicas": "two"}}, "operator.replicas is 'two', not of type integer"),
        ({"encryption": {"enabled": "yes"}}, "encryption.enabled is 'yes', not of type boolean"),
        ({"ipam": []}, "ipam is [], not of type object"),
    ],
)
def test_what_the_chart_does_not_have_is_named(version: str, further: dict[str, Any], said: str) -> None:
    with pytest.raises(CiliumError) as refused:
        require_values(values(cilium(values=further)) if further != {"ipam": []} else further, schema(version))
    assert said in str(refused.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_values_of_kubernetes_own_types_are_the_users(version: str) -> None:
    """The schema is made of the chart's defaults, and names only the labels that these have."""
    affinity: dict[str, Any] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}
    further = {"affinity": affinity, "operator": {"nodeSelector": {"example.com/pool": "system"}}}
    made = values(cilium(values=further, node_selector={"example.com/cni": "cilium"}))
    require_values(made, schema(version))
    assert made["envoy"] == {"rollOutPods": True, "nodeSelector": {"example.com/cni": "cilium"}}
    with pytest.raises(CiliumError, match="nodeSelector is 'all', not of type object"):
        require_values({"nodeSelector": "all"}, schema(version))


def test_one_minor_version_at_a_time() -> None:
    for there in ("", "v1.20.3", "v1.19.6", "1.21.0"):
        require_step(there, "1.20.0")
    with pytest.raises(CiliumError, match=r"version 1\.20\.0: Cilium v1\.18\.1 runs; .* Go to 1\.19 first"):
        require_step("v1.18.1", "1.20.0")
    with pytest.raises(CiliumError, match=r"Go to 1\.21 first"):
        require_step("v1.22.0", "1.20.0")
    with pytest.raises(CiliumError, match="one minor version at a time"):
        require_step("v1.20.0", "2.0.0")
