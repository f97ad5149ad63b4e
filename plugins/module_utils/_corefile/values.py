# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What single words of a Corefile must look like: numbers, durations, addresses, names, patterns.

The rules are those of the Go functions that CoreDNS calls: ``strconv``, ``time.ParseDuration``, ``net.ParseIP``,
``net.ParseCIDR``, ``net.SplitHostPort`` and ``dns.IsDomainName`` of ``github.com/miekg/dns``.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING, Callable, NamedTuple

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.patterns import is_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"[+-]?(?:{_PART})+")
_MOST_SECONDS = 2**63 / 1e9
SCHEMES = ("tls", "dns", "quic", "grpc", "https3", "https", "unix")

# The names of dns.TypeToString, ClassToString, RcodeToString and OpcodeToString of github.com/miekg/dns 1.1.72.
TYPES = frozenset(
    """
    A AAAA AFSDB AMTRELAY ANY APL ATMA AVC AXFR CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DLV DNAME DNSKEY DS EID EUI48
    EUI64 GID GPOS HINFO HIP HTTPS IPSECKEY ISDN IXFR KEY KX L32 L64 LOC LP MAILA MAILB MB MD MF MG MINFO MR MX NAPTR
    NID NIMLOC NINFO NS NSAP-PTR NSEC NSEC3 NSEC3PARAM NULL NXNAME NXT None OPENPGPKEY OPT PTR PX RESINFO RKEY RP RRSIG
    RT Reserved SIG SMIMEA SOA SPF SRV SSHFP SVCB TA TALINK TKEY TLSA TSIG TXT UID UINFO UNSPEC URI X25 ZONEMD
    """.split()
)
CLASSES = frozenset("IN CS CH HS NONE ANY".split())
RCODES = frozenset(
    """
    NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE DSOTYPENI BADSIG BADVERS
    BADKEY BADTIME BADMODE BADNAME BADALG BADTRUNC BADCOOKIE
    """.split()
)
OPCODES = frozenset("QUERY IQUERY STATUS NOTIFY UPDATE".split())


class Kind(NamedTuple):
    """What one word may be.

    :param expected: the same in words, for an error.
    :param accepts: whether a word is one.
    :param remedy: what to write instead of a word that is none; empty where that cannot be told.
    """

    expected: str
    accepts: Callable[[str], bool]
    remedy: Callable[[str], str] = lambda _word: ""


def near_miss(word: str, known: Iterable[str]) -> str:
    """A question that names the known word which was meant, if one is near."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    return f"Did you mean {found[0]}?" if found else ""


def whole_number(word: str) -> int | None:
    """A number as Go's ``strconv.Atoi`` reads it; nothing when it is none."""
    if not re.fullmatch(r"[+-]?[0-9]+", word):
        return None
    number = int(word)
    return number if -(2**63) <= number < 2**63 else None


def seconds(word: str) -> float | None:
    """A duration as Go's ``time.ParseDuration`` reads it, in seconds; nothing when it is none."""
    if re.fullmatch(r"[+-]?0", word):
        return 0.0
    if not _DURATION.fullmatch(word):
        return None
    total = sum(
        float(part[1]) * _UNITS[part[2]]
        for part in re.finditer(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)", word.lstrip("+-"))
    )
    if total > _MOST_SECONDS:
        return None
    return -total if word.startswith("-") else total


def seconds_or_number(word: str) -> float | None:
    """A duration, or a bare number of seconds."""
    number = whole_number(word)
    return seconds(word) if number is None else float(number)


def is_address(word: str) -> bool:
    """Whether Go's ``net.ParseIP`` takes a word: an address without a zone."""
    if "%" in word:
        return False
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def is_network(word: str) -> bool:
    """Whether Go's ``net.ParseCIDR`` takes a word: host bits may be set."""
    address, slash, length = word.partition("/")
    if not slash or not re.fullmatch(r"[0-9]+", length) or not is_address(address) or len(length) > 6:
        return False
    return int(length) <= (128 if ":" in address else 32)


