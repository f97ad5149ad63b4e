# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile for another version of CoreDNS: what changes, why, and what only people can decide.

Only what the version refuses is changed. What has no effect any more, and what behaves otherwise, is said.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.changes import BEHAVIOUR, CHANGES, Change
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import Edit, applied, taken_out
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import REFUSED, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.plugins import GONE, SINCE
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.rules import RULES
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import Version, said, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Directive

CHANGED = "changed"
LOST = "lost"
MANUAL = "manual"
NOTED = "noted"


@dataclass(frozen=True)
class Step:
    """One thing that the migration does, or leaves to people.

    :param kind: ``changed`` (it means the same), ``lost`` (something that the version cannot do is taken out),
        ``manual`` (it stays, and CoreDNS refuses it) or ``noted`` (it stays, and behaves otherwise).
    :param version: with which version this comes.
    :param line: where, in the Corefile as it was before this step; 0 for everywhere.
    :param source: where the fact comes from.
    """

    kind: str
    version: str
    plugin: str
    line: int
    what: str
    reason: str
    source: str

    def to_output(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """A migration.

    :param text: the Corefile afterwards.
    """

    steps: tuple[Step, ...]
    text: str

    @property
    def is_complete(self) -> bool:
        """Whether the version takes the result."""
        return not any(step.kind == MANUAL for step in self.steps)

    @property
    def is_lossless(self) -> bool:
        """Whether the result does what the Corefile did."""
        return not any(step.kind in (MANUAL, LOST) for step in self.steps)


def migrate(text: str, old: str, new: str, external_plugins: Collection[str] = ()) -> Plan:
    """The way of a Corefile from one version of CoreDNS to another, up or down.

    :param external_plugins: plugins that the new version has beyond its own.
    :raises CorefileError: the text cannot be read, or lacks a brace that CoreDNS does not miss.
    :raises VersionError: a version is none.
    """
    source, target = version_of(old), version_of(new)
    corefile, steps = parse(text), []
    corefile.require_ends()
    changes = sorted((one for one in CHANGES if one.lies_between(source, target)), key=lambda one: one.version)
    for change in changes if target > source else reversed(changes):
        corefile, done = _apply(corefile, change, up=target > source)
        steps += done
    corefile, done = _take_out(corefile, target, external_plugins)
    steps += done
    if target > source:
        steps += _behaviour(corefile, source, target)
    steps += _left(corefile.text, new, external_plugins)
    return Plan(tuple(steps), corefile.text)


def _apply(corefile: Corefile, change: Change, *, up: bool) -> tuple[Corefile, list[Step]]:
    """Make one change wherever it applies, at once; and again until it finds nothing."""
    action = change.up if up else change.down
    steps: list[Step] = []
    while action is not None:
        edits: list[Edit] = []
        for block in corefile.blocks:
            for directive in block.directives:
                made = action(corefile, block, directive) if directive.name == change.plugin else None
                if made is not None:
                    edits += made[0]
                    steps.append(_step(change, directive.tokens[0].line, made[1]))
        if not edits:
            return corefile, steps
        corefile = parse(applied(corefile.text, edits))
    return corefile, steps


def _step(change: Change, line: int, what: str) -> Step:
    kind = LOST if what.startswith("take out") and not change.is_harmless else CHANGED
    return Step(kind, change.since, change.plugin, line, what, change.reason, change.source)


def _take_out(corefile: Corefile, target: Version, external: Collection[str]) -> tuple[Corefile, list[Step]]:
    """Take out plugins and options that the version does not know yet."""
    steps: list[Step] = []
    edits: list[Edit] = []
    for block in corefile.blocks:
        for directive in block.directives:
            if directive.name in external or directive.name not in RULES:
                continue
            for step, start, end in _unknown_in(directive, target):
                steps.append(step)
                edits.append(taken_out(corefile.text, start, end))
    return (parse(applied(corefile.text, edits)) if edits else corefile), steps


def _unknown_in(directive: Directive, target: Version) -> Iterator[tuple[Step, int, int]]:
    name = directive.name
    since = SINCE.get(name, "1.0.0")
    if target < version_of(since):
        step = _unknown(since, name, directive.tokens[0].line, f"take out plugin {name}")
        yield step, directive.start, directive.end
        return
    for option in directive.options:
        rule = (RULES[name].options or {}).get(option.name)
        if rule is not None and rule.since and target < version_of(rule.since):
            what = f"take out option {' '.join(option.words)}"
            step = _unknown(rule.since, name, option.tokens[0].line, what)
            yield step, option.tokens[0].start, option.tokens[-1].end


def _unknown(since: str, plugin: str, line: int, what: str) -> Step:
    reason = f"it exists since CoreDNS {since}"
    return Step(LOST, since, plugin, line, what, reason, f"plugin/{plugin} of github.com/coredns/coredns v{since}")


def _behaviour(corefile: Corefile, source: Version, target: Version) -> list[Step]:
    """What stays as it is written and does something else."""
    steps = []
    for one in BEHAVIOUR:
        if not source < version_of(one.since) <= target:
            continue
        for block in corefile.blocks:
            directive = block.find(one.plugin)
            if directive is not None and (not one.option or directive.option(one.option)):
                line = directive.tokens[0].line
                steps.append(Step(NOTED, one.since, one.plugin, line, "nothing", one.reason, one.source))
                break
    return steps


def _left(text: str, new: str, external: Collection[str]) -> list[Step]:
    """What the version still refuses."""
    steps: list[Step] = []
    unknown: list[str] = []
    while True:
        refused = [
            finding
            for finding in validate(text, version=new, external_plugins=[*external, *unknown])
            if finding.level == REFUSED
        ]
        name = refused[0].seen.partition("Unknown directive '")[2].rstrip("'") if refused else ""
        steps += [_manual(finding, finding.plugin or name, new) for finding in refused]
        if not name:
            return steps
        # What comes behind an unknown plugin shows when it is taken for known.
        unknown.append(name)


def _manual(finding: Finding, name: str, new: str) -> Step:
    since = GONE.get(name, new)
    reason = f"{finding.seen}{f'; expected {finding.expected}' if finding.expected else ''}"
    what = "decide by hand" + (f": {_ADVICE[name]}" if name in _ADVICE else "")
    source = f"github.com/coredns/coredns v{said(version_of(new))}"
    return Step(MANUAL, said(version_of(since)), name, finding.line, what, reason, source)


_ADVICE = {
    "reverse": "plugin template answers such names",
    "federation": "it is an external plugin now, github.com/coredns/federation",
    "proxy": "plugin forward, or plugin grpc, takes its place",
    "forward": "give each zone a server block of its own",
}
