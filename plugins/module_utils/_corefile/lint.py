# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What CoreDNS takes without a word and does otherwise than the text reads."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.changes import OUTDATED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, WARNING, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import GUARDS_CYCLES_SINCE, Loaded, load
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import GrammarError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import NEWEST, Version, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import Sources
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
        Corefile,
        Directive,
        ServerBlock,
    )

# From here on autopath runs first, and the cache sees the names that it tries.
_AUTOPATH_BEFORE_CACHE = (1, 14, 7)
# A second use in a block is read, and only one of them counts.
_LAST_COUNTS = ("autopath", "bufsize", "cancel", "dns64", "health", "loadbalance", "root")
_FIRST_COUNTS = ("any", "chaos", "https", "https3", "minimal", "quic", "reload", "whoami")
# What changes nothing for who asks.
_NOTES = ("ttl-below-cache",)


@dataclass(frozen=True)
class _Scope:
    """What findings need to know beyond one server block.

    :param file: the name of the Corefile.
    :param is_whole: whether all that is imported was looked at; nothing can be said to be missing otherwise.
    """

    file: str
    version: Version
    is_whole: bool

    def found(self, name: str, at: Token, seen: str, plugin: str = "", expected: str = "", remedy: str = "") -> Finding:
        """A finding about a word.

        :param name: what findings of this kind are called.
        """
        level = NOTE if name in _NOTES else WARNING
        return Finding(level, at.file or self.file, at.line, seen, plugin, expected, remedy, name)


def lint(
    corefile: Corefile, file: str = "Corefile", version: str = NEWEST, *, sources: Sources | None = None
) -> list[Finding]:
    """What a reader of this text would get wrong, in the order of the text.

    :param corefile: a text that CoreDNS takes.
    :param file: what findings call it.
    :param version: CoreDNS'.
    :param sources: how to get at imported files, as ``validate`` has it. What only a file might have that is not looked
        at is not said to be missing. Snippets are always looked at.
    """
    number = version_of(version)
    try:
        loaded = load(corefile.text, file, sources=sources, guards_cycles=number >= GUARDS_CYCLES_SINCE)
    except GrammarError:
        loaded = Loaded((), (), corefile.servers)
    scope = _Scope(file, number, not loaded.unseen)
    findings = [*_of_whole(corefile, loaded.servers, scope), *_of_listeners(loaded.servers, scope)]
    for block in loaded.servers:
        findings += _of_keys(block, scope)
        findings += _of_repeats(block, scope)
        findings += _of_forwards(block, scope)
        findings += _of_kubernetes(block, scope)
        findings += _of_cache(block, scope)
        findings += _of_outdated(block, scope)
    # A snippet may be imported more than once.
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.line)


def _place(token: Token) -> str:
    return f"{token.file}:{token.line}" if token.file else f"line {token.line}"


def _of_whole(corefile: Corefile, servers: Sequence[ServerBlock], scope: _Scope) -> Iterator[Finding]:
    file = scope.file
    if scope.is_whole and servers and not any(block.find("reload") for block in servers):
        yield Finding(
            WARNING,
            file,
            0,
            "no server block has plugin reload, so CoreDNS takes a change at its next restart only",
            "reload",
            remedy="Add reload to one server block",
            id="no-reload",
        )
    for number, line in enumerate(corefile.text.split("\n"), 1):
        if line.removesuffix("\r") != line.removesuffix("\r").rstrip(" \t") or "\t" in line:
            yield Finding(
                NOTE,
                file,
                number,
                "a tab, or a blank at the end of the line: kubectl then shows the ConfigMap as one quoted line",
                remedy="Use blanks, and none at the end of a line",
                id="blanks",
            )
            return


def _of_listeners(servers: Sequence[ServerBlock], scope: _Scope) -> Iterator[Finding]:
    """Certificates of server blocks that share a port: which one serves is chosen before the zone is known."""
    first: dict[tuple[str, ...], Directive] = {}
    for block in servers:
        tls, bind = block.find("tls"), block.find("bind")
        if tls is None:
            continue
        for zone in map(v.zone_of_key, block.names):
            if isinstance(zone, str) or zone.transport == "dns":
                continue
            other = first.setdefault((zone.transport, zone.port, *(bind.arguments if bind else ())), tls)
            if other.arguments != tls.arguments:
                yield scope.found(
                    "other-certificate",
                    tls.tokens[0],
                    f"the server block of {_place(other.tokens[0])} has another certificate for the same port, and "
                    "one of them serves both; from CoreDNS 1.15.0 on that is refused",
                    "tls",
                    remedy="Use one certificate with both names, or different ports",
                )
                break


