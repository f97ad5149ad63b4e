# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What CoreDNS takes without a word and does otherwise than the text reads."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.changes import OUTDATED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, WARNING, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import NEWEST, Version, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def lint(corefile: Corefile, file: str = "Corefile", version: str = NEWEST) -> list[Finding]:
    """What a reader of this text would get wrong, in the order of the text.

    :param corefile: a text that CoreDNS takes; imports are not followed.
    :param file: what findings call it.
    :param version: CoreDNS'.
    """
    findings = [*_of_whole(corefile, file), *_of_listeners(corefile, file)]
    for block in corefile.servers:
        findings += _of_keys(block, file)
        findings += _of_repeats(block, file)
        findings += _of_forwards(block, file)
        findings += _of_kubernetes(block, file)
        findings += _of_cache(block, file, version_of(version))
        findings += _of_outdated(block, file, version_of(version))
    return sorted(findings, key=lambda finding: finding.line)


def _of_whole(corefile: Corefile, file: str) -> Iterator[Finding]:
    has_import = any(directive.name == "import" for block in corefile.blocks for directive in block.directives)
    has_import = has_import or any(block.is_import for block in corefile.blocks)
    if corefile.servers and not has_import and not any(block.find("reload") for block in corefile.servers):
        yield Finding(
            WARNING,
            file,
            0,
            "no server block has plugin reload, so CoreDNS takes a change at its next restart only",
            "reload",
            remedy="Add reload to one server block",
        )
    for number, line in enumerate(corefile.text.split("\n"), 1):
        if line.removesuffix("\r") != line.removesuffix("\r").rstrip(" \t") or "\t" in line:
            yield Finding(
                NOTE,
                file,
                number,
                "a tab, or a blank at the end of the line: kubectl then shows the ConfigMap as one quoted line",
                remedy="Use blanks, and none at the end of a line",
            )
            return


def _of_listeners(corefile: Corefile, file: str) -> Iterator[Finding]:
    """Certificates of server blocks that share a port: which one serves is chosen before the zone is known."""
    first: dict[tuple[str, ...], Directive] = {}
    for block in corefile.servers:
        tls, bind = block.find("tls"), block.find("bind")
        if tls is None:
            continue
        for zone in map(v.zone_of_key, block.names):
            if isinstance(zone, str) or zone.transport == "dns":
                continue
            other = first.setdefault((zone.transport, zone.port, *(bind.arguments if bind else ())), tls)
            if other.arguments != tls.arguments:
                yield Finding(
                    WARNING,
                    file,
                    tls.tokens[0].line,
                    f"the server block of line {other.tokens[0].line} has another certificate for the same port, and "
                    "one of them serves both; from CoreDNS 1.15.0 on that is refused",
                    "tls",
                    remedy="Use one certificate with both names, or different ports",
                )
                break


def _of_keys(block: ServerBlock, file: str) -> Iterator[Finding]:
    for key, name in zip(block.keys, block.names):
        if "," in name:
            yield Finding(
                WARNING,
                file,
                key.line,
                f"key {name!r} is one zone with a comma in its name",
                expected="a blank behind a comma",
                remedy=f"Write {name.replace(',', ', ')}",
            )


def _of_repeats(block: ServerBlock, file: str) -> Iterator[Finding]:
    seen: dict[str, Directive] = {}
    for directive in block.directives:
        name = directive.name
        first = seen.setdefault(name, directive)
        if first is directive or name not in (*_LAST_COUNTS, *_FIRST_COUNTS):
            continue
        counts = "this one counts" if name in _LAST_COUNTS else "that one counts"
        yield Finding(
            WARNING,
            file,
            directive.tokens[0].line,
            f"it stands on line {first.tokens[0].line} already, and {counts}",
            name,
            remedy="Remove one of the two",
        )


