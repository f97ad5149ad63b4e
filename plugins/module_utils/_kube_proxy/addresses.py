# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The addresses of Services stay a node's own for a while when IPVS' link goes.

Mode ipvs has every ClusterIP on link ``kube-ipvs0``, so a connection that the node itself opens to one has that same
address as its source: the kernel takes for a local destination the destination's own (ip_route_output_key_hash_rcu of
net/ipv4/route.c). When the link is deleted in the middle of its handshake, the answer is nobody's and the connection
hangs. A local route that names one of the node's other addresses keeps the answer the node's own, and is what new
connections take their source from.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from collections import defaultdict
from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import IPVS_LINK
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists, require, run

# Which of the node's routes are ours (rtnetlink(7), rtm_protocol); nobody's in iproute2's list of them.
PROTOCOL = "118"
PLACE = ("dev", "lo", "table", "local", "proto", PROTOCOL)
# Somewhere outside, by which the kernel tells its own address on the way there; no packet is sent (RFC 5737, RFC 3849).
OUTSIDE = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}
# A handshake ends within this time on a network that works.
HANDSHAKE_SECONDS = 1.0


def own_address(version: int) -> str:
    """The node's address on its way out, of an IP version; empty where there is no way."""
    family, target = OUTSIDE[version]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def on_link() -> list[str]:
    """The addresses on IPVS' link; none where there is no such link."""
    if not has_link():
        return []
    said = run(["ip", "-json", "address", "show", "dev", IPVS_LINK])
    links = json.loads(said.stdout) if said.returncode == 0 else []
    # The link's own address of IPv6 is nobody's Service.
    return [
        one["local"]
        for link in links
        for one in link.get("addr_info") or []
        if "local" in one and one["scope"] != "link"
    ]


def has_link() -> bool:
    """Whether IPVS' link is there."""
    return Path("/sys/class/net", IPVS_LINK).exists()


def kept() -> list[str]:
    """The addresses that :func:`keep` keeps."""
    found = []
    for version in OUTSIDE if exists("ip") else ():
        said = run(["ip", f"-{version}", "-json", "route", "show", "table", "local", "proto", PROTOCOL])
        # A kernel without this IP version refuses.
        found += [str(route["dst"]) for route in json.loads(said.stdout or "[]")] if said.returncode == 0 else []
    return found


def keep(*, check: bool) -> list[str]:
    """Keep the addresses on IPVS' link this node's own when the link goes.

    :returns: those that were not kept before.
    """
    fresh: dict[int, list[str]] = defaultdict(list)
    known = set(kept())
    for address in on_link():
        if address not in known:
            fresh[ipaddress.ip_address(address).version].append(address)
    for version, addresses in fresh.items():
        source = own_address(version)
        if source and not check:
            lines = (f"route append local {one} {' '.join(PLACE)} src {source}\n" for one in addresses)
            require(["ip", f"-{version}", "-batch", "-"], stdin="".join(lines))
    return [address for version, addresses in fresh.items() if own_address(version) for address in addresses]


def release() -> None:
    """Let go of what :func:`keep` keeps."""
    for version in OUTSIDE:
        run(["ip", f"-{version}", "route", "flush", "table", "local", "proto", PROTOCOL])


def delete_link() -> None:
    """Delete IPVS' link; where its addresses are kept, until the handshakes that began with one of them have ended."""
    are_kept = bool(kept())
    require(["ip", "link", "delete", IPVS_LINK])
    if are_kept:
        time.sleep(HANDSHAKE_SECONDS)
