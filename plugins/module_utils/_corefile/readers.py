# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Arguments and options whose rules do not fit into a line of the table: one reader for each.

Each says what the ``setup.go`` of its plugin says at v1.15.0, and what older versions say where they differ.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.grammar import (
    NO_WORDS,
    REST,
    Option,
    Options,
    Read,
    Scope,
    Words,
    counted,
    first_words,
    require,
    require_count,
    words,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import depends_on_environment
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.patterns import groups_of
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.values import Kind

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.cursor import Cursor

BOOLEAN = Kind(
    "true or false",
    lambda word: word in ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"),
)
LOCAL_ADDRESS = Kind(
    "an IP address or the name of a network interface",
    lambda word: v.is_address(word) or re.fullmatch(r"[A-Za-z][\w.@-]{0,14}", word) is not None,
)
PERCENTAGE = Kind(
    "a percentage from 10% to 90%",
    lambda word: word.endswith("%") and (v.whole_number(word[:-1]) or 0) in range(10, 91),
)
HEADER_FLAG = v.one_of("aa", "ra", "rd", any_case=True)
TRANSFER_TARGET = Kind("* or an IP address, with or without a port", lambda word: word == "*" or _may_transfer(word))
ABOVE_ZERO = v.span(1e-9, None, "a duration above 0, or seconds", v.seconds_or_number)
_EMPTY_ACTION = re.compile(r"\{\{(?:-\s)?\s*(?:\s-)?\}\}")
# Patterns of rare words are compiled when the first such word is read.
_ACTION = r"(?s)\{\{(.*?)\}\}"
_QUOTED = r"""(?s)"(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\(?:[0-7]{3}|x\w\w|u\w{4}|U\w{8}|.))'|/\*.*?\*/"""
_NUMBER_LIKE = r"(?<![\w$.])[+-]?\d[\w.]*"
_WHOLE = r"0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][\d_]*"
_GO_NUMBER = rf"[+-]?(?:{_WHOLE}|[\d_]+\.[\d_]*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)i?"


def _is_template(word: str) -> bool:
    """As far as the lexer of Go's ``text/template`` goes: closed actions, none empty, numbers that are some."""
    if word.count("{{") != word.count("}}") or _EMPTY_ACTION.search(word):
        return False
    actions = [re.sub(_QUOTED, " ", action) for action in re.findall(_ACTION, word)]
    numbers = [number for action in actions for number in re.findall(_NUMBER_LIKE, action)]
    return all(re.fullmatch(_GO_NUMBER, number) for number in numbers) and not any("'" in action for action in actions)


TEMPLATE = Kind("a template of Go", _is_template)
_LABEL = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)"
_PREFIXED = rf"(?:[a-z0-9.-]+/)?{_LABEL}"


def _may_transfer(word: str) -> bool:
    return v.ADDRESS_WITH_PORT.accepts(word)


_BAD_ESCAPE = r"%(?![0-9A-Fa-f]{2})"


def _is_url(word: str) -> bool:
    """Whether Go's ``url.Parse`` can tell where the path begins, and what each escape stands for."""
    before, _sharp, fragment = word.partition("#")
    if any(re.search(_BAD_ESCAPE, part) for part in (before.partition("?")[0], fragment)):
        return False
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", word) is not None or ":" not in word.partition("/")[0]


URL = Kind("a URL such as http://192.0.2.1:4646", _is_url)


def _is_old_tap(word: str) -> bool:
    return not word.startswith("tcp://") or _may_transfer(word[6:]) or "/" in word[6:]


OLD_TAP = Kind("a socket, or tcp:// and an address", _is_old_tap)


def _is_lease(word: str) -> bool:
    found = v.seconds_or_number(word.strip()) if word.strip() else 0.0
    return found is not None and 0 <= found <= 2**32 - 1


VARIABLE = Kind(
    "a name of letters, digits and underscores", lambda word: re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word) is not None
)
NOT_EMPTY = Kind("a word that is not empty", bool)
LEASE = Kind("a duration from 0 on, or seconds", _is_lease)


# ---- server ----------------------------------------------------------------------------------------------------------

