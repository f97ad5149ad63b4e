# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A plan on a node: compared, refused if it cuts the administrator off, applied, persisted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import nftables
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import PlanError, admits, readable

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan


@dataclass(frozen=True)
class Options:
    """How to apply a plan.

    :param default: ``drop`` or ``accept`` for what no rule admits.
    :param log: log it.
    :param persist: bring the rules back at boot.
    :param ssh_connection: sshd's own words about the live connection (``SSH_CONNECTION``, ssh(1)); may be empty.
    """

    default: str
    log: bool
    persist: bool
    ssh_connection: str


def require_admitted(plan: Plan, ssh_connection: str) -> None:
    """Require that the plan lets the live SSH connection's next one in.

    :raises PlanError: it does not.
    """
    words = ssh_connection.split()
    if len(words) != 4:
        return
    peer, port = words[0].partition("%")[0], int(words[3])
    if not admits(plan, peer, port):
        raise PlanError(
            f"node {plan.node_name!r}",
            f"the plan does not admit SSH from {peer} to port {port}, which this very connection uses",
            "a rule that admits it",
            "Add the address to the peer set admins in node_firewall_peers, or correct node_firewall_ssh_port",
        )


def present(plan: Plan, options: Options, *, check: bool) -> dict[str, Any]:
    """Make the node accept what the plan says; returns the module's result.

    :raises PlanError: the plan would lock the administrator out.
    :raises NodeError: the node lacks nftables, or refuses the rules.
    """
    nftables.require_nft()
    if options.default == "drop":
        require_admitted(plan, options.ssh_connection)
    definition = nftables.render(plan, default=options.default, log=options.log)
    before, after = nftables.live(), nftables.canonical(definition)
    persisted = not options.persist or nftables.is_persisted(definition)
    changed = before != after or not persisted
    if changed and not check:
        if before != after:
            nftables.apply(definition)
        if options.persist:
            nftables.persist(definition)
    result: dict[str, Any] = {"changed": changed, "backend": "nftables", "rules": len(plan.rules)}
    if changed:
        result["diff"] = {"before": _shown(before, after, plan), "after": readable(plan)}
    return result


def _shown(before: str, after: str, plan: Plan) -> str:
    """What to show as the state before: nothing, the same plan not persisted, or the table as it is."""
    if not before:
        return ""
    if before == after:
        return readable(plan) + "gone after the next boot\n"
    return before


def absent(*, check: bool) -> dict[str, Any]:
    """Remove what this made; returns the module's result."""
    found = nftables.remains()
    if found and not check:
        nftables.remove()
    return {
        "changed": bool(found),
        "backend": "nftables",
        "rules": 0,
        "diff": {"before": "".join(f"{line}\n" for line in found), "after": ""},
    }
