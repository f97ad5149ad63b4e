# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""An audit's report as plain text, Markdown and SARIF."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import quote

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed, sentence
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Report
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import Finding
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Verdict
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.overview import Exposure, Matrix

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# A matrix of more namespaces is a list of its unusual pairs.
WIDEST_MATRIX = 20
LONGEST_LIST = 200
SIGNS = {"all": "+", "some": "~", "none": "."}


def as_json(report: Report) -> str:
    """The whole report as JSON."""
    return json.dumps(report.to_output(), indent=2, sort_keys=True) + "\n"


# ---- tables ----------------------------------------------------------------------------------------------------------


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Columns as wide as their widest cell."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]


def _markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return [line(header), line(["---"] * len(header)), *(line(row) for row in rows)]


def _cut(rows: list[list[str]]) -> list[list[str]]:
    if len(rows) <= LONGEST_LIST:
        return rows
    rest = [f"{len(rows) - LONGEST_LIST} more", *[""] * (len(rows[0]) - 1)]
    return [*rows[:LONGEST_LIST], rest]


# ---- what is said, whatever it looks like ----------------------------------------------------------------------------

Section = tuple[str, list[str], list[list[str]], str]


def sections(report: Report) -> list[Section]:
    """The parts of a report: title, header, rows, and what to say where there are none."""
    return [
        ("Questions", ["from", "to", "port", "verdict", "why"], [_answer(one) for one in report.answers], ""),
        (
            "Changes",
            ["change", "from", "to", "ports", "for instance"],
            _cut([_difference(one) for one in report.differences]),
            "",
        ),
        (
            "Findings",
            ["severity", "id", "check", "object", "what was seen", "remedy"],
            _cut([_finding(report, one) for one in report.findings]),
            "None.",
        ),
        (
            "Coverage",
            ["namespace", "pods", "ingress restricted", "egress restricted", "host network"],
            [
                [one.namespace, *map(str, (one.pods, one.ingress, one.egress, one.host_network))]
                for one in report.coverage
            ],
            "No pods.",
        ),
        ("Namespaces", *_matrix(report.matrix), "No pods."),
        (
            "Namespaces where families differ",
            ["from", "to", "over", "reach", "ports"],
            _cut(
                [
                    [one.source, one.destination, f"IPv{one.family}", one.reach, ", ".join(one.ports)]
                    for one in report.matrix.differing
                ]
            ),
            "",
        ),
        (
            "From outside",
            ["namespace", "pods", "from", "ports"],
            _cut(_outside(report.exposure, "ingress")),
            "Nothing.",
        ),
        ("To outside", ["namespace", "pods", "to", "ports"], _cut(_outside(report.exposure, "egress")), "Nothing."),
        ("Not evaluated", ["policy"], [[one] for one in report.unread], ""),
    ]


def why(one: Verdict) -> str:
    """The reasons of a verdict as one text."""
    return "; ".join([*(decision.text for decision in one.decisions), *one.notes])


def _answer(one: Verdict) -> list[str]:
    port = f"{one.protocol} {one.port}" if one.port else f"{one.protocol}: {', '.join(one.ports) or 'none'}"
    return [one.source, one.destination, port, one.verdict, why(one)]


def _difference(one: Any) -> list[str]:
    sample = f"{', '.join(one.sources)} > {', '.join(one.destinations)}"
    over = f" over IPv{one.family}" if one.family else ""
    return [one.change, one.source, one.destination, ", ".join(one.ports) + over, sample]


def _finding(report: Report, one: Finding) -> list[str]:
    file, line = report.places.get(one.subject, ("", 0))
    subject = one.subject + (f" {one.path}" if one.path else "") + (f" ({file}:{line})" if file else "")
    return [one.severity, one.check.id, one.check.name, subject, one.text, one.check.remedy]


def _matrix(matrix: Matrix) -> tuple[list[str], list[list[str]]]:
    if len(matrix.namespaces) > WIDEST_MATRIX:
        rows = [[one.source, one.destination, one.reach, ", ".join(one.ports)] for one in matrix.cells]
        return ["from", "to", f"reach ({matrix.usual} where not listed)", "ports"], _cut(rows)
    known = {(one.source, one.destination): one.reach for one in matrix.cells}
    rows = [
        [source, *(SIGNS[known.get((source, destination), matrix.usual)] for destination in matrix.namespaces)]
        for source in matrix.namespaces
    ]
    return ["from \\ to (+ all, ~ some, . none)", *matrix.namespaces], rows


def _outside(exposures: Sequence[Exposure], direction: str) -> list[list[str]]:
    rows = []
    for one in exposures:
        by_ports: dict[tuple[str, ...], list[str]] = {}
        for network, ports in getattr(one, direction).items():
            by_ports.setdefault(tuple(ports), []).append(network)
        shown = listed(one.pods, 3)
        rows += [
            [one.namespace, shown, ", ".join(networks[:5]) + (" …" if len(networks) > 5 else ""), ", ".join(ports)]
            for ports, networks in by_ports.items()
        ]
    return rows


def headline(report: Report) -> str:
    """The report in one sentence."""
    counts = ", ".join(f"{number} {severity}s" for severity, number in report.counts().items())
    return f"{report.policies} policies, {report.pods} pods in {len(report.coverage)} namespaces: {counts}."


def _rendered(report: Report, title: str, heading: Callable[[str], list[str]], table: Callable[..., list[str]]) -> str:
    lines = [*heading(title), headline(report)]
    for name, header, rows, empty in sections(report):
        if rows or empty:
            lines += ["", *heading(name), *(table(header, rows) if rows else [empty])]
    return "\n".join(lines) + "\n"


def text(report: Report) -> str:
    """The report for a terminal."""
    return _rendered(report, "Network policies", lambda name: [name, "=" * len(name)], _table)


def markdown(report: Report) -> str:
    """The report for a review."""
    level = iter(["#"])
    return _rendered(report, "Network policies", lambda name: [f"{next(level, '##')} {name}", ""], _markdown_table)


# ---- SARIF -----------------------------------------------------------------------------------------------------------


def sarif(report: Report) -> str:
    """The findings as SARIF 2.1.0 (OASIS), for code review."""
    rules = [
        {
            "id": one.id,
            "name": one.name,
            "shortDescription": {"text": one.title},
            "help": {"text": f"{one.remedy}."},
            "defaultConfiguration": {"level": one.severity},
        }
        for one in CHECKS.values()
    ]
    numbers = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [_result(report, one, numbers[one.check.id]) for one in report.findings]
    driver = {"name": "netops.kubernetes.network_policy_audit", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def uri_of(file: str) -> str:
    """A file's path as a URI (RFC 3986): relative as a reference, absolute with the scheme ``file``."""
    return f"file://{quote(file)}" if file.startswith("/") else quote(file)


def _result(report: Report, one: Finding, rule: int) -> dict[str, Any]:
    file, line = report.places.get(one.subject, ("", 0))
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": f"{one.subject} {one.path}".strip()}]}
    if file:
        place = {"artifactLocation": {"uri": uri_of(file)}, "region": {"startLine": line}}
        location["physicalLocation"] = place
    fingerprint = hashlib.sha256(f"{one.check.id} {one.subject} {one.path}".encode()).hexdigest()
    return {
        "ruleId": one.check.id,
        "ruleIndex": rule,
        "level": one.severity,
        "message": {"text": f"{one.subject}: {sentence(one.text)} {one.check.remedy}."},
        "locations": [location],
        "partialFingerprints": {"policy/v1": fingerprint},
    }
