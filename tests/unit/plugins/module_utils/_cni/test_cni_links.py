# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which links of a node change with its CNI's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni import links
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.links import (
    is_own,
    plan,
    told_mtu,
    tunnels,
)

if TYPE_CHECKING:
    from pathlib import Path


def link(name: str, index: int, mtu: int, peer: int = 0, master: str = "") -> dict[str, Any]:
    """A link as ``ip -j link`` lists it."""
    found: dict[str, Any] = {"ifname": name, "ifindex": index, "mtu": mtu}
    if peer:
        found["link_index"] = peer
    return {**found, "master": master} if master else found


def flannel_node(mtu: int, tunnel: str = "flannel.1") -> list[dict[str, Any]]:
    return [
        link("lo", 1, 65536),
        link("eth0", 2, 1500),
        link(tunnel, 3, mtu),
        link("cni0", 4, mtu),
        link("veth1", 5, mtu, peer=2, master="cni0"),
        link("veth2", 6, 1500, peer=2, master="docker0"),
    ]


PODS = {"cni-1": [link("lo", 1, 65536), link("eth0", 2, 1450, peer=5)], "other": [link("eth0", 2, 1500, peer=6)]}


def lines(*arguments: Any) -> list[str]:
    return [step.line for step in plan(*arguments)]


@pytest.mark.parametrize(
    ("mtu", "first", "second"),
    [
        (1400, "link eth0 in cni-1: MTU 1450 -> 1400", "link veth1: MTU 1450 -> 1400"),
        (1500, "link veth1: MTU 1450 -> 1500", "link eth0 in cni-1: MTU 1450 -> 1500"),
    ],
)
def test_a_pod_and_the_bridge_get_the_new_mtu(mtu: int, first: str, second: str) -> None:
    assert lines("flannel", mtu, {"flannel.1"}, flannel_node(1450), PODS) == [
        first,
        second,
        f"link flannel.1: MTU 1450 -> {mtu}",
        f"link cni0: MTU 1450 -> {mtu}",
    ]


def test_what_is_right_stays() -> None:
    assert lines("flannel", 1450, {"flannel.1"}, flannel_node(1450), PODS) == []


@pytest.mark.parametrize(
    ("backend", "vni", "there", "gone"),
    [
        ("host-gw", 1, "flannel.1", True),
        ("vxlan", 1, "flannel.1", False),
        ("vxlan", 7, "flannel.1", True),
        ("vxlan", 7, "flannel-v6.7", False),
        ("wireguard", 1, "flannel.1", True),
        ("wireguard", 1, "flannel-wg", False),
        ("vxlan", 1, "flannel-wg", True),
        ("udp", 1, "flannel0", False),
        ("vxlan", 1, "flannel0", True),
        ("vxlan", 1, "flannels-own", False),
    ],
)
def test_tunnels_of_another_backend_go(backend: str, vni: int, there: str, gone: bool) -> None:
    told = lines("flannel", 1450, tunnels(backend, vni), flannel_node(1450, there), PODS)
    assert told == ([f"link {there}: removed"] if gone else [])


def vxlan(name: str, number: int, *, learning: bool = False, kind: str = "vxlan") -> dict[str, Any]:
    made = {"info_kind": kind, "info_data": {"id": number, "learning": learning}}
    return {**link(name, 3, 1450), "linkinfo": made}


@pytest.mark.parametrize(
    ("told", "own"),
    [
        (vxlan("flannel.4096", 4096), True),
        (vxlan("flannel-v6.4096", 4096), True),
        (vxlan("flannel.4096", 4095), False),
        (vxlan("flannel.2", 2, learning=True), False),
        (vxlan("flannel.2", 2, kind="bridge"), False),
        (vxlan("flannel.x", 2), False),
        (vxlan("vxlan.calico", 4096), False),
        (link("flannel.2", 3, 1450), False),
        # The default's name is Flannel's alone.
        (link("flannel.1", 3, 1450), True),
    ],
)
def test_a_tunnel_is_flannels_by_its_name_and_its_network(told: dict[str, Any], own: bool) -> None:
    assert is_own("flannel", told) is own
    assert bool(lines("flannel", 1400, tunnels("vxlan", 9), [told], {})) is own
    assert lines("flannel", 1450, tunnels("vxlan", 4096) | tunnels("vxlan", 1), [told], {}) == []


def test_calico_has_no_bridge_and_removes_its_own_tunnels() -> None:
    host = [link("vxlan.calico", 3, 1450), link("cali0123456789a", 5, 1500, peer=2)]
    assert lines("calico", 1400, set(), host, {"cni-1": [link("eth0", 2, 1500, peer=5)]}) == [
        "link eth0 in cni-1: MTU 1500 -> 1400",
        "link cali0123456789a: MTU 1500 -> 1400",
    ]


def test_a_link_whose_number_is_a_ports_by_chance_is_left_alone() -> None:
    assert (
        lines("flannel", 1400, set(), [link("veth1", 5, 1400, 2, "cni0")], {"x": [link("wg0", 9, 1300, peer=5)]}) == []
    )


@pytest.mark.parametrize(
    ("cni", "content", "mtu"),
    [
        ("calico", '{"plugins": [{"type": "calico", "mtu": 1430}]}', 1430),
        ("calico", "{", 0),
        ("calico", '{"plugins": [{"mtu": "__CNI_MTU__"}]}', 0),
        ("cilium", '{"plugins": [{"mtu": 1430}]}', 0),
        ("", "", 0),
    ],
)
def test_an_mtu_that_a_cni_does_not_say_is_none(
    cni: str, content: str, mtu: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "10-calico.conflist"
    file.write_text(content)
    monkeypatch.setattr(links, "CALICO_CONFIGURATION", str(file))
    assert told_mtu(cni) == mtu
