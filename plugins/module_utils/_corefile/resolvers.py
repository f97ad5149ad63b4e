# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Where plugins send questions, and how ``rewrite`` changes them.

``plugin/forward``, ``plugin/grpc`` and ``plugin/rewrite`` of ``github.com/coredns/coredns``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.grammar import (
    NO_WORDS,
    Option,
    Options,
    Scope,
    Words,
    nothing,
    one,
    require,
    require_count,
    words,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import depends_on_environment
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.patterns import groups_of
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.values import Kind

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.cursor import Cursor

POLICY = v.one_of("random", "round_robin", "sequential")
MOST_SERVERS = 15
_FROM_ZERO = v.span(0, None, "a duration of at least 0")
_RCODES = words(1, None, v.RCODE)


def health_check(cursor: Cursor, scope: Scope) -> Words:
    """An interval, then how to ask."""
    found = list(one(_FROM_ZERO)(cursor, scope))
    while cursor.next_argument():
        word = cursor.word
        found.append(word)
        if word == "no_rec" and scope.since("1.6.8"):
            continue
        if word != "domain" or not scope.since("1.9.2"):
            raise cursor.refuse(f"{word!r}", "no_rec, or domain NAME")
        if not cursor.next_argument():
            raise cursor.refuse("no name behind domain", "a domain name")
        require(cursor, v.DOMAIN, cursor.word)
        found.append(cursor.word)
    return tuple(found)


def failover(cursor: Cursor, scope: Scope) -> Words:
    """Response codes for which the next server is asked; success is none of them."""
    found = _RCODES(cursor, scope)
    if scope.since("1.13.2") and "NOERROR" in {word.upper() for word in found}:
        raise cursor.refuse("NOERROR", "a code of a failure")
    return found


def max_fails(cursor: Cursor, scope: Scope) -> Words:
    """How often a server may fail; once with a sign, now without."""
    return one(v.digits(32) if scope.since("1.9.3") else v.number(0))(cursor, scope)


FORWARD_OPTIONS = {
    "except": Option(words(1, None)),
    "max_fails": Option(max_fails),
    "max_connect_attempts": Option(one(v.digits(32)), since="1.13.2"),
    "health_check": Option(health_check),
    "force_tcp": Option(nothing),
    "prefer_udp": Option(nothing, since="1.2.0"),
    "tls": Option(words(0, 3)),
    "tls_servername": Option(one()),
    "expire": Option(one(_FROM_ZERO)),
    "max_age": Option(one(_FROM_ZERO), since="1.14.3"),
    "max_idle_conns": Option(one(v.number(0)), since="1.14.1"),
    "read_timeout": Option(one(v.span(1e-9, None, "a duration above 0")), since="1.14.5"),
    "doh_method": Option(one(v.one_of("POST", "GET")), since="1.14.5"),
    "policy": Option(one(POLICY)),
    "max_concurrent": Option(one(v.number(0)), since="1.6.8"),
    "next": Option(_RCODES, since="1.11.4"),
    "next_on_nodata": Option(nothing, since="1.14.4"),
    "failfast_all_unhealthy_upstreams": Option(NO_WORDS, since="1.12.1"),
    "failover": Option(failover, since="1.13.0"),
    "resolver": Option(words(1, None, v.ADDRESS_WITH_PORT), since="1.14.4"),
    "source_address": Option(one(v.ADDRESS), since="1.14.6"),
}


def from_and_to(cursor: Cursor, scope: Scope) -> Words:
    """A zone, then who answers for it."""
    if not cursor.next_argument():
        raise cursor.refuse("no argument", "a zone and servers")
    zone = cursor.word
    if scope.since("1.8.4") and not depends_on_environment(zone) and isinstance(v.zone_of_key(zone), str):
        raise cursor.refuse(f"zone {zone!r}", "a domain name")
    to = cursor.arguments()
    if not to:
        raise cursor.refuse(f"no server behind {zone!r}", "servers to ask")
    return (zone, *to)


def forward(cursor: Cursor, scope: Scope, head: Words, options: Options) -> None:
    """Servers, and options that hang together."""
    found = dict(options)
    if "max_age" in found:
        age, expire = v.seconds(found["max_age"][0]), v.seconds(found.get("expire", ("10s",))[0])
        if age is not None and expire is not None and 0 < age < expire:
            raise cursor.refuse(f"max_age {found['max_age'][0]} is less than expire", "at least as long as expire")
    schemes = ("dns", "tls", *(("https",) if scope.since("1.14.5") else ()))
    schemes = (*schemes, "quic") if scope.since("1.15.0") else schemes
    for server in head[1:]:
        _require_server(cursor, server, schemes, scope, names=scope.since("1.14.4"))
        proves_names = ("tls", "quic") if scope.since("1.15.0") else ("tls",)
        names_itself = v.split_scheme(server)[0] in proves_names and "%" in server and scope.since("1.13.2")
        if names_itself and "tls_servername" in found:
            raise cursor.refuse(f"{server!r} and tls_servername both name the server", "one of the two")
    if len(head) - 1 > MOST_SERVERS:
        raise cursor.refuse(f"{len(head) - 1} servers", f"at most {MOST_SERVERS}")


def grpc(cursor: Cursor, scope: Scope, head: Words, _options: Options) -> None:
    """Servers of grpc."""
    for server in head[1:]:
        _require_server(cursor, server, v.SCHEMES, scope, names=False)
    if len(head) - 1 > MOST_SERVERS:
        raise cursor.refuse(f"{len(head) - 1} servers", f"at most {MOST_SERVERS}")


def _require_server(cursor: Cursor, server: str, schemes: tuple[str, ...], scope: Scope, *, names: bool) -> None:
    if depends_on_environment(server):
        return
    scheme, rest = v.split_scheme(server)
    if not rest:
        raise cursor.refuse(f"{server!r}", "an address")
    if scheme == "https" and "/" in rest and names:
        raise cursor.refuse(f"{server!r} has a path", "https:// and an address; /dns-query is added")
    if scheme not in schemes:
        raise cursor.refuse(f"{server!r}", f"one of the transports {', '.join(schemes)}")
    if scheme == "unix" or _is_file(rest):
        return
    parts = v.split_host_port(rest)
    bare = rest.strip("[]") if scope.since("1.14.2") else rest
    host = v.without_zone(bare if parts is None else parts[0])
    if v.is_address(host):
        return
    if not (names and _may_resolve(host)):
        wanted = "an address, a name" if names else "an address"
        raise cursor.refuse(f"server {server!r}", f"{wanted} or the path of a resolv.conf")


def _may_resolve(host: str) -> bool:
    """Whether a server can be found by its name, as CoreDNS tries when it starts."""
    labels = host.rstrip(".").split(".")
    is_plain = all(char.isalnum() or char in "._-" for char in host)
    return v.is_domain_name(host) and is_plain and not labels[-1].isdecimal()


def _is_file(word: str) -> bool:
    """Whether a server is the path of a file with servers; it is another machine's."""
    return word[0] in "/." or word.endswith(".conf") or (word[0].isalpha() and "/" in word and ":" not in word)


# ---- rewrite ---------------------------------------------------------------------------------------------------------

_CLASS = Kind("a class such as IN", lambda word: word.upper() in v.CLASSES)
_TYPE = Kind("a type of record such as AAAA", lambda word: word.upper() in v.TYPES)
_EXPECTED = ("exact", "prefix", "suffix", "substring", "regex")
_MATCH = v.one_of(*_EXPECTED, any_case=True)
_SINGLE_TTL = v.digits(32)
_CODE = Kind(
    "a response code, as a name or a number up to 23",
    lambda word: word.upper() in v.RCODES or (v.digits(32).accepts(word) and int(word) <= 23),
)
_BITS_16 = Kind("a number of 16 bits, decimal, octal or hexadecimal", lambda word: _of_any_base(word, 2**16 - 1))
_VARIABLES = frozenset(
    "{qname} {qtype} {client_ip} {client_port} {protocol} {server_ip} {server_port}".split(),
)


def _is_ttl(word: str) -> bool:
    low, dash, high = word.partition("-")
    if not dash:
        return _SINGLE_TTL.accepts(word)
    if word == "-" or not all(not part or _SINGLE_TTL.accepts(part) for part in (low, high)):
        return False
    return int(low or 0) <= int(high or 2**31 - 1)


_TTL = Kind("seconds, or a range of seconds such as 30-300", _is_ttl)


def rewrite(cursor: Cursor, scope: Scope) -> Words:
    """One rule, on a line or in a block."""
    found = list(cursor.arguments())
    if len(found) < 2:
        while cursor.next_in_block():
            found.append(cursor.word)
    rule = found[1:] if found and found[0].lower() in ("stop", "continue") else found
    if not rule:
        raise cursor.refuse("no rule", "name, class, type, edns0, ttl, cname or rcode")
    kind = rule[0].lower()
    readers = {
        "name": _name,
        "class": lambda cursor, words, _scope: _pair(cursor, words, _CLASS),
        "type": lambda cursor, words, _scope: _pair(cursor, words, _TYPE),
        "edns0": _edns0,
        "ttl": _ttl,
        "cname": _cname,
        "rcode": _rcode,
    }
    since = {"ttl": "1.2.3", "cname": "1.11.0", "rcode": "1.11.3"}
    if kind not in readers or not scope.since(since.get(kind, "1.0.0")):
        known = [name for name in readers if scope.since(since.get(name, "1.0.0"))]
        raise cursor.refuse(f"{rule[0]!r}", f"one of {', '.join(known)}")
    readers[kind](cursor, tuple(rule[1:]), scope)
    return tuple(found)


def _pair(cursor: Cursor, found: Words, kind: Kind) -> None:
    require_count(cursor, found, 2, 2)
    for word in found:
        require(cursor, kind, word)


def _name(cursor: Cursor, found: Words, scope: Scope) -> None:
    require_count(cursor, found, 2, None)
    match = found[0].lower() if len(found) > 2 else "exact"
    old, new = found[1:3] if len(found) > 2 else found
    if found[3:4] == ("metadata",) and scope.since("1.15.0"):
        _with_metadata(cursor, match, old, new)
        if len(found) > 4:
            _answers(cursor, found[4:])
        return
    if len(found) > 3 and scope.since("1.8.4"):
        _answers(cursor, found[3:])
    elif len(found) > 3:
        require_count(cursor, found, 7, 7)
        if match != "regex" or found[3] != "answer" or found[4].lower() != "name":
            raise cursor.refuse(" ".join(found[3:5]), "answer name behind a rule with regex, and nothing else")
        _require_groups(cursor, found[5], found[6])
    require(cursor, _MATCH, match)
    if match == "regex":
        _require_groups(cursor, old, new)
    if match == "exact":
        # The new name is a pattern here, for what is done to the answer.
        _require_groups(cursor, new, old)


def _with_metadata(cursor: Cursor, match: str, pattern: str, replacement: str) -> None:
    """A new name with groups of the pattern and labels of plugin metadata in braces."""
    if match != "regex":
        raise cursor.refuse("metadata", "it behind a rule with regex alone")
    require(cursor, v.PATTERN, pattern)
    groups = groups_of(pattern)
    outside = re.sub(r"\{([^}]*)\}", "", replacement)
    if "{" in outside or "}" in outside:
        raise cursor.refuse(f"{replacement!r}", "each brace closed")
    for label in re.findall(r"\{([^}]*)\}", replacement):
        number = v.whole_number(label)
        if number is None and ("{" in label or not all(label.partition("/"))):
            raise cursor.refuse(f"{{{label}}}", "the number of a group, or a label such as kubernetes/client-namespace")
        if number is not None and groups is not None and not 0 <= number <= groups:
            raise cursor.refuse(f"{replacement!r} names more groups than {pattern!r} has", f"at most {groups}")


def _require_groups(cursor: Cursor, pattern: str, replacement: str) -> None:
    require(cursor, v.PATTERN, pattern)
    groups = groups_of(pattern)
    used = sum("{" + str(number) + "}" in replacement for number in range(101))
    if groups is not None and used > groups:
        raise cursor.refuse(f"{replacement!r} names more groups than {pattern!r} has", f"at most {groups}")


def _answers(cursor: Cursor, found: Words) -> None:
    """What is done to answers: ``answer auto``, ``answer name FROM TO``, ``answer value FROM TO``."""
    require_count(cursor, found, 2, None)
    rest = list(found)
    is_first, is_auto, names = True, False, 0
    while rest:
        if is_first and rest[0] != "answer":
            raise cursor.refuse(f"{rest[0]!r}", "answer")
        if rest[0] == "answer":
            rest.pop(0)
        is_first = False
        kind = rest.pop(0) if rest else ""
        if kind == "auto":
            is_auto = True
            continue
        if kind not in ("name", "value"):
            raise cursor.refuse(f"{kind!r} behind answer", "auto, name or value")
        if len(rest) < 2:
            raise cursor.refuse(f"answer {kind} with {len(rest)} behind it", "2")
        _require_groups(cursor, rest.pop(0), rest.pop(0))
        names += kind == "name"
    if is_auto and names:
        raise cursor.refuse("answer auto and answer name together", "one of the two")


def _ttl(cursor: Cursor, found: Words, scope: Scope) -> None:
    require_count(cursor, found, 2, 3)
    require(cursor, _TTL if scope.since("1.9.4") else _SINGLE_TTL, found[-1])
    _require_match(cursor, found[:-1])


def _rcode(cursor: Cursor, found: Words, _scope: Scope) -> None:
    require_count(cursor, found, 3, 4)
    for word in found[-2:]:
        require(cursor, _CODE, word)
    _require_match(cursor, found[:-2])


def _require_match(cursor: Cursor, found: Words) -> None:
    """How a name is compared, when it is said, and with what."""
    if len(found) == 2:
        require(cursor, _MATCH, found[0])
        if found[0].lower() == "regex":
            require(cursor, v.PATTERN, found[1])


def _cname(cursor: Cursor, found: Words, _scope: Scope) -> None:
    require_count(cursor, found, 2, 3)
    if len(found) == 3:
        require(cursor, _MATCH, found[0])
        if found[0].lower() == "regex":
            require(cursor, v.PATTERN, found[1].lower())


def _edns0(cursor: Cursor, found: Words, scope: Scope) -> None:
    require_count(cursor, found, 2, None)
    kind, action = found[0].lower(), found[1].lower()
    actions = ("append", "replace", "set", *(("unset",) if scope.since("1.12.3") else ()))
    require(cursor, v.one_of(*actions), action)
    if action != "unset" and found[-1] == "revert" and scope.since("1.11.4"):
        found = found[:-1]
    require(cursor, v.one_of("local", "nsid", "subnet"), kind)
    counts = {"local": 3 if action == "unset" else 4, "nsid": 2, "subnet": 2 if action == "unset" else 4}
    require_count(cursor, found, counts[kind], counts[kind])
    if kind == "subnet" and action != "unset":
        for word, most in zip(found[2:], (32, 128)):
            require(cursor, _bits(most), word)
    if kind == "local":
        require(cursor, _BITS_16, found[2])
        if action != "unset":
            _require_payload(cursor, found[3])


def _bits(most: int) -> Kind:
    return Kind(f"a number of bits up to {most}", lambda word: _of_any_base(word, most))


def _require_payload(cursor: Cursor, word: str) -> None:
    if word.startswith("{") and word.endswith("}"):
        # A label of the plugin metadata has a slash.
        if word not in _VARIABLES and "/" not in word and not depends_on_environment(word):
            raise cursor.refuse(f"variable {word!r}", "one such as {client_ip}, or a label of metadata")
    elif word.startswith("0x"):
        require(
            cursor,
            Kind("an even number of hexadecimal digits behind 0x", lambda text: _is_hexadecimal(text[2:])),
            word,
        )


def _is_hexadecimal(digits: str) -> bool:
    return len(digits) % 2 == 0 and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _of_any_base(word: str, most: int) -> bool:
    """A number as ``strconv.ParseUint`` reads it with base 0."""
    if not word or not word[0].isdigit():
        return False
    octal = len(word) > 1 and word[0] == "0" and word[1].isdigit()
    try:
        return int("0o" + word[1:] if octal else word, 0) <= most
    except ValueError:
        return False