def split_host_port(word: str) -> tuple[str, str] | None:
    """What Go's ``net.SplitHostPort`` makes of a word; nothing when it refuses it."""
    host, colon, port = word.rpartition(":")
    if not colon:
        return None
    if word.startswith("["):
        end = word.find("]")
        if end < 0 or end + 1 != len(host):
            return None
        host = host[1:-1]
    elif ":" in host:
        return None
    return None if any(char in host + port for char in "[]") else (host, port)


def without_zone(host: str) -> str:
    """An address without its zone, ``%eth0``."""
    return host.rpartition("%")[0] if "%" in host else host


def is_domain_name(word: str) -> bool:
    """Whether a word is a name that DNS can carry, relative or not."""
    if not word:
        return False
    if not word.endswith("."):
        word += "."
    if word == ".":
        return True
    # A label's own size: an escaped character counts once.
    sizes = [len(re.sub(r"\\(?:[0-9]{3}|.)", "x", label).encode()) for label in re.split(r"(?<!\\)\.", word)[:-1]]
    return all(0 < size < 64 for size in sizes) and sum(sizes) + len(sizes) <= 256


def split_scheme(word: str) -> tuple[str, str]:
    """A transport and what it is followed by; plain DNS when none is named."""
    scheme, separator, rest = word.partition("://")
    return (scheme, rest) if separator and scheme in SCHEMES else ("dns", word)


class Zone(NamedTuple):
    """A key of a server block.

    :param names: the zones, fully qualified; several for a network that ends within a label.
    :param port: empty when none is written.
    """

    transport: str
    names: tuple[str, ...]
    port: str


def zone_of_key(
    key: str, *, folds_case: bool = True, strict_names: bool = True, strict_networks: bool = True
) -> Zone | str:
    """What a key says, or why CoreDNS refuses it: ``plugin.SplitHostPort`` of CoreDNS.

    :param folds_case: whether the zone is taken in small letters; before 1.14.7 it is compared as it is written.
    :param strict_names: whether names that begin with a dot are refused; once they were not.
    :param strict_networks: likewise, for some ways to write a network of IPv6.
    """
    transport, rest = split_scheme(key)
    if rest.endswith(":") or not rest:
        return f"nothing follows the last colon of {rest!r}"
    name, port = rest, ""
    host, colon, last = rest.rpartition(":")
    number = whole_number(last) if colon else None
    if number is not None:
        name, port = host, str(number)
    if len(name.encode()) > 255:
        return f"the zone is longer than 255 characters: {name!r}"
    if not is_domain_name(name) and (strict_names or not is_domain_name(name.lstrip("."))):
        return f"the zone {name!r} is no domain name"
    if not is_network(name):
        qualified = name if name.endswith(".") else name + "."
        return Zone(transport, (qualified.lower() if folds_case else qualified,), port)
    if not strict_networks:
        return Zone(transport, reverse_zones(name), port)
    if name.startswith(":") or (name.startswith("0") and ":" in name):
        return f"the network {name!r} is written in a form that CoreDNS refuses"
    return Zone(transport, reverse_zones(name), port)


