# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's settings: what they say to Calico, and which are refused with which words."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import (
    Calico,
    CalicoError,
    Pool,
    configuration,
    dataplane_for,
    image_sets,
    installation,
    ip_pools,
    kept,
    pools_of,
    require_kept,
    require_sound,
    widest_pool,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_cluster import objects_of, unready
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_manifest import edited
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_sources import sources
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_task import packets_of
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import images
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import Placement
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import Packets
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from tests.support.calico_typha import typha

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[5] / ".." / "shared" / "mirror")))
POOL = Pool("default-ipv4-ippool", "10.244.0.0/16")
DIGEST = f"sha256:{'0' * 64}"
TAINTED = {"key": "dedicated", "operator": "Exists"}
PLACED = Placement([TAINTED], {"network": "calico"}, {"limits": {"memory": "1Gi"}})
POOL_V6 = Pool("default-ipv6-ippool", "2001:db8:244::/56")


def calico(**settings: Any) -> Calico:
    return Calico(**{"version": "v3.32.1", "pools": (POOL,), **settings})


@cache
def upstream(version: str, *names: str) -> list[dict[str, Any]]:
    files = [MIRROR / "calico" / version / name for name in names]
    assert all(file.exists() for file in files), f"{files} are missing; set NETOPS_MIRROR to upstream's manifests"
    return load([], [str(file) for file in files])


def found(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(obj for obj in objects if obj["kind"] == kind)


def test_a_pod_network_becomes_a_pool_under_calicos_own_name() -> None:
    pools = pools_of(["10.244.0.0/16", "2001:db8:244::/56"], [], "VXLAN")
    assert [pool.name for pool in pools] == ["default-ipv4-ippool", "default-ipv6-ippool"]
    assert [pool.blocks for pool in pools] == [26, 122]
    asked = [{"name": "a", "cidr": "10.0.0.0/16", "block_size": None, "encapsulation": None}]
    assert pools_of(["10.244.0.0/16"], asked, "IPIP") == (Pool("a", "10.0.0.0/16", "IPIP"),)


@pytest.mark.parametrize(
    ("pools", "wireguard", "widest"),
    [
        ([("10.0.0.0/16", "None"), ("10.1.0.0/16", "VXLANCrossSubnet"), ("10.2.0.0/16", "IPIP")], False, 1),
        ([("10.0.0.0/16", "IPIP"), ("10.1.0.0/16", "None")], False, 0),
        # IPv6 adds more, where it is carried in something
        ([("10.0.0.0/16", "VXLAN"), ("2001:db8:1::/64", "VXLAN")], False, 1),
        ([("10.0.0.0/16", "VXLAN"), ("2001:db8:1::/64", "None")], False, 0),
        ([("10.0.0.0/16", "VXLAN"), ("2001:db8:1::/64", "None")], True, 1),
    ],
)
def test_the_pool_that_adds_most_decides_on_the_mtu(pools: list[tuple[str, str]], wireguard: bool, widest: int) -> None:
    made = tuple(Pool(f"pool-{number}", *pool) for number, pool in enumerate(pools))
    assert widest_pool(calico(pools=made, wireguard=wireguard)) is made[widest]


@pytest.mark.parametrize(
    ("mode", "version", "dataplane"),
    [
        ("nftables", "v3.32.1", "Nftables"),
        ("nftables", "v3.31.7", "Nftables"),
        ("nftables", "v3.28.5", "Iptables"),
        ("ipvs", "v3.32.1", "Iptables"),
        ("iptables", "v3.32.1", "Iptables"),
        ("", "v3.32.1", "Iptables"),
    ],
)
def test_the_data_plane_goes_with_kube_proxys_mode(mode: str, version: str, dataplane: str) -> None:
    assert dataplane_for(mode, version) == dataplane


def test_only_by_the_nodes_addresses_their_interfaces_are_calicos() -> None:
    told = {"a": {"eth0": 1500}}
    for method in ("", "kubernetes-internal-ip"):
        made = packets_of(calico(autodetection=method, mtu=1400), told)
        assert made == Packets(told, "VXLAN", mtu=1400, network="10.244.0.0/16")
    made = packets_of(calico(autodetection="interface=eth1", wireguard=True), told)
    assert made == Packets({}, "VXLAN", wireguard=True, network="10.244.0.0/16")


def test_the_installation_says_what_is_set() -> None:
    wanted = calico(
        pools=(POOL, POOL_V6),
        mtu=1400,
        autodetection="cidr=192.0.2.0/24,198.51.100.0/24",
        registry="registry.example.com:5000",
        image_path="mirror",
        pull_secrets=("pull",),
        installation={"nodeUpdateStrategy": {"type": "OnDelete"}, "calicoNetwork": {"hostPorts": "Disabled"}},
    )
    spec = installation(wanted)["spec"]
    assert spec["registry"] == "registry.example.com:5000/"
    assert (spec["imagePath"], spec["imagePullSecrets"]) == ("mirror", [{"name": "pull"}])
    networking = spec["calicoNetwork"]
    assert (networking["mtu"], networking["bgp"], networking["hostPorts"]) == (1400, "Disabled", "Disabled")
    detection = {"cidrs": ["192.0.2.0/24", "198.51.100.0/24"]}
    assert networking["nodeAddressAutodetectionV4"] == networking["nodeAddressAutodetectionV6"] == detection
    assert [pool["blockSize"] for pool in networking["ipPools"]] == [26, 122]
    assert spec["nodeUpdateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("", {"firstFound": True}),
        ("kubernetes-internal-ip", {"kubernetes": "NodeInternalIP"}),
        ("interface=eth.*", {"interface": "eth.*"}),
        ("skip-interface=docker.*", {"skipInterface": "docker.*"}),
        ("can-reach=192.0.2.1", {"canReach": "192.0.2.1"}),
    ],
)
def test_autodetection_in_the_operators_words(method: str, expected: dict[str, Any]) -> None:
    assert installation(calico(autodetection=method))["spec"]["calicoNetwork"]["nodeAddressAutodetectionV4"] == expected


