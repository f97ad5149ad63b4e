# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The nodes' addresses out of an inventory and gathered facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODE_GROUPS = ("kube_control_plane", "kube_node", "etcd")


def addresses_of(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    peers: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, list[str]]:
    """Each node's addresses, as its peers see them, and those of the hosts that peer sets name.

    The host variables ``ip``, ``access_ip``, ``ip6`` and ``access_ip6`` (kubespray's names), and the addresses of the
    default routes among the facts. Addresses of pod networks and bridges are on no default route, so the result is the
    same before and after a CNI is installed.
    """
    named = [entry for entries in (peers or {}).values() for entry in entries]
    hosts = [host for group in (*NODE_GROUPS, *named) for host in groups.get(group, ())]
    hosts += [entry for entry in named if entry in hostvars]
    return {host: _addresses(hostvars[host]) for host in dict.fromkeys(hosts)}


def _addresses(variables: Mapping[str, Any]) -> list[str]:
    facts = variables.get("ansible_facts") or {}
    found = [
        variables.get("ip"),
        variables.get("access_ip"),
        variables.get("ip6"),
        variables.get("access_ip6"),
        (facts.get("default_ipv4") or {}).get("address"),
        (facts.get("default_ipv6") or {}).get("address"),
    ]
    return list(dict.fromkeys(str(address) for address in found if address))
