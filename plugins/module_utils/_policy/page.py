# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""An audit's report as one HTML page that needs nothing but itself: no script, no font, no request."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.report import headline, sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Report
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.overview import Matrix

# More namespaces than these no picture makes clearer.
WIDEST_MATRIX, LARGEST_GRAPH = 60, 40
RADIUS, MARGIN = 230, 130
# No letter of a namespace's name is wider at the size of the graph's text.
LETTER = 8
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>'
)
STYLE = """
:root { color-scheme: light dark; --line: #8884; --all: #2e7d32; --some: #ef8f00; --none: #8882; --bad: #c62828; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top }
td { overflow-wrap: anywhere }
.error td:first-child, .denied td:nth-child(4) { color: var(--bad); font-weight: 600 }
.warning td:first-child, .undefined td:nth-child(4) { color: var(--some); font-weight: 600 }
.scroll { overflow-x: auto }
.matrix { width: auto } .matrix th, .matrix td { border: 1px solid var(--line); padding: .15rem .35rem }
.matrix thead th { writing-mode: vertical-rl; max-height: 12rem }
.matrix th { font-weight: 400 }
.matrix td { width: 1.4rem; height: 1.4rem; text-align: center; color: #fff }
td.all { background: var(--all) } td.some { background: var(--some) } td.none { background: var(--none) }
svg { max-width: 100%; height: auto } svg text { fill: currentColor; font-size: 12px }
svg line.all { stroke: var(--all) } svg line.some { stroke: var(--some); stroke-dasharray: 5 3 }
.legend span { display: inline-block; padding: 0 .6rem; margin-right: .5rem; color: #fff }
"""


def page(report: Report) -> str:
    """The report as a page."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Network policies</title><style>{STYLE}</style></head><body>",
        f"<h1>Network policies</h1><p>{escape(headline(report))}</p>",
    ]
    for name, header, rows, empty in sections(report):
        if not rows and not empty:
            continue
        parts.append(f'<h2 id="{name.lower().replace(" ", "-")}">{escape(name)}</h2>')
        if name == "Namespaces" and rows and len(report.matrix.namespaces) <= WIDEST_MATRIX:
            parts += [_legend(), _matrix(report.matrix), _graph(report.matrix)]
        else:
            parts.append(_table(header, rows) if rows else f"<p>{escape(empty)}</p>")
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    known = {"error", "warning", "note", "allowed", "denied", "undefined", "partly", "gained", "lost"}
    lines = []
    for row in rows:
        word = next((cell for cell in row if cell in known), "")
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f'<tr class="{word}">{cells}</tr>' if word else f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _legend() -> str:
    colours = (("all", "every port"), ("some", "some"), ("none", "nothing"))
    shown = "".join(f'<span style="background: var(--{name})">{text}</span>' for name, text in colours)
    return f'<p class="legend">A row reaches of a column: {shown}</p>'


def _matrix(matrix: Matrix) -> str:
    known = {(one.source, one.destination): one for one in matrix.cells}
    head = "".join(f"<th>{escape(name)}</th>" for name in matrix.namespaces)
    lines = []
    for source in matrix.namespaces:
        cells = []
        for destination in matrix.namespaces:
            one = known.get((source, destination))
            reach = one.reach if one else matrix.usual
            ports = f": {', '.join(one.ports)}" if one and one.ports else ""
            title = escape(f"{source} > {destination}: {reach}{ports}", quote=True)
            cells.append(f'<td class="{reach}" title="{title}"></td>')
        lines.append(f"<tr><th>{escape(source)}</th>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _graph(matrix: Matrix) -> str:
    """The namespaces on a circle, an arrow for each that reaches another; empty for too many."""
    names = list(matrix.namespaces)
    if not 1 < len(names) <= LARGEST_GRAPH:
        return ""
    # Names begin beside the circle and go outwards: the longest makes the picture as wide as it needs.
    width = 2 * (RADIUS + max(MARGIN, LETTER * max(map(len, names)) + 2 * LETTER))
    height = 2 * (RADIUS + MARGIN)
    centre, middle = width / 2, height / 2
    angles = {name: 2 * math.pi * number / len(names) for number, name in enumerate(names)}
    spots = {
        name: (centre + RADIUS * math.sin(angle), middle - RADIUS * math.cos(angle)) for name, angle in angles.items()
    }
    known = {(one.source, one.destination): one.reach for one in matrix.cells}
    drawn = [TIP]
    for source in names:
        for destination in names:
            reach = known.get((source, destination), matrix.usual)
            if source != destination and reach != "none":
                drawn.append(_arrow(spots[source], spots[destination], reach, f"{source} > {destination}: {reach}"))
    for name, (x, y) in spots.items():
        anchor = "start" if x > centre + 1 else "end" if x < centre - 1 else "middle"
        shift = 12 if anchor == "start" else -12 if anchor == "end" else 0
        lift = -14 if y < middle and anchor == "middle" else 22 if anchor == "middle" else 4
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="currentColor"/>')
        drawn.append(f'<text x="{x + shift:.1f}" y="{y + lift:.1f}" text-anchor="{anchor}">{escape(name)}</text>')
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img">{"".join(drawn)}</svg>'


def _arrow(begin: tuple[float, float], end: tuple[float, float], reach: str, title: str) -> str:
    """An arrow that ends beside its target, a little to the right, so that there and back are two."""
    across, down = end[0] - begin[0], end[1] - begin[1]
    length = math.hypot(across, down)
    along = (across / length, down / length)
    aside = (-along[1] * 3, along[0] * 3)
    first = (begin[0] + along[0] * 9 + aside[0], begin[1] + along[1] * 9 + aside[1])
    last = (end[0] - along[0] * 11 + aside[0], end[1] - along[1] * 11 + aside[1])
    return (
        f'<line class="{reach}" x1="{first[0]:.1f}" y1="{first[1]:.1f}" x2="{last[0]:.1f}" y2="{last[1]:.1f}" '
        f'marker-end="url(#tip)"><title>{escape(title)}</title></line>'
    )
