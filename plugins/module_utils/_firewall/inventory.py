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
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Each node's addresses, as its peers see them.

    The host variables ``ip`` and ``access_ip`` (kubespray's names), and the addresses of the default routes among the
    facts. Addresses of pod networks and bridges are on no default route, so the result is the same before and after
    a CNI is installed.
    """
    nodes = dict.fromkeys(host for group in NODE_GROUPS for host in groups.get(group, ()))
    return {host: _addresses(hostvars[host]) for host in nodes}


def _addresses(variables: Mapping[str, Any]) -> list[str]:
    facts = variables.get("ansible_facts") or {}
    found = [
        variables.get("ip"),
        variables.get("access_ip"),
        (facts.get("default_ipv4") or {}).get("address"),
        (facts.get("default_ipv6") or {}).get("address"),
    ]
    return list(dict.fromkeys(str(address) for address in found if address))