def reverse_zones(network: str) -> tuple[str, ...]:
    """The zones of a network's reverse names: one for each whole octet, or digit of IPv6."""
    parsed = ipaddress.ip_network(network, strict=False)
    step = 8 if parsed.version == 4 else 4
    length = -(-parsed.prefixlen // step) * step
    suffix = "in-addr.arpa." if parsed.version == 4 else "ip6.arpa."
    zones = []
    for part in parsed.subnets(new_prefix=length):
        digits = str(part.network_address).split(".") if step == 8 else part.network_address.exploded.replace(":", "")
        kept = list(digits)[: length // step]
        zones.append("".join(f"{digit}." for digit in reversed(kept)) + suffix)
    return tuple(zones)


def normal_zones(words: tuple[str, ...]) -> tuple[str, ...]:
    """Zones as plugins take them: fully qualified and in small letters; what is no zone is left out silently."""
    zones: list[str] = []
    for word in words:
        zone = zone_of_key(word)
        if isinstance(zone, Zone):
            zones.extend(zone.names)
    return tuple(zones)


def is_below(zone: str, parent: str) -> bool:
    """Whether a zone lies in another one, or is the same; both as ``normal_zones`` writes them."""
    return parent == "." or zone == parent or zone.endswith(f".{parent}")


def _is_address_with_port(word: str) -> bool:
    parts = split_host_port(word)
    return is_address(without_zone(word if parts is None else parts[0]))


# ---- kinds ---------------------------------------------------------------------------------------------------------

ANY = Kind("a word", lambda _word: True)
ADDRESS = Kind("an IP address", is_address)
NETWORK = Kind(
    "a network such as 192.0.2.0/24",
    is_network,
    lambda word: f"Write {word}/{128 if ':' in word else 32}" if is_address(word) else "",
)
LISTENER = Kind(
    "host:port, or :port",
    lambda word: split_host_port(word) is not None,
    lambda word: f"Put a colon before it, as in :{word}" if word.isdecimal() else "",
)
DOMAIN = Kind("a domain name", is_domain_name)
ZONE = Kind("a zone", lambda word: isinstance(zone_of_key(word), Zone))
PATTERN = Kind("a regular expression in Go's syntax, at most 10,000 bytes", is_pattern)
RCODE = Kind("a response code such as NXDOMAIN", lambda word: word.upper() in RCODES)
DURATION = Kind(
    "a duration such as 30s",
    lambda word: seconds(word) is not None,
    lambda word: f"Add a unit, as in {word}s" if word.isdecimal() else "",
)
NETWORK_6 = Kind(
    "an IPv6 network of 32 to 96 bits, in whole octets",
    lambda word: is_network(word) and ":" in word and int(word.partition("/")[2]) in range(32, 97, 8),
)
NETWORK_64 = Kind(
    "an IPv6 network of 32, 40, 48, 56, 64 or 96 bits",
    lambda word: is_network(word) and ":" in word and int(word.partition("/")[2]) in (32, 40, 48, 56, 64, 96),
)
ADDRESS_WITH_PORT = Kind("an IP address, with or without a port", _is_address_with_port)


def number(low: int | None = None, high: int | None = None) -> Kind:
    """A whole number between two bounds, which are allowed."""
    if low is None:
        return Kind("a whole number", lambda word: whole_number(word) is not None)
    top = 2**63 - 1 if high is None else high
    expected = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def accepts(word: str) -> bool:
        found = whole_number(word)
        return found is not None and low <= found <= top

    def remedy(word: str) -> str:
        found = whole_number(word)
        return "" if found is None else f"The nearest one is {low if found < low else top}"

    return Kind(expected, accepts, remedy)


def digits(bits: int) -> Kind:
    """A number without a sign, as ``strconv.ParseUint`` reads it."""
    return Kind(
        f"a whole number from 0 to {2**bits - 1}",
        lambda word: re.fullmatch("[0-9]+", word) is not None and int(word) < 2**bits,
    )


def span(low: float, high: float | None, expected: str, read: Callable[[str], float | None] = seconds) -> Kind:
    """A duration between two bounds, which are allowed.

    :param low: seconds.
    :param high: seconds; none for no bound.
    """

    def accepts(word: str) -> bool:
        found = read(word)
        return found is not None and low <= found and (high is None or found <= high)

    return Kind(
        expected, accepts, lambda word: f"Add a unit, as in {word}s" if word.isdecimal() and accepts(f"{word}s") else ""
    )


def fraction(low: float, high: float | None, expected: str) -> Kind:
    """A number that need not be whole, between two bounds."""

    def accepts(word: str) -> bool:
        try:
            found = float(word)
        except ValueError:
            return False
        return low <= found and (high is None or found <= high)

    return Kind(expected, accepts)


def one_of(*words: str, any_case: bool = False) -> Kind:
    """One of some words."""
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    return Kind(
        text, lambda word: (word.lower() if any_case else word) in words, lambda word: near_miss(word.lower(), words)
    )
