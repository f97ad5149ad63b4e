# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What CoreDNS of a version refuses, in the order in which it would find it.

``core/dnsserver`` of ``github.com/coredns/coredns`` for keys and zones; plugins see ``rules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.cursor import RefusalError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, REFUSED, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.grammar import Scope, hold
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import (
    GUARDS_CYCLES_SINCE,
    Loaded,
    LoadedBlock,
    Sources,
    depends_on_environment,
    load,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.plugins import order_of, plugins_of
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.rules import RULES
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import PORTS, CorefileError, GrammarError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import NEWEST, Version, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token

_VIEWS_SHARE_SINCE = (1, 14, 3)
_TLS_AGREES_SINCE = (1, 15, 0)
_SCHEME_SINCE = {"https": "1.1.3", "quic": "1.11.0", "https3": "1.13.2"}


def validate(
    text: str,
    file: str = "Corefile",
    version: str = NEWEST,
    *,
    external_plugins: Collection[str] = (),
    sources: Sources | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Everything that CoreDNS refuses in a Corefile, the one that it would name first at the head.

    :param file: what findings call it.
    :param version: CoreDNS', such as ``1.14.2``.
    :param external_plugins: names beyond those of CoreDNS' own build; what they read is not looked at.
    :param sources: how to get at imported files; ``None`` leaves them out, and says so as a note.
    :param environment: the variables of CoreDNS' process; without it, words that need them may be anything.
    :raises VersionError: the version is none.
    """
    number = version_of(version)
    known = plugins_of(number) | frozenset(external_plugins)
    guards_cycles = number >= GUARDS_CYCLES_SINCE
    try:
        loaded = load(text, file, plugins=known, sources=sources, environment=environment, guards_cycles=guards_cycles)
    except GrammarError as refused:
        return [Finding(REFUSED, refused.file, refused.line, refused.seen, remedy=refused.remedy)]
    findings = [*_of_keys(loaded, file, number)]
    if not findings:
        findings = [*_of_plugins(loaded, file, number, known), *_of_zones(loaded, file, number)]
        findings += _of_listeners(loaded, file, number) if number >= _TLS_AGREES_SINCE else ()
    return [*findings, *(_unseen(token, file) for token in loaded.unseen)]


def require_valid(findings: Sequence[Finding]) -> None:
    """Stop at what CoreDNS refuses.

    :raises CorefileError: with the first refusal, and how many more there are.
    """
    refused = [finding for finding in findings if finding.level == REFUSED]
    if refused:
        first = refused[0]
        more = f" ({len(refused) - 1} more)" if len(refused) > 1 else ""
        about = f"plugin {first.plugin}: " if first.plugin else ""
        raise CorefileError(f"{first.file}:{first.line}", about + first.seen + more, first.expected, first.remedy)


def _unseen(token: Token, file: str) -> Finding:
    return Finding(NOTE, token.file or file, token.line, f"what is imported from {token.text!r} was not looked at")


def _of_keys(loaded: Loaded, file: str, version: Version) -> Iterator[Finding]:
    for block in loaded.blocks:
        for key in block.keys:
            if depends_on_environment(key.text) and "__PILLAR__" not in key.text:
                continue
            zone = _zone(key.text, version)
            if isinstance(zone, str):
                yield Finding(REFUSED, key.file or file, key.line, f"key {key.text!r}: {zone}")
                return


def _zone(key: str, version: Version) -> v.Zone | str:
    """What a key says to a version of CoreDNS."""
    transport = key.partition("://")[0]
    # A scheme that is not known yet is a part of the name.
    known = version >= version_of(_SCHEME_SINCE.get(transport, "1.0.0"))
    return v.zone_of_key(
        key if known else f"dns://{key}",
        folds_case=version >= (1, 14, 7),
        strict_names=version >= (1, 11, 3),
        strict_networks=version >= (1, 8, 5),
    )


def _of_plugins(loaded: Loaded, file: str, version: Version, known: Collection[str]) -> Iterator[Finding]:
    """What plugins refuse: each plugin for every block before the next, as CoreDNS does."""
    used = {name for block in loaded.blocks for name in block.plugins}
    for name in sorted(used & set(RULES) & set(known), key=order_of(version).__getitem__):
        for block in loaded.blocks:
            if name not in block.plugins:
                continue
            try:
                hold(name, RULES[name], block.plugins[name], Scope(version, tuple(key.text for key in block.keys)))
            except RefusalError as refusal:
                yield Finding(
                    REFUSED,
                    refusal.file or file,
                    refusal.line,
                    refusal.seen,
                    name,
                    refusal.expected,
                    refusal.remedy,
                )


def _of_zones(loaded: Loaded, file: str, version: Version) -> Iterator[Finding]:
    """Zones that two server blocks, or two keys, serve on one address."""
    taken: dict[tuple[str, str, str], dict[str, Token]] = {}
    for block in loaded.blocks:
        is_filtered = "view" in block.plugins
        addresses = _addresses(block)
        for key in block.keys:
            if key.text.startswith("https3://") and "tls" not in block.plugins and version >= (1, 13, 2):
                seen = f"{key.text} has no certificate"
                yield Finding(REFUSED, key.file or file, key.line, seen, "", "plugin tls in its server block")
            zone = _zone(key.text, version)
            if isinstance(zone, str):
                continue
            for name in zone.names:
                served = taken.setdefault((zone.transport, name, zone.port or PORTS.get(zone.transport, "53")), {})
                for address in addresses:
                    # A view may share a zone, but not half of its addresses.
                    may_share = is_filtered and address in served and version >= _VIEWS_SHARE_SINCE
                    if _overlaps(address, served) and not may_share:
                        yield _twice(key, file, name, served)
                    elif not is_filtered:
                        served[address] = key


def _of_listeners(loaded: Loaded, file: str, version: Version) -> Iterator[Finding]:
    """Server blocks that share a listener of TLS, of which only some have a certificate: ``tlsconfig.go``."""
    listeners: dict[tuple[str, str, str], tuple[bool, Token]] = {}
    for block in loaded.blocks:
        has_tls = "tls" in block.plugins
        for key in block.keys:
            zone = _zone(key.text, version)
            if isinstance(zone, str) or zone.transport in ("dns", "unix"):
                continue
            for address in _addresses(block):
                listener = (zone.transport, address, zone.port or PORTS.get(zone.transport, ""))
                other_has_tls, other = listeners.setdefault(listener, (has_tls, key))
                if other_has_tls != has_tls:
                    place = f"{other.file or file}:{other.line}"
                    yield Finding(
                        REFUSED,
                        key.file or file,
                        key.line,
                        f"{key.text} shares its listener with {other.text} at {place}; only one has plugin tls",
                        expected="the same certificate for every server block of a listener",
                        remedy="Give both the same plugin tls, or different ports",
                    )


def _overlaps(address: str, served: Mapping[str, Token]) -> bool:
    return address in served or (bool(served) and (address == "" or "" in served))


def _twice(key: Token, file: str, zone: str, served: Mapping[str, Token]) -> Finding:
    other = next(iter(served.values()))
    place = f"{other.file or file}:{other.line}"
    return Finding(
        REFUSED,
        key.file or file,
        key.line,
        f"cannot serve {zone} - it is already defined at {place}",
        expected="one server block for a zone, a port and an address",
        remedy="Merge the two blocks, or give them different ports, addresses (bind) or views",
    )


def _addresses(block: LoadedBlock) -> tuple[str, ...]:
    """What a block's ``bind`` says; one empty address for everywhere."""
    found: list[str] = []
    is_except = False
    previous = None
    for token in block.plugins.get("bind", ()):
        opens_line = previous is None or token.opens_line_after(previous)
        previous = token
        if token.text in ("{", "}") or (opens_line and token.text in ("bind", "except")):
            is_except = opens_line and token.text == "except"
        elif not is_except:
            found.append(token.text)
    return tuple(found) or ("",)
