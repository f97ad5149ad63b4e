# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The nodes' addresses out of an inventory and gathered facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODE_GROUPS = ("kube_control_plane", "kube_node", "etcd")
# Facts that are there, if empty, of every host whose network was looked at.
GATHERED = {"default_ipv4", "default_ipv6"}


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


def require_families(
    node_name: str,
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    addresses: Mapping[str, Sequence[str]],
) -> None:
    """Refuse to plan for a node of two families while of another node one address is known only, and no facts.

    The other node was left out, or failed, before its facts were gathered. The plan would lack its second address, and
    take its traffic off the node, though nothing has changed.

    :param node_name: the node to plan for.
    :param addresses: as :func:`addresses_of` gives them.
    :raises PlanError: there is such a node.
    """
    wanted = _families(addresses.get(node_name, ()))
    for host in dict.fromkeys(host for group in NODE_GROUPS for host in groups.get(group, ())):
        missing = wanted - _families(addresses[host])
        if missing and addresses[host] and not GATHERED & set(hostvars[host].get("ansible_facts") or {}):
            variables = " and ".join("ip" if version == 4 else "ip6" for version in sorted(missing))
            raise PlanError(
                f"host {host!r}",
                f"only {', '.join(addresses[host])} is known of it, and no facts were gathered, so that {node_name!r} "
                "would be closed to its other addresses",
                "its facts, or an address of each family",
                f"Do not leave it out with --limit; or, if it cannot be reached, give it the host variable {variables}",
            )


def _families(addresses: Sequence[str]) -> set[int]:
    return {6 if ":" in address else 4 for address in addresses}


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