_CLIENT_AUTH = v.one_of("nocert", "request", "require", "verify_if_given", "require_and_verify")
TLS_OPTIONS = {
    "client_auth": Option(words(1, 1, _CLIENT_AUTH), since="1.5.1"),
    "keylog": Option(words(1, 1), since="1.14.3"),
    "acme": Option(words(1, None), since="1.14.7", once=True),
    **{
        name: Option(words(1, 1), since="1.14.7", once=True)
        for name in ("email", "ca", "storage", "ca_root", "resolver")
    },
}
_OF_ACME = frozenset({"acme", "email", "ca", "storage", "ca_root", "resolver"})


def tls_files(cursor: Cursor, _scope: Scope) -> Words:
    """Certificate, key and perhaps an authority; none for a certificate by ACME."""
    found = cursor.arguments()
    if found:
        require_count(cursor, found, 2, 3)
    return found


def tls(cursor: Cursor, _scope: Scope, head: Words, options: Options) -> None:
    """Options of a certificate from files and of one by ACME do not go together."""
    for name, _words in options:
        if (name in _OF_ACME) == bool(head):
            raise cursor.refuse(f"option {name!r} does not go with {'files' if head else 'ACME'}")
    if not head and "acme" not in {name for name, _words in options}:
        raise cursor.refuse("neither files nor a domain for ACME", "a certificate and a key, or option acme")


def tcp_queries(cursor: Cursor, scope: Scope) -> Words:
    """-1 for no limit, or a number above 0."""
    found = words(1, 1, v.number(-1))(cursor, scope)
    if v.whole_number(found[0]) == 0:
        raise cursor.refuse("0", "-1 for no limit, or a number above 0")
    return found


def some_option(cursor: Cursor, _scope: Scope, _head: Words, options: Options) -> None:
    """The plugin is of no use without an option."""
    if not options:
        raise cursor.refuse("its block is empty", "an option")


def reload(cursor: Cursor, scope: Scope) -> Words:
    """The interval and the jitter."""
    found = cursor.arguments()
    require_count(cursor, found, 0, 2)
    for word, low in zip(found, (2, 1)):
        require(cursor, v.DURATION, word)
        length = v.seconds(word)
        may_be_zero = low == 1 and scope.since("1.14.2") and length == 0
        if length is not None and length < low and not may_be_zero:
            raise cursor.refuse(f"{word!r}", f"a duration of at least {low}s")
    return found


def plain_dns(cursor: Cursor, scope: Scope, _head: Words, _options: Options) -> None:
    """The server block serves plain DNS alone."""
    for key in scope.keys:
        transport = v.split_scheme(key)[0]
        if transport != "dns":
            raise cursor.refuse(f"the server block serves {key!r}", "plain DNS alone")


def trace(cursor: Cursor, _scope: Scope) -> Words:
    """An end point, perhaps its kind before it."""
    found = cursor.arguments()
    require_count(cursor, found, 0, 2)
    if len(found) == 2:
        require(cursor, v.one_of("zipkin", "datadog", any_case=True), found[0])
    return found


def consolidate(cursor: Cursor, scope: Scope) -> Words:
    """A duration, a pattern, perhaps a level, perhaps ``show_first``."""
    found = cursor.arguments()
    require_count(cursor, found, 2, 4)
    require(cursor, v.DURATION, found[0])
    require(cursor, v.PATTERN, found[1])
    levels = ("warning", "error", "info", "debug")
    is_level_due = True
    for word in found[2:]:
        if (word == "show_first" and scope.since("1.14.0")) or (word in levels and is_level_due):
            is_level_due = False
        else:
            raise cursor.refuse(f"{word!r}", f"one of {', '.join(levels)}, then show_first")
    return found


def dnstap(cursor: Cursor, scope: Scope) -> Words:
    """An end point, perhaps ``full``, perhaps two sizes; ``listen`` before it turns the connection round."""
    found = cursor.arguments()
    require_count(cursor, found, 1, None)
    if found[0] == "listen" and scope.since("1.14.4"):
        require_count(cursor, found, 2, None)
        sizes = found[3:5]
    else:
        sizes = found[2:4]
    for word, most in zip(sizes, (1024, 4096) if scope.since("1.13.0") else ()):
        require(cursor, v.number(1, most), word)
    return found