def _of_keys(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    for key, name in zip(block.keys, block.names):
        if "," in name:
            yield scope.found(
                "comma-in-key",
                key,
                f"key {name!r} is one zone with a comma in its name",
                expected="a blank behind a comma",
                remedy=f"Write {name.replace(',', ', ')}",
            )


def _of_repeats(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    seen: dict[str, Directive] = {}
    for directive in block.directives:
        name = directive.name
        first = seen.setdefault(name, directive)
        if first is directive or name not in (*_LAST_COUNTS, *_FIRST_COUNTS):
            continue
        counts = "this one counts" if name in _LAST_COUNTS else "that one counts"
        yield scope.found(
            "used-twice",
            directive.tokens[0],
            f"it stands on {_place(first.tokens[0])} already, and {counts}",
            name,
            remedy="Remove one of the two",
        )


def _of_forwards(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    zones = v.normal_zones(block.names)
    first: dict[tuple[str, ...], Token] = {}
    for directive in block.directives:
        if directive.name != "forward" or not directive.arguments:
            continue
        token = directive.tokens[0]
        before = first.setdefault(v.normal_zones(directive.arguments[:1]), token)
        if before is not token:
            yield scope.found(
                "forwarded-twice",
                token,
                f"{_place(before)} forwards {directive.arguments[0]} already, and that one answers",
                "forward",
                remedy="Name all servers in one of the two",
            )
        may_loop = [server for server in directive.arguments[1:] if server.startswith("/") or _is_loopback(server)]
        if may_loop and scope.is_whole and block.find("loop") is None:
            yield scope.found(
                "may-loop",
                token,
                f"{may_loop[0]} may lead back to this server, and nothing would notice",
                "forward",
                remedy="Add plugin loop to the server block",
            )
        for zone in v.normal_zones(directive.arguments[:1]):
            if not any(v.is_below(zone, served) or v.is_below(served, zone) for served in zones):
                yield scope.found(
                    "forward-elsewhere",
                    token,
                    f"no question for {zone} comes to this server block, which serves {', '.join(zones)}",
                    "forward",
                    remedy="Give the zone a server block of its own",
                )


def _is_loopback(server: str) -> bool:
    rest = v.split_scheme(server)[1]
    parts = v.split_host_port(rest)
    try:
        return ipaddress.ip_address(rest.strip("[]") if parts is None else parts[0]).is_loopback
    except ValueError:
        return False


def _of_kubernetes(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    kubernetes, autopath = block.find("kubernetes"), block.find("autopath")
    if kubernetes is None:
        return
    token = kubernetes.tokens[0]
    pods = kubernetes.option("pods")
    uses_it = autopath is not None and autopath.arguments[-1:] == ("@kubernetes",)
    if scope.is_whole and autopath is not None and uses_it and (pods is None or pods.words[1:] != ("verified",)):
        yield scope.found(
            "autopath-without-pods",
            autopath.tokens[0],
            "it looks for the pod that asks, and the plugin kubernetes does not watch pods",
            "autopath",
            "pods verified",
            "Set pods verified in the plugin kubernetes",
        )
    served = v.normal_zones(block.names)
    reverse = [
        zone
        for zone in v.normal_zones(kubernetes.arguments)
        if zone in ("in-addr.arpa.", "ip6.arpa.") and zone not in served
    ]
    through = kubernetes.option("fallthrough")
    passed = set(v.normal_zones(through.words[1:])) if through else set()
    lost = [zone for zone in reverse if through is None or (through.words[1:] and not passed & {zone, "."})]
    if lost and scope.is_whole:
        yield scope.found(
            "no-fallthrough",
            token,
            f"names of addresses outside the cluster are answered with 'not there' ({', '.join(lost)})",
            "kubernetes",
            "fallthrough for these zones",
            f"Add fallthrough {' '.join(zone.rstrip('.') for zone in lost)}",
        )


def _of_cache(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    cache, kubernetes = block.find("cache"), block.find("kubernetes")
    if cache is None:
        return
    token = cache.tokens[0]
    kept = v.whole_number(cache.arguments[0]) if cache.arguments else None
    ttl = kubernetes.option("ttl") if kubernetes else None
    answered = v.whole_number(ttl.words[1]) if ttl and len(ttl.words) > 1 else None
    if kept is not None and answered is not None and answered < kept:
        yield scope.found(
            "ttl-below-cache",
            token,
            f"answers of the plugin kubernetes are kept {answered} s, its ttl, and not {kept}",
            "cache",
        )
    if scope.version < _AUTOPATH_BEFORE_CACHE and block.find("autopath") is not None:
        yield scope.found(
            "autopath-beside-cache",
            token,
            "answers that autopath found are kept under the name that was asked, for pods of every namespace",
            "cache",
            remedy="Use CoreDNS 1.14.7 or newer, or leave one of the two out",
        )


def _of_outdated(block: ServerBlock, scope: _Scope) -> Iterator[Finding]:
    for one in OUTDATED:
        if scope.version < version_of(one.since):
            continue
        for directive in block.directives:
            option = directive.option(one.option) if one.option else None
            if directive.name != one.plugin or (one.option and option is None):
                continue
            token = option.tokens[0] if option else directive.tokens[0]
            what = f"option {one.option}" if option else "it"
            yield scope.found("outdated", token, f"{what} {one.state}", one.plugin, remedy=one.remedy)
