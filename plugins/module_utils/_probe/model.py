# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What is listened on, probed and found out, and the words that listeners and probes exchange."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import IP_PROTOCOLS
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import (
    ICMP_TYPES,
    WITH_PORTS,
    protocol_number,
    protocol_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("echo", "service", "kernel", "unsupported")
EXPECTED = ("open", "closed")

# What becomes of a port that a node was told to listen on.
BOUND, IN_USE, KERNEL, UNSUPPORTED = "bound", "in_use", "kernel", "unsupported"
KIND_OF = {BOUND: "echo", IN_USE: "service", KERNEL: "kernel", UNSUPPORTED: "unsupported"}
SOCKETS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "udp": (socket.SOCK_DGRAM, 0),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}

# Verdicts.
OPEN = "open"
REFUSED = "refused"
REJECTED = "rejected"
DROPPED = "dropped"
NO_ROUTE = "no_route"
UNKNOWN = "unknown"
VERDICTS = (OPEN, REFUSED, REJECTED, DROPPED, NO_ROUTE, UNKNOWN)

# A node's name goes over the wire as one word, and a reader of logs should not be surprised by it.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")

# Requests and answers are lines of ASCII. An answer never has the form of a request: two listeners whose datagrams are
# made to look as if they came from each other must not talk for ever.
LONGEST = 512
PROBE = "netops-probe"
COUNT = "netops-count"
WAIT = "netops-wait"
BURST = "netops-burst"
SENT = "netops-sent"
COUNTED = "netops-counted"


class ProbeError(NetopsError):
    """Something that cannot be listened on or probed."""


@dataclass(frozen=True)
class Listener:
    """A port to listen on, on some of the node's own addresses.

    :param protocol: ``tcp``, ``udp``, ``sctp``, or an IP protocol without ports, whose port is 0.
    """

    protocol: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Bound:
    """What became of one port on one address.

    :param status: ``bound``, ``in_use`` by a service, held by the ``kernel``, or ``unsupported`` by it.
    """

    protocol: str
    port: int
    address: str
    status: str


@dataclass(frozen=True)
class Target:
    """One port to probe.

    :param node_name: who must answer.
    :param rule: id of the rule that it is about; empty for a port that no rule names.
    :param kind: ``echo`` where our listener is, ``service`` where a real service is, ``kernel`` for a port of VXLAN,
        Geneve or WireGuard, ``unsupported`` where the target's kernel lacks the protocol.
    :param expected: ``open`` or ``closed``.
    :param source_address: from which of the probing node's addresses; empty to let its routes choose.
    :param control_port: for kind ``kernel``, a TCP port of our listener at the same address; 0 for none.
    """

    node_name: str
    address: str
    protocol: str
    port: int
    rule: str = ""
    kind: str = "echo"
    expected: str = "open"
    source_address: str = ""
    control_port: int = 0


@dataclass(frozen=True)
class Outcome:
    """What one probe found out.

    :param verdict: one of ``VERDICTS``.
    :param detail: what it is concluded from, where that says more than the verdict.
    :param source_address: from which address it went out; empty when it did not.
    """

    verdict: str
    detail: str = ""
    source_address: str = ""


@dataclass(frozen=True)
class Result:
    """A probe and its outcome, with the node that it went out from."""

    source: str
    target: Target
    outcome: Outcome

    def to_output(self) -> dict[str, Any]:
        """As plain words, for a module's result."""
        fields = asdict(self.target)
        del fields["control_port"]
        return {"source": self.source, **fields, **asdict(self.outcome)}


def require_name(name: str) -> str:
    """A node's name that can go over the wire.

    :raises ProbeError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise ProbeError(f"node_name {name!r}", "it cannot be sent as one word", "letters, digits, '_', '.', '-', ':'")
    return name


def listener_from(fields: Mapping[str, Any]) -> Listener:
    """A listener as a user or a filter wrote it.

    :raises ProbeError: a wrong protocol, port or address.
    """
    subject = f"listener {fields.get('protocol')} {fields.get('port')}"
    addresses = tuple(dict.fromkeys(address_of(subject, one) for one in fields.get("addresses") or ()))
    if not addresses:
        raise ProbeError(subject, "it has no addresses", "addresses of this node", "Name at least one")
    protocol = _protocol(subject, fields.get("protocol"))
    return Listener(protocol, _port_of(subject, protocol, fields.get("port")), addresses)


def target_from(fields: Mapping[str, Any]) -> Target:
    """A target as a user or a filter wrote it.

    :raises ProbeError: a wrong name, protocol, port, address, kind or expectation.
    """
    subject = f"target {fields.get('protocol')} {fields.get('address')} {fields.get('port')}"
    address = address_of(subject, fields.get("address"))
    source = fields.get("source_address") or ""
    if source:
        source = address_of(subject, source)
        if (":" in source) != (":" in address):
            raise ProbeError(subject, f"source_address {source} is of the other address family", "one of the same")
    protocol = _protocol(subject, fields.get("protocol"))
    kind = _one_of(subject, "kind", fields.get("kind") or "echo", KINDS)
    if kind == "kernel" and protocol != "udp":
        raise ProbeError(subject, "kind kernel", "it with protocol udp only: VXLAN, Geneve and WireGuard are UDP")
    control = fields.get("control_port") or 0
    return Target(
        require_name(str(fields.get("node_name") or "")),
        address,
        protocol,
        _port_of(subject, protocol, fields.get("port")),
        str(fields.get("rule") or ""),
        kind,
        _one_of(subject, "expected", fields.get("expected") or "open", EXPECTED),
        source,
        _port(subject, control) if control else 0,
    )


def _one_of(subject: str, field: str, value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ProbeError(subject, f"{field} {value!r}", f"one of {', '.join(known)}")
    return str(value)


def _protocol(subject: str, value: object) -> str:
    try:
        found = protocol_of("", str(value))
    except PlanError:
        found = ""
    if not found or found in ICMP_TYPES:
        known = ", ".join((*WITH_PORTS, *IP_PROTOCOLS))
        raise ProbeError(subject, f"protocol {value!r}", f"one of {known}, or ip:NUMBER")
    return found


def socket_of(protocol: str) -> tuple[int, int]:
    """Type and protocol of a socket for it; those of what has no ports are raw(7)."""
    return SOCKETS[protocol] if protocol in SOCKETS else (socket.SOCK_RAW, protocol_number(protocol))


def protocol_of_socket(one: socket.socket) -> str:
    """The protocol of a socket that :func:`socket_of` described."""
    if one.type == socket.SOCK_RAW:
        return protocol_of("", f"ip:{one.proto}")
    return next(name for name, found in SOCKETS.items() if found == (one.type, one.proto))


def payload_of(one: socket.socket, packet: bytes) -> bytes:
    """What a socket received without the IP header, which a raw socket of IPv4 gives too (raw(7))."""
    if one.type != socket.SOCK_RAW or one.family != socket.AF_INET:
        return packet
    return packet[(packet[0] & 15) * 4 :] if packet else b""


def _port_of(subject: str, protocol: str, value: object) -> int:
    if protocol in WITH_PORTS:
        return _port(subject, value)
    if value not in {None, 0}:
        raise ProbeError(subject, f"port {value!r}", f"none, which is 0: {protocol} has no ports")
    return 0


def _port(subject: str, value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ProbeError(subject, f"port {value!r}", "a port from 1 to 65535")
    return int(text)


def address_of(subject: str, value: object) -> str:
    """An address in the form in which addresses compare.

    :raises ProbeError: it is none.
    """
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError as error:
        raise ProbeError(subject, f"address {value!r}", "an IPv4 or IPv6 address") from error