def dnstap_use(cursor: Cursor, _scope: Scope, head: Words, options: Options) -> None:
    """Files of TLS are a listener's."""
    if head[0] != "listen" and "tls" in {name for name, _words in options}:
        raise cursor.refuse("option 'tls' without a listener", "the argument 'listen' before the end point")


def loadbalance(cursor: Cursor, scope: Scope) -> Words:
    """A policy; ``weighted`` has a file."""
    found = cursor.arguments()
    while len(found) > 1 and not scope.since("1.10.1"):
        # It went on as if nothing had been said, and wanted something to go on with.
        if not cursor.next():
            raise cursor.refuse(counted(found), "none, or round_robin")
        found = cursor.arguments()
    policies = ("round_robin", "weighted") if scope.since("1.10.1") else ("round_robin",)
    if found:
        require(cursor, v.one_of(*policies), found[0])
        if found[0] == "weighted":
            require_count(cursor, found, 2, 2)
        else:
            require_count(cursor, found, 1, 1)
    return found


def weighted_opens(head: Words, scope: Scope) -> bool:
    """Once only the weighted policy had a block."""
    return scope.since("1.12.4") or (head[:1] == ("weighted",) and scope.since("1.10.1"))


def loadbalance_use(cursor: Cursor, _scope: Scope, head: Words, options: Options) -> None:
    """Each policy has options of its own."""
    wrong = "prefer" if head[:1] == ("weighted",) else "reload"
    if wrong in {name for name, _words in options}:
        raise cursor.refuse(f"option {wrong!r} does not go with policy {head[0] if head else 'round_robin'!r}")


def all_none_or(allowed: frozenset[str], expected: str) -> Read:
    """``all``, ``none``, or some names; what follows ``all`` or ``none`` is not looked at."""
    kind = Kind(f"all, none, or {expected}", lambda word: word in allowed)

    def read(cursor: Cursor, _scope: Scope) -> Words:
        found = cursor.arguments()
        require_count(cursor, found, 1, None)
        if found[0] not in ("all", "none"):
            for word in found:
                require(cursor, kind, word)
        return found

    return read


def tsig_keys(cursor: Cursor, _scope: Scope, _head: Words, options: Options) -> None:
    """A key has one secret."""
    names = [(found[0].lower().rstrip(".") + ".") for name, found in options if name == "secret"]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise cursor.refuse(f"key {name!r} has two secrets", "one", "Remove one of the two")


# ---- what changes questions and answers ------------------------------------------------------------------------------


def access(cursor: Cursor, _scope: Scope) -> Words:
    """Sections ``type`` and ``net``, each with one word at least."""
    found = cursor.arguments()
    section, count = "", 0
    done: set[str] = set()
    for word in found:
        if word.lower() in ("type", "net"):
            if section and not count:
                raise cursor.refuse(f"section {section!r} is empty", "a word behind it")
            section, count = word.lower(), 0
            done.discard(section)
            continue
        if not section:
            raise cursor.refuse(f"{word!r}", "type or net")
        count += 1
        if section in done:
            continue
        if word == "*":
            done.add(section)
        elif section == "type":
            require(cursor, Kind("a type of record such as AAAA", v.TYPES.__contains__), word)
        elif not v.is_address(word):
            require(cursor, v.NETWORK, word)
    if section and not count:
        raise cursor.refuse(f"section {section!r} is empty", "a word behind it")
    return found


def cache(cursor: Cursor, _scope: Scope) -> Words:
    """Perhaps a time to live, then zones."""
    found = cursor.arguments()
    if (found and (v.whole_number(found[0]) or 1) < 1) or found[:1] == ("0",):
        raise cursor.refuse(f"time to live {found[0]!r}", "at least 1 second")
    return found


