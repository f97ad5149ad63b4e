# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a node's network, in the form in which ``ansible.builtin.setup`` gathers them."""

from __future__ import annotations

from typing import Any


def interface(device: str, mtu: int, *addresses: str, kind: str = "ether", **more: Any) -> dict[str, Any]:
    """One interface; the first IPv4 address is its main one, as the kernel's is."""
    four = [{"address": one, "netmask": "255.255.255.0", "prefix": "24"} for one in addresses if ":" not in one]
    six = [{"address": one, "prefix": "64", "scope": "global"} for one in addresses if ":" in one]
    return {
        "device": device,
        "active": True,
        "macaddress": "52:54:00:12:34:56",
        "mtu": mtu,
        "promisc": False,
        "type": kind,
        **({"ipv4": four[0]} if four else {}),
        **({"ipv4_secondaries": four[1:]} if four[1:] else {}),
        "ipv6": [*six, {"address": "fe80::5054:ff:fe12:3456", "prefix": "64", "scope": "link"}],
        **more,
    }


LOOPBACK = interface("lo", 65536, "127.0.0.1", "::1", kind="loopback")
# What every other host has besides: container runtimes, a hypervisor, a CNI. None of it leads to another node.
BESIDE = (
    LOOPBACK,
    interface("docker0", 1500, "172.17.0.1", kind="bridge", interfaces=[]),
    interface("br-5f1c0d2e7a9b", 1500, "172.18.0.1", kind="bridge", interfaces=["veth0a1b2c3"]),
    interface("virbr0", 1500, "192.168.122.1", kind="bridge", interfaces=[]),
    interface("cni0", 1450, "10.244.1.1", kind="bridge", interfaces=["veth4d5e6f7"]),
    interface("flannel.1", 1450, "10.244.1.0"),
    interface("veth4d5e6f7", 1450),
    interface("tap0", 1300),
)


def facts(*interfaces: dict[str, Any], default: str = "", default6: str = "") -> dict[str, Any]:
    """A node with these interfaces, and those that every other host has besides.

    :param default: the interface of its IPv4 default route.
    """
    every = (*interfaces, *BESIDE)
    main = next((one for one in every if one["device"] == default), None)
    route = {"interface": default, "gateway": "192.0.2.254", "mtu": main["mtu"], "type": main["type"]} if main else {}
    return {
        # As Ansible makes keys of names.
        **{one["device"].replace("-", "_"): one for one in every},
        "interfaces": [one["device"] for one in every],
        "default_ipv4": {**route, "address": main["ipv4"]["address"]} if main else {},
        "default_ipv6": {"interface": default6, "gateway": "fe80::1"} if default6 else {},
        "all_ipv4_addresses": [one["ipv4"]["address"] for one in every if "ipv4" in one],
        "dns": {"nameservers": ["192.0.2.53"]},
    }
