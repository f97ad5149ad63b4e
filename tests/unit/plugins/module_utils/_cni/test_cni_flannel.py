# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flannel's objects, held against upstream's own manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import (
    Flannel,
    FlannelError,
    net_conf,
    objects,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.cluster import require_sound
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[5] / ".." / "shared" / "mirror")))
PODS = ("10.244.0.0/16",)

PLACE = "ghcr.io/flannel-io"


def by_kind(listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {obj["kind"]: obj for obj in listed}


@pytest.mark.parametrize(("version", "plugin"), [("v0.28.9", "v1.9.1-flannel3"), ("v0.28.4", "v1.9.1-flannel1")])
def test_the_objects_are_upstreams(version: str, plugin: str) -> None:
    """All but what is named here is as in the manifest that Flannel publishes."""
    manifest = MIRROR / "flannel" / version / "kube-flannel.yml"
    assert manifest.exists(), f"{manifest} is missing; set NETOPS_MIRROR to a folder with the upstream manifests"
    theirs = by_kind(list(yaml.safe_load_all(manifest.read_text())))
    wanted = Flannel(PODS, image=f"{PLACE}/flannel:{version}", cni_image=f"{PLACE}/flannel-cni-plugin:{plugin}")
    ours = by_kind(objects(wanted))
    configuration = ours["ConfigMap"].pop("data"), theirs["ConfigMap"].pop("data")
    parsed = [{name: json.loads(text) for name, text in one.items()} for one in configuration]
    # Upstream leaves VXLAN's number and port to defaults; ours are said.
    assert parsed[0]["net-conf.json"]["Backend"] == {"Type": "vxlan", "VNI": 1, "Port": 8472}
    parsed[0]["net-conf.json"]["Backend"] = {"Type": "vxlan"}
    assert parsed[0] == parsed[1]
    # Another configuration must be another pod.
    del ours["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]
    for variable in ours["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]["env"]:
        # The API server's own default.
        variable.get("valueFrom", {}).get("fieldRef", {}).pop("apiVersion", None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mtu": "0"}, "mtu: '0'; expected a number. Hand it on through the filter int."),
        ({"vni": True}, "vni: True; expected a number"),
        ({"port": "8472"}, "port: '8472'; expected a number"),
        ({"direct_routing": "false"}, "direct_routing: 'false'; expected true or false. Hand it on through the filter"),
        ({"nftables": 0}, "nftables: 0; expected true or false"),
    ],
)
def test_a_text_is_no_number_and_no_truth(settings: dict[str, Any], said: str) -> None:
    """As such it would reach net-conf.json, which flanneld then does not parse."""
    with pytest.raises(FlannelError) as refused:
        objects(Flannel(PODS, **settings))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"Type": "vxlan", "VNI": 1, "Port": 8472}),
        (
            {"direct_routing": True, "mtu": 9000},
            {"Type": "vxlan", "VNI": 1, "Port": 8472, "DirectRouting": True, "MTU": 9000},
        ),
        ({"backend": "host-gw", "mtu": 9000}, {"Type": "host-gw"}),
        ({"backend": "wireguard", "mtu": 1400}, {"Type": "wireguard", "MTU": 1400}),
        ({"backend": "udp"}, {"Type": "udp"}),
    ],
)
def test_backends(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert net_conf(Flannel(PODS, **settings))["Backend"] == expected


def test_address_families() -> None:
    dual = net_conf(Flannel((*PODS, "2001:db8:244::/56")))
    assert (dual["Network"], dual["IPv6Network"], dual["EnableIPv6"]) == (PODS[0], "2001:db8:244::/56", True)
    six = net_conf(Flannel(("2001:db8:244::/56",)))
    assert six["EnableIPv4"] is False
    assert "Network" not in six


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pod_cidrs": ()}, "pod networks: none"),
        ({"pod_cidrs": ("10.244.0.0/16", "10.245.0.0/16")}, "one of each address family"),
        ({"pod_cidrs": ("10.244.0.1/16",)}, "has host bits set"),
        ({"pod_cidrs": PODS, "backend": "ipip"}, "flannel_backend: 'ipip'"),
        ({"pod_cidrs": PODS, "backend": "udp", "direct_routing": True}, "flannel_direct_routing"),
        ({"pod_cidrs": PODS, "port": 0}, "port 0"),
        ({"pod_cidrs": PODS, "port": 65536}, "port 65536"),
        ({"pod_cidrs": PODS, "vni": 0}, "vni 0"),
        ({"pod_cidrs": PODS, "vni": 2**24}, "a number below 2^24"),
        ({"pod_cidrs": PODS, "resources": {"request": {}}}, "flannel_resources: request; expected requests and limits"),
        ({"pod_cidrs": PODS, "tolerations": [{"keys": "a"}]}, "has ['keys']; expected fields of a toleration"),
        ({"pod_cidrs": PODS, "image": "flannel"}, "flannel_image: 'flannel'; expected REGISTRY/NAME:TAG"),
        ({"pod_cidrs": PODS, "cni_image": "a/b:c "}, "flannel_image: 'a/b:c '"),
    ],
)
def test_settings_that_contradict_each_other_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(FlannelError) as refused:
        objects(Flannel(**settings))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("pods", "services", "node", "message"),
    [
        (["10.244.0.0/16"], ["10.96.0.0/16"], "192.0.2.1", ""),
        (["10.0.0.0/8"], ["10.96.0.0/16"], "192.0.2.1", "Service network 10.96.0.0/16: it overlaps the pod network"),
        (
            ["10.244.0.0/16"],
            ["10.96.0.0/16"],
            "10.244.3.1",
            "address of node a 10.244.3.1/32: it overlaps the pod network",
        ),
        (["10.244.0.1/16"], [], "192.0.2.1", "pod network '10.244.0.1/16'"),
        (["2001:db8::/56"], ["10.96.0.0/16"], "2001:db8:1::1", ""),
    ],
)
def test_networks_that_overlap_are_both_named(pods: list[str], services: list[str], node: str, message: str) -> None:
    nodes = [{"name": "a", "addresses": [node]}, {"name": "b", "addresses": [node]}]
    if not message:
        require_sound(pods, services, nodes)
        return
    with pytest.raises(NetworkError) as refused:
        require_sound(pods, services, nodes)
    assert message in str(refused.value)


def test_a_closed_network_and_where_flannel_runs() -> None:
    flannel = Flannel(
        PODS,
        image="ghcr.io/flannel-io/flannel@sha256:0123",
        registry="registry.example.com:5000/mirror/",
        pull_secrets=["regcred"],
        tolerations=[{"key": "dedicated", "operator": "Exists"}],
        node_selector={"network": "flannel"},
        resources={"limits": {"memory": "100Mi"}},
    )
    made = {obj["kind"]: obj for obj in objects(flannel)}["DaemonSet"]["spec"]["template"]["spec"]
    images = {one["image"] for one in made["containers"] + made["initContainers"]}
    place = "registry.example.com:5000/mirror/flannel-io"
    assert images == {f"{place}/flannel@sha256:0123", f"{place}/flannel-cni-plugin:v1.9.1-flannel3"}
    assert made["imagePullSecrets"] == [{"name": "regcred"}]
    assert made["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert made["nodeSelector"] == {"network": "flannel"}
    assert made["containers"][0]["resources"] == {"limits": {"memory": "100Mi"}}