def serve_stale(cursor: Cursor, scope: Scope) -> Words:
    """For how long, how to refresh, and more for each of the two ways."""
    found = cursor.arguments()
    require_count(cursor, found, 0, 5)
    from_zero = v.span(0, None, "a duration of at least 0")
    ttl = Kind(
        "whole seconds from 0 on", lambda word: (v.seconds(word) or 0.0).is_integer() and from_zero.accepts(word)
    )
    recheck = v.span(0, 300, "a duration from 0 to 5m")
    mode = found[1].lower() if len(found) > 1 else ""
    kinds = [from_zero, v.one_of("immediate", "verify", any_case=True), ttl, recheck]
    if mode == "verify":
        kinds.insert(2, from_zero)
    elif len(found) > 4:
        raise cursor.refuse(counted(found), "at most 4 with mode immediate")
    for kind, word in zip(kinds if scope.since("1.9.2") else kinds[:1], found):
        require(cursor, kind, word)
    return found


def stale_policy(cursor: Cursor, _scope: Scope, _head: Words, options: Options) -> None:
    """A policy for stale answers needs stale answers."""
    names = {name for name, _words in options}
    if "serve_stale_policy" in names and "serve_stale" not in names:
        raise cursor.refuse("option serve_stale_policy without serve_stale", "both")


def header_flags(cursor: Cursor, _scope: Scope) -> Words:
    """``set`` or ``clear``, then flags."""
    found = cursor.arguments()
    require_count(cursor, found, 2, None)
    require(cursor, v.one_of("set", "clear", any_case=True), found[0])
    for word in found[1:]:
        require(cursor, HEADER_FLAG, word)
    return found


def dnssec_key(cursor: Cursor, scope: Scope) -> Words:
    """Where keys come from, and their names."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "file or aws_secretsmanager")
    if cursor.word == "file" or (cursor.word == "aws_secretsmanager" and scope.since("1.11.4")):
        return words(1, None)(cursor, scope)
    # What it does not know it passes over; the words behind it are the next options.
    return ()


def sign_key(cursor: Cursor, scope: Scope) -> Words:
    """Files of keys."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "file")
    if cursor.word == "directory":
        raise cursor.refuse("'directory' is not made yet by CoreDNS", "file")
    return words(1, None)(cursor, scope) if cursor.word == "file" else ()


def template(cursor: Cursor, _scope: Scope) -> Words:
    """A class, a type, then zones."""
    for kind in (v.one_of(*sorted(v.CLASSES)), Kind("a type of record such as A", v.TYPES.__contains__)):
        if not cursor.next_argument():
            raise cursor.refuse("too few arguments", kind.expected)
        require(cursor, kind, cursor.word)
    return cursor.arguments()


def _is_siit_network(word: str) -> bool:
    return v.NETWORK_64.accepts(word) and ipaddress.ip_network(word, strict=False).network_address.packed[8] == 0


SIIT_NETWORK = Kind(f"{v.NETWORK_64.expected}, bits 64 to 71 of which are 0", _is_siit_network)


def _is_address_4(word: str) -> bool:
    if not v.is_address(word):
        return False
    address = ipaddress.ip_address(word)
    return address.version == 4 or address.ipv4_mapped is not None


_ADDRESS_4 = Kind("an IPv4 address", _is_address_4)
_ADDRESS_6 = Kind("an IPv6 address", lambda word: v.is_address(word) and not _is_address_4(word))


def siit_pair(cursor: Cursor, _scope: Scope) -> Words:
    """An IPv4 address and the IPv6 address that stands for it."""
    found = cursor.arguments()
    require_count(cursor, found, 2, 2)
    for kind, word in zip((_ADDRESS_4, _ADDRESS_6), found):
        require(cursor, kind, word)
    return found


# ---- zones and names -------------------------------------------------------------------------------------------------


def transfer_targets(cursor: Cursor, _scope: Scope, _head: Words, options: Options) -> None:
    """Whom to send a zone to must be said."""
    if "to" not in {name for name, _words in options}:
        raise cursor.refuse("option 'to' is missing", "to ADDRESS or to *")