@pytest.mark.parametrize(
    ("encapsulation", "ipip", "vxlan"),
    [
        ("IPIP", "Always", "Never"),
        ("IPIPCrossSubnet", "CrossSubnet", "Never"),
        ("VXLAN", "Never", "Always"),
        ("VXLANCrossSubnet", "Never", "CrossSubnet"),
        ("None", "Never", "Never"),
    ],
)
def test_pools_in_calicos_own_words(encapsulation: str, ipip: str, vxlan: str) -> None:
    spec = ip_pools(calico(pools=(Pool("a", "10.0.0.0/16", encapsulation),)))[0]["spec"]
    assert (spec["ipipMode"], spec["vxlanMode"]) == (ipip, vxlan)


def test_felix_and_bgp_say_what_the_installation_does_not() -> None:
    peer = {"name": "router", "spec": {"peerIP": "192.0.2.1", "asNumber": 64513}}
    wanted = calico(
        mode="manifest",
        bgp=True,
        bgp_peers=(peer,),
        as_number=64999,
        wireguard=True,
        felix={"logSeverityScreen": "Info"},
    )
    said, bgp, router = configuration(wanted)
    assert said["spec"] == {
        "vxlanPort": 4789,
        "vxlanVNI": 4096,
        "wireguardEnabled": True,
        "bpfEnabled": False,
        "nftablesMode": "Disabled",
        "logSeverityScreen": "Info",
    }
    assert bgp["spec"] == {"asNumber": 64999, "nodeToNodeMeshEnabled": True}
    assert router["spec"] == peer["spec"]
    assert [one["kind"] for one in configuration(calico())] == ["FelixConfiguration"]


