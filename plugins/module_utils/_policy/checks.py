# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The checks of an audit as a table: their ids stay the same from release to release."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Check:
    """One check.

    :param name: what it finds, in words that stand in a message.
    """

    id: str
    name: str
    severity: str
    title: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """What a check found.

    :param subject: the object, as a user finds it.
    :param path: where in the object; empty where it is the object itself.
    """

    check: Check
    subject: str
    path: str
    text: str
    severity: str

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        shown = asdict(self)
        shown["check"] = self.check.name
        return {"id": self.check.id, **shown, "remedy": self.check.remedy}


def _rows(*rows: tuple[str, str, str, str, str]) -> dict[str, Check]:
    return {row[1]: Check(*row) for row in rows}


CHECKS = _rows(
    # ---- how a policy is written ----
    (
        "NP101",
        "missing-types",
        WARNING,
        "policyTypes is not written",
        "Write policyTypes with every type that you mean",
    ),
    (
        "NP102",
        "inert-rules",
        ERROR,
        "rules of a type that is not listed",
        "Add the type to policyTypes, or remove the rules",
    ),
    (
        "NP103",
        "end-port",
        ERROR,
        "endPort without a port that it can end",
        "Give a port by number that is not above endPort",
    ),
    ("NP104", "except-outside", ERROR, "except is not within its block", "Name networks within cidr, or remove them"),
    (
        "NP105",
        "unknown-field",
        ERROR,
        "a field that this version of the API does not know",
        "Correct the field, or update",
    ),
    # ---- whom it means ----
    ("NP201", "selects-nothing", WARNING, "the policy selects no pod", "Correct podSelector, or remove the policy"),
    (
        "NP202",
        "peer-selects-nothing",
        WARNING,
        "a peer means nobody",
        "Correct the selectors of the peer, or remove it",
    ),
    (
        "NP203",
        "selector-typo",
        ERROR,
        "a selector nearly means something",
        "Write the label as the pods or namespaces bear it",
    ),
    (
        "NP204",
        "peers-joined",
        WARNING,
        "two peers that look like one",
        "Put both selectors into one item to mean both at once",
    ),
    (
        "NP205",
        "unresolved-port",
        WARNING,
        "a named port that no destination has",
        "Name a port of the destination's containers",
    ),
    ("NP206", "shadowed-rule", NOTE, "a rule that adds nothing", "Remove it"),
    ("NP207", "redundant-policy", NOTE, "a policy that adds nothing", "Remove it"),
    (
        "NP208",
        "same-priority",
        WARNING,
        "policies of one priority disagree",
        "Give every policy of a tier its own priority",
    ),
    (
        "NP209",
        "host-network",
        WARNING,
        "the policy selects pods on their node's network",
        "Protect them with the node's firewall",
    ),
    ("NP210", "block-of-pods", NOTE, "a block of addresses means pods", "Mean pods by labels: their addresses change"),
    (
        "NP211",
        "not-evaluated",
        WARNING,
        "a policy of a kind that is not evaluated",
        "Read the verdicts with it in mind",
    ),
    # ---- what it leads to ----
    ("NP301", "dns-forgotten", ERROR, "egress is isolated and DNS not allowed", "Allow UDP and TCP 53 to the DNS"),
    (
        "NP302",
        "open-admin-port",
        ERROR,
        "an administrative port is open to everybody",
        "Name the networks that need it",
    ),
    (
        "NP303",
        "stale-api-server",
        ERROR,
        "an address that is not the API server's any more",
        "Apply the baseline again",
    ),
    ("NP304", "open-namespace", WARNING, "nothing isolates the namespace", "Apply a default deny with its allows"),
    ("NP305", "open-pods", WARNING, "nothing isolates some pods of the namespace", "Select them by a policy too"),
    ("NP306", "open-egress", NOTE, "nothing isolates what goes out", "Apply a default deny of egress with its allows"),
    # ---- what a change of policies leads to ----
    ("NP401", "newly-allowed", WARNING, "connections that a change allows", "Make sure that they are wanted"),
    ("NP402", "no-longer-allowed", WARNING, "connections that a change forbids", "Make sure that nobody needs them"),
)


def finding(name: str, subject: str, path: str, text: str, severity: str = "") -> Finding:
    """A finding of a check, by its name.

    :param severity: where it is not the check's own.
    """
    check = CHECKS[name]
    return Finding(check, subject, path, text, severity or check.severity)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """The same, errors first, then by object."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.subject, one.check.id, one.path))
