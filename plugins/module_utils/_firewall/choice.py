# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which back-end a node has, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import (
    firewalld,
    iptables,
    nftables,
    ufw,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node import systemd
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Backend

BACKENDS: dict[str, Backend] = {"firewalld": firewalld, "ufw": ufw, "nftables": nftables, "iptables": iptables}
# Services that load iptables' rules at boot: Debian's, and that of the iptables-services package.
IPTABLES_SERVICES = ("netfilter-persistent.service", "iptables.service")


def choose(asked: str) -> tuple[Backend, str]:
    """The back-end that was asked for, or for ``auto`` the one that the node's administrator already works with.

    :returns: it, and the reason in words.
    """
    name, reason = (asked, "asked for") if asked != "auto" else _found()
    return BACKENDS[name], reason


def _found() -> tuple[str, str]:
    if firewalld.is_active():
        return "firewalld", "firewalld runs on this node"
    if ufw.is_enabled():
        return "ufw", "ufw is enabled on this node"
    service = next((one for one in IPTABLES_SERVICES if Path(systemd.WANTED, one).is_symlink()), "")
    if service:
        return "iptables", f"{service} loads iptables' rules at boot"
    if exists("nft"):
        return "nftables", "nft is there, and neither firewalld nor ufw is active"
    return "iptables", "nft is not there, and neither firewalld nor ufw is active"