@pytest.mark.parametrize("version", ["v3.28.5", "v3.31.7", "v3.32.1"])
def test_the_manifest_is_edited_where_the_settings_are(version: str) -> None:
    wanted = calico(version=version, mode="manifest", mtu=1400, pools=(POOL, POOL_V6), autodetection="interface=eth0")
    given = upstream(version, "calico.yaml")
    before = json.dumps(given, sort_keys=True)
    objects = objects_of(wanted, given)
    assert json.dumps(given, sort_keys=True) == before
    settings = next(obj for obj in objects if obj["metadata"]["name"] == "calico-config")["data"]
    assert (settings["calico_backend"], settings["veth_mtu"]) == ("vxlan", "1400")
    conflist = settings["cni_network_config"]
    assert '"mtu": __CNI_MTU__' in conflist
    assert json.loads(conflist.replace("__CNI_MTU__", "0"))["plugins"][0]["ipam"]["assign_ipv6"] == "true"
    container = found(objects, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["NO_DEFAULT_POOLS"] == "true"
    assert environment["IP6"] == "autodetect"
    assert environment["IP6_AUTODETECTION_METHOD"] == "interface=eth0"
    assert environment["FELIX_IPV6SUPPORT"] == "true"
    assert not [name for name in environment if name.startswith("CALICO_IPV")]
    assert len(environment) == len(container["env"])
    assert "-bird-ready" not in container["readinessProbe"]["exec"]["command"]
    assert "-felix-ready" in container["readinessProbe"]["exec"]["command"]


def test_bgp_keeps_its_daemon_and_its_probes() -> None:
    objects = edited(calico(mode="manifest", bgp=True), upstream("v3.32.1", "calico.yaml"))
    container = found(objects, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
    assert "-bird-ready" in container["readinessProbe"]["exec"]["command"]
    assert (
        next(obj for obj in objects if obj["metadata"]["name"] == "calico-config")["data"]["calico_backend"] == "bird"
    )


@pytest.mark.parametrize(
    ("version", "mode"), [(v, m) for v in ("v3.28.5", "v3.31.7", "v3.32.1") for m in ("operator", "manifest")]
)
def test_in_a_closed_network_every_image_comes_from_the_registry(version: str, mode: str) -> None:
    operator = ["tigera-operator.yaml"] if version == "v3.28.5" else ["operator-crds.yaml", "tigera-operator.yaml"]
    given = upstream(version, *(operator if mode == "operator" else ["calico.yaml"]))
    wanted = calico(version=version, mode=mode, registry="registry.example.com/", pull_secrets=("pull",))
    objects = edited(wanted, given)
    assert images(objects)
    assert all(name.startswith("registry.example.com/") for name in images(objects))
    for obj in objects:
        if obj["kind"] in {"DaemonSet", "Deployment"}:
            assert obj["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def workload(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    kinds = {"DaemonSet", "Deployment"}
    found: dict[str, Any] = next(obj for obj in objects if obj["kind"] in kinds and obj["metadata"]["name"] == name)
    spec: dict[str, Any] = found["spec"]
    return spec


@pytest.mark.parametrize("version", ["v3.28.5", "v3.31.7", "v3.32.1"])
def test_every_workload_of_the_manifest_is_placed(version: str) -> None:
    given = [*upstream(version, "calico.yaml"), *typha(version)]
    wanted = calico(version=version, mode="manifest", node=PLACED, control_plane=PLACED, typha=PLACED, typha_replicas=3)
    objects = edited(wanted, given)
    for name in ("calico-node", "calico-kube-controllers", "calico-typha"):
        pod = workload(objects, name)["template"]["spec"]
        assert pod["tolerations"] == [TAINTED]
        assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "network": "calico"}
        assert pod["containers"][0]["resources"] == {"limits": {"memory": "1Gi"}}
    assert workload(objects, "calico-typha")["replicas"] == 3
    settings = next(obj for obj in objects if obj["metadata"]["name"] == "calico-config")["data"]
    assert settings["typha_service_name"] == "calico-typha"


def test_what_is_not_said_of_workloads_is_upstreams() -> None:
    given = [*upstream("v3.32.1", "calico.yaml"), *typha("v3.32.1")]
    objects = edited(calico(mode="manifest"), given)
    for name in ("calico-node", "calico-kube-controllers", "calico-typha"):
        before, after = (workload(one, name)["template"]["spec"] for one in (given, objects))
        for key in ("tolerations", "nodeSelector"):
            assert after[key] == before[key]
        assert after["containers"][0].get("resources") == before["containers"][0].get("resources")
    assert workload(objects, "calico-typha")["replicas"] == 1


def test_the_operator_is_told_where_its_pods_run() -> None:
    spec = installation(calico(node=PLACED, control_plane=PLACED, typha=PLACED))["spec"]
    for name, container in (("calicoNodeDaemonSet", "calico-node"), ("typhaDeployment", "calico-typha")):
        assert spec[name]["spec"]["template"]["spec"] == {
            "tolerations": [TAINTED],
            "nodeSelector": {"network": "calico"},
            "containers": [{"name": container, "resources": {"limits": {"memory": "1Gi"}}}],
        }
    assert spec["controlPlaneTolerations"] == [TAINTED]
    assert spec["controlPlaneNodeSelector"] == {"network": "calico"}
    assert spec["calicoKubeControllersDeployment"]["spec"]["template"]["spec"] == {
        "containers": [{"name": "calico-kube-controllers", "resources": {"limits": {"memory": "1Gi"}}}]
    }
    assert set(installation(calico())["spec"]) == {"calicoNetwork"}


def test_the_operators_images_are_pinned_by_an_image_set() -> None:
    assert image_sets(calico(digests={"operator": DIGEST})) == []
    [pinned] = image_sets(calico(digests={"operator": DIGEST, "calico/typha": DIGEST, "calico/node": DIGEST}))
    assert pinned["metadata"]["name"] == "calico-v3.32.1"
    assert [one["image"] for one in pinned["spec"]["images"]] == ["calico/node", "calico/typha"]
    given = upstream("v3.32.1", "operator-crds.yaml", "tigera-operator.yaml")
    assert images(edited(calico(digests={"operator": DIGEST}), given)) == [f"quay.io/tigera/operator:v1.42.3@{DIGEST}"]


def test_what_the_operator_filled_in_stays_and_what_is_set_wins() -> None:
    live = {"spec": {"calicoNetwork": {"ipPools": [{"name": POOL.name, "allowedUses": ["Workload"], "blockSize": 20}]}}}
    pools = kept(installation(calico()), live)["spec"]["calicoNetwork"]["ipPools"]
    assert (pools[0]["allowedUses"], pools[0]["blockSize"]) == (["Workload"], 26)


def test_a_pool_without_a_name_keeps_the_one_that_the_operator_gave_it() -> None:
    pools = [{"cidr": "10.244.0.0/16", "blockSize": 26}, {"cidr": "10.245.0.0/16"}]
    wanted = installation(calico(installation={"calicoNetwork": {"ipPools": pools}}))
    named = [
        {"name": "10.245.0.0-16", "cidr": "10.245.0.0/16", "blockSize": 26},
        {"name": "10.244.0.0-16", "cidr": "10.244.0.0/16", "blockSize": 20},
    ]
    live = {"spec": {"calicoNetwork": {"ipPools": named}}}
    assert kept(wanted, live)["spec"]["calicoNetwork"]["ipPools"] == [
        {"name": "10.244.0.0-16", "cidr": "10.244.0.0/16", "blockSize": 26},
        {"name": "10.245.0.0-16", "cidr": "10.245.0.0/16", "blockSize": 26},
    ]
    # Nothing is there yet that could be the same.
    assert kept(wanted, {"spec": {}}) == wanted


def test_the_operator_is_believed_when_it_speaks_of_now() -> None:
    def status(name: str, generation: int, available: str = "True") -> dict[str, Any]:
        states = {"Available": available, "Progressing": "False", "Degraded": "False"}
        conditions = [{"type": n, "status": s, "observedGeneration": generation} for n, s in states.items()]
        return {"kind": "TigeraStatus", "metadata": {"name": name}, "status": {"conditions": conditions}}

    wanted = {"metadata": {"generation": 2}}
    assert unready([], wanted) == ["TigeraStatus 'calico' is not there yet"]
    assert unready([status("calico", 2)], wanted) == []
    assert unready([status("calico", 1)], wanted) == [
        "TigeraStatus 'calico': it does not speak of the Installation's last change yet"
    ]
    parts = [status("calico", 2), status("apiserver", 0, "False")]
    assert unready(parts, wanted) == ["TigeraStatus 'apiserver': condition Available is False: "]


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"version": "newest"}, "calico_version: 'newest'; expected a version such as 1.36.3"),
        ({"mode": "helm"}, "mode: 'helm'; expected one of operator, manifest"),
        ({"linux_dataplane": "VPP"}, "linux_dataplane: 'VPP'; expected one of Iptables, Nftables, BPF"),
        ({"linux_dataplane": "Nftables", "version": "v3.28.5"}, "Calico v3.28.5 has none; expected 3.31 or later"),
        ({"linux_dataplane": "BPF"}, "api_endpoint is ''; expected HOST:PORT of the API server"),
        ({"linux_dataplane": "BPF", "api_endpoint": "example.com"}, "api_endpoint is 'example.com'"),
        ({"mtu": -1}, "mtu: -1; expected a number from 0 to 65535"),
        ({"mtu": 70000}, "mtu: 70000"),
        ({"vxlan_port": 0}, "vxlan_port: 0; expected a number from 1 to 65535"),
        ({"vxlan_vni": 2**24}, "vxlan_vni: 16777216; expected a number from 1 to 16777215"),
        ({"as_number": 0}, "as_number: 0; expected a number from 1 to 4294967295"),
        ({"image_path": "a"}, "image_path: 'a'; expected a registry beside it"),
        ({"pools": ()}, "pools: there is none; expected one pool"),
        ({"pools": (Pool("Bad_Name", "10.0.0.0/16"),)}, "pool 'Bad_Name': it is no name"),
        ({"pools": (Pool("a", "10.0.0.0/16", "Geneve"),)}, "encapsulation of pool 'a': 'Geneve'; expected one of IPIP"),
        ({"pools": (Pool("a", "10.0.0.1/16"),)}, "pool 'a' '10.0.0.1/16': it has host bits set; expected 10.0.0.0/16"),
        ({"pools": (Pool("a", "here"),)}, "pool 'a' 'here': "),
        ({"pools": (Pool("a", "10.0.0.0/16", block_size=19),)}, "block_size 19 in 10.0.0.0/16; expected /20 to /32"),
        (
            {"pools": (Pool("a", "10.0.0.0/28"),)},
            "block_size 26 in 10.0.0.0/28; expected /20 to /32",
        ),
        (
            {"pools": (Pool("a", "2001:db8::/56", block_size=64),)},
            "block_size 64 in 2001:db8::/56; expected /116",
        ),
        ({"pools": (Pool("a", "2001:db8::/56", "IPIP"),), "bgp": True}, "pool 'a': encapsulation IPIP of IPv6"),
        ({"pools": (Pool("a", "10.0.0.0/16", "None"),)}, "pool 'a': encapsulation None without BGP; expected VXLAN"),
        ({"pools": (Pool("a", "10.0.0.0/16", "VXLANCrossSubnet"),)}, "encapsulation VXLANCrossSubnet without BGP"),
        ({"pools": (POOL, Pool(POOL.name, "10.0.0.0/16"))}, "two pools have this name"),
        (
            {"pools": (POOL, Pool("a", "10.244.8.0/24"))},
            "pool 'a' 10.244.8.0/24: it overlaps the pool 'default",
        ),
        ({"pools": (Pool("a", "10.0.0.0/16", disabled=True),)}, "pools: all of them are disabled"),
        (
            {"pools": (POOL, Pool("a", "10.0.0.0/16", disabled=True)), "version": "v3.28.5"},
            "pool 'a': the operator of Calico v3.28.5 cannot disable it; expected 3.31 or later",
        ),
        (
            {"node": Placement(resources={"request": {}})},
            "resources: request; expected requests and limits",
        ),
        (
            {"control_plane": Placement([{"keys": "a"}])},
            "control_plane_tolerations: {'keys': 'a'} has ['keys']; expected fields of a toleration",
        ),
        (
            {"typha": Placement([{"key": "a", "effect": "noschedule"}])},
            "typha_tolerations: effect 'noschedule'; expected one of NoSchedule, PreferNoSchedule, NoExecute",
        ),
        (
            {"node": Placement([{"effect": "NoSchedule"}])},
            "tolerations: {'effect': 'NoSchedule'} has no key; expected a key, or operator Exists for every key",
        ),
        ({"typha_replicas": -1, "mode": "manifest"}, "typha_replicas: -1; expected a number from 0"),
        ({"typha_replicas": 2}, "typha_replicas: 2 in mode operator; expected 0: the operator has as many"),
        (
            {"digests": {"operator": "v1.42.3"}},
            "digest of image 'operator': 'v1.42.3'; expected sha256: and 64 hexadecimal digits",
        ),
        (
            {"digests": {"node": DIGEST}},
            "expected operator for its own image, and else FOLDER/NAME. Say calico/node, and give a digest for every",
        ),
        ({"bgp_peers": ({"name": "a", "spec": {}},)}, "bgp_peers: BGP is off"),
        ({"bgp": True, "node_mesh": False}, "node_mesh: off, and no peer is named"),
        ({"bgp": True, "bgp_peers": ({"name": "a"},)}, "BGP peer 'a': name or spec is missing"),
        ({"bgp": True, "bgp_peers": ({"spec": {}},)}, "BGP peer None: name or spec is missing"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(NetopsError) as refused:
        require_sound(calico(**settings))
    assert said in str(refused.value)


@pytest.mark.parametrize("method", ["eth0", "interface=", "magic=1"])
def test_autodetection_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(CalicoError, match="it is no way to find a node's address"):
        installation(calico(autodetection=method))


def test_a_pool_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(CalicoError, match=r"pool 'a': .*colour.*fields name, cidr"):
        pools_of([], [{"name": "a", "cidr": "10.0.0.0/16", "colour": "red"}], "VXLAN")
    with pytest.raises(CalicoError, match=r"pool 'a': .*cidr"):
        pools_of([], [{"name": "a"}], "VXLAN")


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ({"cidr": "10.0.0.0/8"}, "it has 10.0.0.0/8, wanted is 10.244.0.0/16"),
        ({"cidr": "10.244.0.0/16", "blockSize": 24}, "its blocks are /24, wanted is /26"),
    ],
)
def test_a_pool_that_is_there_is_not_replaced(live: dict[str, Any], said: str) -> None:
    require_kept([POOL], [{"metadata": {"name": POOL.name}, "spec": {"cidr": "10.244.0.0/16"}}])
    with pytest.raises(CalicoError) as refused:
        require_kept([POOL], [{"metadata": {"name": POOL.name}, "spec": live}])
    assert said in str(refused.value)
    with pytest.raises(CalicoError, match="no pool of this name is wanted"):
        require_kept([POOL], [{"metadata": {"name": "other"}, "spec": live}])