def transfer_from(cursor: Cursor, scope: Scope) -> Words:
    """``from`` and addresses."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "from")
    direction = cursor.word
    if direction != "from" and not scope.since("1.8.0"):
        return words(0, None, TRANSFER_TARGET)(cursor, scope) if direction == "to" else ()
    if direction != "from":
        raise cursor.refuse(f"{direction!r}", "from")
    return words(1 if scope.since("1.8.0") else 0, None, v.ADDRESS_WITH_PORT)(cursor, scope)


def old_transfer(cursor: Cursor, _scope: Scope) -> Words:
    """``to`` and addresses, before there was a plugin for it; other words are passed over."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "to")
    if cursor.word == "from":
        raise cursor.refuse("'from'", "to")
    if cursor.word != "to":
        return ()
    found = cursor.arguments()
    for word in found:
        require(cursor, TRANSFER_TARGET, word)
    return found


def has_transfer(cursor: Cursor, scope: Scope, _head: Words, options: Options) -> None:
    """Where a zone comes from must be said."""
    if scope.since("1.12.2") and "transfer" not in {name for name, _words in options}:
        raise cursor.refuse("option 'transfer from' is missing", "transfer from ADDRESS")


# What an update may name: the types that github.com/miekg/dns can read, but for those of transfers and of DNSSEC.
_UPDATED = v.TYPES - frozenset(
    """
    ATMA AXFR CDNSKEY CDS DLV DNSKEY DS IXFR KEY MAILA MAILB NSEC NSEC3 NSEC3PARAM NXT None OPT RRSIG Reserved SIG TA
    TALINK TKEY TSIG UNSPEC ZONEMD
    """.split()
)
_UPDATED_TYPE = Kind("a type of record such as A", lambda word: word.upper() in _UPDATED or _is_numbered_type(word))


def _is_numbered_type(word: str) -> bool:
    """``TYPE1`` and the like; which numbers CoreDNS can read is not looked at."""
    return word.upper().startswith("TYPE") and v.digits(16).accepts(word[4:]) and 0 < int(word[4:]) < 65535


def origin(cursor: Cursor, scope: Scope) -> Words:
    """One zone, or that of the server block where it has one alone."""
    found = cursor.arguments()
    require_count(cursor, found, 0, 1)
    if any(map(depends_on_environment, found or scope.keys)):
        return ()
    zones = {zone.names if isinstance(zone, v.Zone) else () for zone in map(v.zone_of_key, found or scope.keys)}
    names = {name for group in zones for name in group}
    if len(names) != 1 or () in zones:
        raise cursor.refuse(f"{len(names)} zones", "one zone, as the argument or as that of the server block")
    return tuple(names)


def permission(cursor: Cursor, _scope: Scope) -> Words:
    """A key, a name, and types of records."""
    found = cursor.arguments()
    require_count(cursor, found, 3, None)
    if not found[0].strip() or found[0] in ("*", "@") or not v.is_domain_name(found[0]):
        raise cursor.refuse(f"key {found[0]!r}", "the name of a key of plugin tsig")
    for word in found[2:]:
        if word != "*":
            require(cursor, _UPDATED_TYPE, word)
        elif len(found) > 3:
            raise cursor.refuse("'*' among other types", "* alone, or types")
    return found


def permission_in_zone(cursor: Cursor, _scope: Scope, head: Words, options: Options) -> None:
    """What may be updated lies in the zone."""
    option, found = options[-1]
    if option != "allow" or not head or found[1] in ("*", "@") or depends_on_environment(found[1]):
        return
    name = found[1].lower().rstrip(".") + "."
    is_below = head[0] == "." or name == head[0] or name.endswith(f".{head[0]}")
    if not v.is_domain_name(name) or not is_below:
        raise cursor.refuse(f"option allow: name {found[1]!r}", f"a name in zone {head[0].rstrip('.') or '.'}")


def dynupdate(cursor: Cursor, _scope: Scope, _head: Words, options: Options) -> None:
    """What a zone begins with, and who may change what."""
    names = {name for name, _words in options}
    for name, expected in (("file", "file PATH"), ("allow", "allow KEY NAME TYPE")):
        if name not in names:
            raise cursor.refuse(f"option {name!r} is missing", expected)
    if ("file", ("",)) in options:
        raise cursor.refuse("option file is empty", "the path of a zone's file")


