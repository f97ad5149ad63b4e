# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's interfaces and routes out of what ip(8) lists."""

from __future__ import annotations

import json

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.surroundings import (
    Route,
    default_devices,
    interfaces_in,
    routes_in,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.underlay import Interface, carriers

# ip -j -4 route show table all, of a node with a VPN, Calico's blocks and two ways out.
LISTED = json.loads(
    """[
    {"dst":"default","flags":[],"nexthops":[
      {"gateway":"192.0.2.253","dev":"bond0.100","weight":1,"flags":[]},
      {"via":{"family":"inet6","host":"fe80::1"},"dev":"eth9","weight":1,"flags":[]}]},
    {"dst":"10.0.0.0/8","gateway":"192.0.2.254","dev":"bond0.100","flags":[]},
    {"type":"blackhole","dst":"10.244.66.64/26","protocol":"bird","flags":[]},
    {"dst":"10.244.66.65","dev":"cali0123456789a","scope":"link","flags":[]},
    {"dst":"10.244.67.0/26","gateway":"192.0.2.2","dev":"bond0.100","protocol":"bird","flags":[]},
    {"dst":"100.64.0.0/10","dev":"tailscale0","table":"52","flags":[]},
    {"dst":"default","dev":"wg0","table":"51820","scope":"link","flags":[]},
    {"type":"throw","dst":"192.168.9.0/24","table":"52","flags":[]},
    {"type":"local","dst":"192.0.2.1","dev":"bond0.100","table":"local","protocol":"kernel","flags":[]},
    {"type":"broadcast","dst":"192.0.2.255","dev":"bond0.100","table":"local","protocol":"kernel","flags":[]},
    {}
]"""
)
SIX = json.loads(
    """[
    {"dst":"default","gateway":"fe80::1","dev":"eth0","protocol":"ra","metric":1024,"flags":[],"pref":"medium"},
    {"dst":"fe80::/64","dev":"eth0","protocol":"kernel","metric":256,"flags":[],"pref":"medium"},
    {"type":"multicast","dst":"ff00::/8","dev":"eth0","table":"local","protocol":"kernel","metric":256,"flags":[]},
    {"type":"unreachable","dst":"2001:db8:244::/64","dev":"lo","metric":1024,"flags":[],"pref":"medium"}
]"""
)
# ip -j address show, in part.
ADDRESSES = json.loads(
    """[
    {"ifindex":1,"ifname":"lo","mtu":65536,"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
    {"ifindex":2,"ifname":"eth0","mtu":9000,"master":"bond0","addr_info":[]},
    {"ifindex":4,"link":"bond0","ifname":"bond0.100","mtu":1500,"addr_info":[
      {"family":"inet","local":"192.0.2.1","prefixlen":24},{"family":"inet6","local":"2001:db8::1","prefixlen":64}]},
    {"ifindex":7,"ifname":"wg0","mtu":1420,"addr_info":[{"family":"inet","local":"10.8.0.2","address":"10.8.0.1"}]},
    {"ifindex":9,"ifname":"eth9","mtu":1400},
    {}
]"""
)


def test_routes_are_those_that_packets_leave_by() -> None:
    found = list(routes_in(LISTED, "-4"))
    assert found == [
        Route("0.0.0.0/0", "bond0.100", "192.0.2.253"),
        Route("0.0.0.0/0", "eth9", "fe80::1"),
        Route("10.0.0.0/8", "bond0.100", "192.0.2.254"),
        Route("10.244.66.65", "cali0123456789a"),
        Route("10.244.67.0/26", "bond0.100", "192.0.2.2", "bird"),
        Route("100.64.0.0/10", "tailscale0", table="52"),
        Route("0.0.0.0/0", "wg0", table="51820"),
    ]
    # What a VPN has in a table of its own is no way out for the node.
    assert default_devices(found) == {"bond0.100", "eth9"}
    assert found[5].planned == {"network": "100.64.0.0/10", "device": "tailscale0", "gateway": "", "protocol": ""}
    six = list(routes_in(SIX, "-6"))
    assert [one.network for one in six] == ["::/0", "fe80::/64"]


@pytest.mark.parametrize(
    ("addresses", "underlay"),
    [
        (["192.0.2.1", "192.0.2.2"], {"bond0.100": 1500}),
        (["10.8.0.2"], {"wg0": 1420}),
        (["203.0.113.1"], {"bond0.100": 1500, "eth9": 1400}),
        ([], {"bond0.100": 1500, "eth9": 1400}),
    ],
)
def test_interfaces_are_told_with_their_addresses(addresses: list[str], underlay: dict[str, int]) -> None:
    found = list(interfaces_in(ADDRESSES))
    assert found[2] == Interface("bond0.100", 1500, frozenset({"192.0.2.1", "2001:db8::1"}))
    assert carriers(found, addresses, default_devices(routes_in(LISTED, "-4"))) == underlay