@pytest.mark.parametrize(
    ("mode", "missing"),
    [("operator", "Deployment 'tigera-operator'"), ("manifest", "ConfigMap 'calico-config'")],
)
def test_other_manifests_are_named(mode: str, missing: str) -> None:
    with pytest.raises(CalicoError) as refused:
        edited(calico(mode=mode), [{"kind": "Pod", "metadata": {"name": "a"}}])
    assert f"src: {missing} is not in it; expected Calico's own manifests" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"typha_replicas": 3},
            "expected calico-typha.yaml in place of calico.yaml. Name https://raw.githubusercontent.com/projectcalico/",
        ),
        ({"typha": PLACED}, "typha: something is said of it, and Deployment 'calico-typha' is not in the manifest"),
        (
            {"digests": {"nodes": DIGEST}},
            "digest of image 'nodes': no such image is in the manifests; expected one of cni, kube-controllers, node.",
        ),
    ],
)
def test_what_the_manifest_has_no_place_for_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(CalicoError) as refused:
        edited(calico(mode="manifest", **settings), upstream("v3.32.1", "calico.yaml"))
    assert said in str(refused.value)


def test_the_manifest_with_typha_is_not_looked_for_in_vain() -> None:
    assert sources("v3.32.1", "manifest")[0][0].endswith("/v3.32.1/manifests/calico.yaml")
    with pytest.raises(CalicoError, match=r"the checksums of calico-typha\.yaml are not known"):
        sources("v3.32.1", "manifest", typha=True)