def _falls_through(options: Options, scope: Scope) -> bool:
    """Whether anything falls through: the last such line counts, and what is no zone is left out; once it was all."""
    zones = next((words for name, words in reversed(options) if name == "fallthrough"), None)
    return zones is not None and bool(not zones or v.normal_zones(zones) or not scope.since("1.8.4"))


def hosts_entry(cursor: Cursor, scope: Scope, _head: Words, options: Options) -> None:
    """An address and its names; none may follow ``fallthrough``."""
    if _falls_through(options, scope):
        raise cursor.refuse(f"{cursor.word!r} behind fallthrough", "entries before fallthrough", "Move it up")
    options.append(("", (cursor.word, *cursor.arguments())))


def hosts_use(cursor: Cursor, scope: Scope, _head: Words, options: Options) -> None:
    """What falls through for types must fall through at all."""
    if "fallthrough_unsupported" in {name for name, _words in options} and not _falls_through(options, scope):
        raise cursor.refuse("option fallthrough_unsupported without fallthrough", "both")


def file_and_zones(cursor: Cursor, _scope: Scope) -> Words:
    """A file, then zones."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "a file")
    return (cursor.word, *cursor.arguments())


def directory(cursor: Cursor, _scope: Scope) -> Words:
    """A folder, perhaps a pattern with the template of its zones."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "a folder")
    found = [cursor.word]
    if cursor.next_argument():
        found.append(cursor.word)
        require(cursor, v.PATTERN, cursor.word)
        if not groups_of(cursor.word) and not depends_on_environment(cursor.word):
            raise cursor.refuse(f"{cursor.word!r}", "a pattern with a group in parentheses")
        if not cursor.next_argument():
            raise cursor.refuse("no template behind the pattern", "a template such as ${1}")
        found.append(cursor.word)
    if cursor.next_argument():
        raise cursor.refuse(f"argument {cursor.word!r}", "a folder, a pattern and a template")
    return tuple(found)


def cloud_zones(parts: int) -> Read:
    """Zones of a provider, as so many parts with colons between them, each once."""

    def read(cursor: Cursor, _scope: Scope) -> Words:
        found = cursor.arguments()
        for place, word in enumerate(found):
            split = word.split(":", parts - 1)
            if len(split) != parts or not all(split):
                raise cursor.refuse(f"{word!r}", f"{parts} parts with a colon between them")
            if word in found[:place]:
                raise cursor.refuse(f"{word!r} is given twice", "each zone once")
        return found

    return read


def one_or_two(cursor: Cursor, _scope: Scope) -> Words:
    """One word, perhaps a second; what follows is the next option."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "a profile")
    first = cursor.word
    return (first, cursor.word) if cursor.next_argument() else (first,)


# The words of a command as github.com/flynn/go-shlex takes them apart: what is not ASCII stands in quotes only.
_PLAIN = r"A-Za-z0-9._\-,/@$*()+=><:;&^%~|!?\[\]{}"
_ESCAPED = rf"\\[{_PLAIN} \t\r\n\"'\\#]"
_PART = rf"""[{_PLAIN}]|{_ESCAPED}|'[^']*'|"(?:[^"\\]|{_ESCAPED})*\""""
_COMMAND_WORD = rf"(?:{_PART})(?:{_PART}|\#)*(?![^ \t\r\n])"
_BETWEEN = r"[ \t\r\n]|\#[^\n]*(?:\n|\Z)"
_COMMAND = rf"(?:{_BETWEEN})*{_COMMAND_WORD}(?:{_BETWEEN}|{_COMMAND_WORD})*"


