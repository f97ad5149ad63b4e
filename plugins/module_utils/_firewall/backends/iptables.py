# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Chains of our own in iptables, legacy or nft, brought back at boot by a unit of our own.

What other tools would save with the whole ruleset (netfilter-persistent) is never asked for: it would hold the chains
of kube-proxy and of the CNI as they happened to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import xtables
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.xtables import Hook, Layout, Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Change, Undo
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset

NAME = "iptables"
FORWARDS = False
# Behind fail2ban's jumps, so that who is banned stays banned; before everything else.
NAMES = Names("NETOPS-")
HOOK = Hook("filter", "INPUT", NAMES.input, behind=r"-j f2b-")
LAYOUT = Layout(NAME, NAMES, {4: (HOOK,), 6: (HOOK,)}, "RETURN")


def require_usable() -> None:
    """Require iptables on this node.

    :raises NodeError: it is not there.
    """
    xtables.require_programs()


def live() -> str:
    """What both families hold."""
    return xtables.live()


def parse(listing: str) -> Ruleset:
    """What they hold, as a ruleset."""
    return xtables.parse(listing, LAYOUT)


def is_live(wanted: Ruleset, reported: str) -> bool:
    """Whether the node holds what is wanted."""
    return parse(reported) == wanted


def apply(wanted: Ruleset, reported: str) -> None:
    """Bring both families to what is wanted, a transaction a table.

    :raises NodeError: a table refuses its transaction; it is as it was.
    """
    xtables.apply(wanted, LAYOUT, reported, xtables.versions())


def undo(wanted: Ruleset, reported: str) -> Undo:
    """How to bring back what is reported."""
    return xtables.undo(wanted, LAYOUT, reported, xtables.versions())


def silencing() -> Change | None:
    """How our chains come to say nothing; nothing where they say nothing already."""
    return xtables.silencing(LAYOUT, live())


def boot_files(wanted: Ruleset) -> dict[str, str]:
    """What the next boot loads."""
    return xtables.boot_files(wanted, LAYOUT, xtables.versions(), jumps=("mangle", "filter"))


def is_persisted(wanted: Ruleset) -> bool:
    """Whether the next boot brings exactly this."""
    return boot.is_committed(boot_files(wanted))


def persist(wanted: Ruleset, leaving: Sequence[Mapping[str, str]] = ()) -> None:
    """Let the next boot bring the chains, before the kubelet starts.

    :raises NodeError: this node has no systemd.
    """
    boot.commit(boot_files(wanted), leaving)


def leaving() -> dict[str, str]:
    """What a boot must load until this is removed: nothing, for nobody else calls what is ours."""
    return boot.loading(NAME, {}, ())


def remains() -> list[str]:
    """What there is of ours in the kernel."""
    return xtables.remains(live(), LAYOUT)


def remove() -> None:
    """Take the chains away; what others made is not touched."""
    xtables.remove(LAYOUT)