def _of_forwards(block: ServerBlock, file: str) -> Iterator[Finding]:
    zones = v.normal_zones(block.names)
    lines: dict[tuple[str, ...], int] = {}
    for directive in block.directives:
        if directive.name != "forward" or not directive.arguments:
            continue
        line = directive.tokens[0].line
        before = lines.setdefault(v.normal_zones(directive.arguments[:1]), line)
        if before != line:
            yield Finding(
                WARNING,
                file,
                line,
                f"line {before} forwards {directive.arguments[0]} already, and that one answers",
                "forward",
                remedy="Name all servers in one of the two",
            )
        may_loop = [server for server in directive.arguments[1:] if server.startswith("/") or _is_loopback(server)]
        if may_loop and block.find("loop") is None:
            yield Finding(
                WARNING,
                file,
                line,
                f"{may_loop[0]} may lead back to this server, and nothing would notice",
                "forward",
                remedy="Add plugin loop to the server block",
            )
        for zone in v.normal_zones(directive.arguments[:1]):
            if not any(_is_below(zone, served) or _is_below(served, zone) for served in zones):
                yield Finding(
                    WARNING,
                    file,
                    line,
                    f"no question for {zone} comes to this server block, which serves {', '.join(zones)}",
                    "forward",
                    remedy="Give the zone a server block of its own",
                )


def _is_below(zone: str, parent: str) -> bool:
    return parent == "." or zone == parent or zone.endswith(f".{parent}")


def _is_loopback(server: str) -> bool:
    rest = v.split_scheme(server)[1]
    parts = v.split_host_port(rest)
    try:
        return ipaddress.ip_address(rest.strip("[]") if parts is None else parts[0]).is_loopback
    except ValueError:
        return False


def _of_kubernetes(block: ServerBlock, file: str) -> Iterator[Finding]:
    kubernetes, autopath = block.find("kubernetes"), block.find("autopath")
    if kubernetes is None:
        return
    line = kubernetes.tokens[0].line
    pods = kubernetes.option("pods")
    uses_it = autopath is not None and autopath.arguments[-1:] == ("@kubernetes",)
    if autopath is not None and uses_it and (pods is None or pods.words[1:] != ("verified",)):
        yield Finding(
            WARNING,
            file,
            autopath.tokens[0].line,
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
    if lost:
        yield Finding(
            WARNING,
            file,
            line,
            f"names of addresses outside the cluster are answered with 'not there' ({', '.join(lost)})",
            "kubernetes",
            "fallthrough for these zones",
            f"Add fallthrough {' '.join(zone.rstrip('.') for zone in lost)}",
        )


def _of_cache(block: ServerBlock, file: str, version: Version) -> Iterator[Finding]:
    cache, kubernetes = block.find("cache"), block.find("kubernetes")
    if cache is None:
        return
    line = cache.tokens[0].line
    kept = v.whole_number(cache.arguments[0]) if cache.arguments else None
    ttl = kubernetes.option("ttl") if kubernetes else None
    answered = v.whole_number(ttl.words[1]) if ttl and len(ttl.words) > 1 else None
    if kept is not None and answered is not None and answered < kept:
        yield Finding(
            NOTE,
            file,
            line,
            f"answers of the plugin kubernetes are kept {answered} s, its ttl, and not {kept}",
            "cache",
        )
    if version < _AUTOPATH_BEFORE_CACHE and block.find("autopath") is not None:
        yield Finding(
            WARNING,
            file,
            line,
            "answers that autopath found are kept under the name that was asked, for pods of every namespace",
            "cache",
            remedy="Use CoreDNS 1.14.7 or newer, or leave one of the two out",
        )


def _of_outdated(block: ServerBlock, file: str, version: Version) -> Iterator[Finding]:
    for one in OUTDATED:
        if version < version_of(one.since):
            continue
        for directive in block.directives:
            option = directive.option(one.option) if one.option else None
            if directive.name != one.plugin or (one.option and option is None):
                continue
            token = option.tokens[0] if option else directive.tokens[0]
            what = f"option {one.option}" if option else "it"
            yield Finding(WARNING, file, token.line, f"{what} {one.state}", one.plugin, remedy=one.remedy)