def event(cursor: Cursor, _scope: Scope) -> Words:
    """An event and a command."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "an event")
    require(cursor, v.one_of("startup", "shutdown", "certrenew", any_case=True), cursor.word)
    name = cursor.word
    found = cursor.arguments()
    command = " ".join(found)
    if not command.strip():
        raise cursor.refuse("no command", "a command behind the event")
    if not re.fullmatch(_COMMAND, command) and not depends_on_environment(command):
        raise cursor.refuse(f"command {command!r}", "a command as a shell takes it, all but ASCII in quotes")
    return (name, *found)


# ---- kubernetes ------------------------------------------------------------------------------------------------------


def _is_selector(text: str) -> bool:
    values = rf"\(\s*(?:{_LABEL})?(?:\s*,\s*(?:{_LABEL})?)*\s*\)"
    term = rf"\s*(?:!\s*{_PREFIXED}|{_PREFIXED}(?:\s*==?\s*(?:{_LABEL})?|\s+(?:in|notin)\s+{values})?)\s*"
    return re.fullmatch(rf"[ \t\r\n]*|{term}(?:,{term})*", text) is not None


SELECTOR = Kind("a label selector such as app=web", _is_selector)


def selector(cursor: Cursor, _scope: Scope) -> Words:
    """A label selector, blanks allowed."""
    found = cursor.arguments()
    require_count(cursor, found, 1, None)
    require(cursor, SELECTOR, " ".join(found))
    return found


def ignore(cursor: Cursor, _scope: Scope) -> Words:
    """``empty_service``; without an argument it does nothing."""
    found = cursor.arguments()
    if found:
        require(cursor, v.one_of("empty_service"), found[0])
    return found


def kubeconfig(cursor: Cursor, scope: Scope) -> Words:
    """A file, and a context that was once required."""
    return words(1 if scope.since("1.8.3") else 2, 2)(cursor, scope)


def kubernetes_zones(cursor: Cursor, scope: Scope) -> Words:
    """Zones, one of which is not of reverse names."""
    found = cursor.arguments()
    zones = v.normal_zones(found or scope.keys)
    # What is no zone is left out; once it was the root.
    has_root = not scope.since("1.8.4") and any(not v.normal_zones((word,)) for word in found)
    if not has_root and all(zone.endswith((".in-addr.arpa.", ".ip6.arpa.")) for zone in zones):
        raise cursor.refuse("there are only zones of reverse names", "the cluster's zone, such as cluster.local")
    return found


KUBERNETES_OPTIONS = {
    "endpoint_pod_names": Option(NO_WORDS),
    "pods": Option(words(1, 1, v.one_of("disabled", "insecure", "verified"))),
    "namespaces": Option(words(1, None)),
    "endpoint": Option(words(1, None)),
    "tls": Option(words(3, 3)),
    "labels": Option(selector),
    "namespace_labels": Option(selector, since="1.5.0"),
    "fallthrough": Option(REST),
    "ttl": Option(first_words(v.number(0, 3600))),
    "noendpoints": Option(NO_WORDS, since="1.0.6"),
    "zonal": Option(NO_WORDS, since="1.14.7"),
    "ignore": Option(ignore, since="1.1.3"),
    "kubeconfig": Option(kubeconfig, since="1.2.3"),
    "multicluster": Option(REST, since="1.12.2"),
    "startup_timeout": Option(first_words(v.DURATION), since="1.12.3"),
    "apiserver_qps": Option(words(1, 1, v.fraction(0, None, "a number of at least 0")), since="1.14.0"),
    "apiserver_burst": Option(words(1, 1, v.number(0)), since="1.14.0"),
    "apiserver_max_inflight": Option(words(1, 1, v.number(0)), since="1.14.0"),
    "upstream": Option(REST, gone="1.7.0"),
    "resyncperiod": Option(REST, gone="1.7.0"),
    "transfer": Option(old_transfer, gone="1.8.0"),
}


def kubernetes(cursor: Cursor, scope: Scope, head: Words, options: Options) -> None:
    """Options that exclude each other."""
    names = {name for name, _words in options}
    if {"namespaces", "namespace_labels"} <= names:
        raise cursor.refuse("options namespaces and namespace_labels together", "one of the two")
    served = v.normal_zones(head or scope.keys)
    for zone in v.normal_zones(next((found for name, found in reversed(options) if name == "multicluster"), ())):
        if zone not in served:
            raise cursor.refuse(f"zone {zone!r} of option multicluster", "a zone that the plugin serves")
    if {"zonal", "noendpoints"} <= names:
        raise cursor.refuse("options zonal and noendpoints together", "one of the two")
