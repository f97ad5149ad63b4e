# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether all nodes use the same CNI in the same version, out of what ``cni_info`` says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Mapping


class DisagreementError(NetopsError):
    """Nodes on which another CNI, another version or several CNIs are configured."""


def summary_of(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the nodes use, in a line or two.

    :param nodes: results of ``cni_info`` by node.
    :raises DisagreementError: they do not use the same; every node that stands out is named.
    """
    if not nodes:
        return []
    _require_one_each(nodes)
    actives = _by({name: str(one["active"] or "none") for name, one in nodes.items()})
    first = _by({name: next(iter(one["configurations"]), "none") for name, one in nodes.items()})
    versions = _by(
        {name: one["versions"][one["active"]] for name, one in nodes.items() if one["active"] in one["versions"]}
    )
    for what, told in (("CNI", actives), ("first configuration", first), ("version of the CNI", versions)):
        if len(told) > 1:
            raise DisagreementError(
                f"{what} of the nodes",
                "; ".join(f"{value} on {', '.join(names)}" for value, names in told.items()),
                "the same on all nodes",
                "Run role cni again, and look at the CNI's pods on the nodes that stand out",
            )
    [active], [file] = actives, first
    lines = [f"CNI: {' '.join([active, *versions])}, by {file}, on {len(nodes)} of {len(nodes)} nodes"]
    left = {name: sorted(set(one["traces"]) - {active}) for name, one in nodes.items() if one["state"] == "leftovers"}
    return lines + [f"CNI: leftovers of {', '.join(cnis)} on {name}" for name, cnis in left.items()]


def _require_one_each(nodes: Mapping[str, Mapping[str, Any]]) -> None:
    for name, one in nodes.items():
        if one["state"] == "mixed":
            listed = ", ".join(f"{cni} ({file})" for file, cni in one["configurations"].items())
            raise DisagreementError(
                f"CNI of node {name!r}",
                f"several are configured, in this order: {listed}; the first is used",
                "one CNI",
                "Remove the others by their role's tasks_from uninstall, or by netops.kubernetes.cni_cleanup",
            )


def _by(values: Mapping[str, str]) -> dict[str, list[str]]:
    """The names by their value."""
    found: dict[str, list[str]] = {}
    for name, value in sorted(values.items()):
        found.setdefault(value, []).append(name)
    return found
