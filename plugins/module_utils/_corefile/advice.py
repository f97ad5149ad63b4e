# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What kubeadm's default Corefiles of newer versions have, and an older text lacks: nothing is wrong without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import GUARDS_CYCLES_SINCE, load
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import NEWEST, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import Sources
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
        Corefile,
        Directive,
        ServerBlock,
    )


@dataclass(frozen=True)
class _Default:
    """One thing that default Corefiles have.

    :param since: the version of CoreDNS with which kubeadm's has it.
    :param beside: the plugin that a server block must have for it.
    :param plugin: what the block has then, or
    :param option: what that plugin has, if the block has it.
    """

    id: str
    since: str
    beside: str
    plugin: str
    option: str
    why: str
    remedy: str


# notable changes and defaults of github.com/coredns/corefile-migration, kubernetes/kubernetes PR 128359 for the last.
_DEFAULTS = (
    _Default(
        "add-loop",
        "1.2.1",
        "forward",
        "loop",
        "",
        "questions that come back to this server are not noticed",
        "Add loop to the server block",
    ),
    _Default(
        "add-ready",
        "1.5.0",
        "kubernetes",
        "ready",
        "",
        "a pod is ready before its plugins are, and health says nothing of them any more",
        "Add ready to the server block, and a readiness probe of /ready on port 8181",
    ),
    _Default(
        "add-lameduck",
        "1.6.5",
        "health",
        "health",
        "lameduck",
        "a pod that ends stops at once, while nodes still send it questions",
        "Add lameduck 5s",
    ),
    _Default(
        "add-max-concurrent",
        "1.7.0",
        "forward",
        "forward",
        "max_concurrent",
        "questions that wait for a server without an answer take memory without limit",
        "Add max_concurrent 1000",
    ),
    _Default(
        "add-cache-disable",
        "1.12.0",
        "kubernetes",
        "cache",
        "disable",
        "answers of the plugin kubernetes, which has them in memory, are kept once more and grow old",
        "Add disable success {domain} and disable denial {domain}",
    ),
)


def advice(
    corefile: Corefile, file: str = "Corefile", version: str = NEWEST, *, sources: Sources | None = None
) -> list[Finding]:
    """What default Corefiles up to a version have and this one lacks, in the order of the text.

    Nothing is said where what is imported could not be looked at, since it may be there.

    :param corefile: a text that CoreDNS takes.
    :param file: what findings call it.
    :param version: CoreDNS'.
    :param sources: how to get at imported files, as ``validate`` has it.
    :raises GrammarError: CoreDNS refuses the text.
    """
    number = version_of(version)
    loaded = load(corefile.text, file, sources=sources, guards_cycles=number >= GUARDS_CYCLES_SINCE)
    if loaded.unseen:
        return []
    known = [one for one in _DEFAULTS if number >= version_of(one.since)]
    findings = [found for block in loaded.servers for one in known for found in _lacking(block, one, file)]
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.line)


def _lacking(block: ServerBlock, default: _Default, file: str) -> Iterator[Finding]:
    beside = block.find(default.beside)
    if beside is None:
        return
    uses = [use for use in block.directives if use.name == default.plugin]
    if default.option:
        without: list[Directive] = [use for use in uses if use.option(default.option) is None]
    else:
        without = [] if uses else [beside]
    zones = v.normal_zones(beside.arguments)
    domain = next((zone.rstrip(".") for zone in zones if not zone.endswith(".arpa.")), "the cluster's domain")
    what = f"option {default.option}" if default.option else "it"
    for use in without:
        token = use.tokens[0]
        yield Finding(
            NOTE,
            token.file or file,
            token.line,
            f"{what} is not there, which default Corefiles have since CoreDNS {default.since}: {default.why}",
            default.plugin,
            remedy=default.remedy.format(domain=domain),
            id=default.id,
        )
