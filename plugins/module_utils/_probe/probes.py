# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Probing from a node: every target at once, in one process, on sockets that do not block."""

from __future__ import annotations

import abc
import errno
import heapq
import os
import resource
import secrets
import selectors
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import WITH_PORTS
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.listeners import LACKS, is_own
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import (
    BURST,
    COUNT,
    COUNTED,
    DROPPED,
    LONGEST,
    NO_ROUTE,
    OPEN,
    PROBE,
    REFUSED,
    REJECTED,
    SENT,
    UNKNOWN,
    VERDICTS,
    WAIT,
    Outcome,
    ProbeError,
    Result,
    Target,
    payload_of,
    socket_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# linux/in.h, linux/in6.h, linux/errqueue.h; the module socket has no names for them.
IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE = 11, 25, 0x2000
FROM_HERE, FROM_ICMP, FROM_ICMPV6 = 1, 2, 3
# Codes of "destination unreachable" (RFC 792, RFC 1812; RFC 4443).
PORT_UNREACHABLE = {FROM_ICMP: 3, FROM_ICMPV6: 4}
PROHIBITED = {FROM_ICMP: {9, 10, 13}, FROM_ICMPV6: {1, 5}}
# "Protocol unreachable" (RFC 792), "unrecognized next header" (RFC 4443 section 3.4).
NO_SUCH_PROTOCOL = {(FROM_ICMP, 3, 2), (FROM_ICMPV6, 4, 1)}
UNREACHABLE_TYPE = {FROM_ICMP: 3, FROM_ICMPV6: 1}
OWN_RULES = "this node's own rules do not let it out"
# Sockets open at once; more wait for their turn. Some descriptors are left for everything else.
MOST_AT_ONCE = 4000
SPARE = 64
# A sender whose turn to be counted has come may need this long for its bursts.
COUNTING = 3.0
CHUNK = 64
ODD = "something accepts, but it is not our listener"


@dataclass(frozen=True)
class Settings:
    """How to probe.

    :param node_name: of the node that probes.
    :param timeout: seconds that one attempt may take.
    :param tries: attempts at a target that does not answer.
    :param burst: datagrams at least that a port of the kernel is sent.
    """

    node_name: str
    timeout: float = 2.0
    tries: int = 2
    burst: int = 40


@dataclass(frozen=True)
class Report:
    """An error as the kernel reports it (``struct sock_extended_err``, ip(7): IP_RECVERR).

    :param origin: ``FROM_HERE``, ``FROM_ICMP`` or ``FROM_ICMPV6``.
    :param offender: who sent it; empty when unknown.
    """

    number: int
    origin: int
    type: int
    code: int
    offender: str


def conclude(report: Report, target: Target, source_address: str) -> Outcome:
    """What an error says about a target; pure.

    A stack without a listener answers TCP with a reset, so an ICMP error to TCP is always somebody's rule. A rule on
    the target answers with the target's own address, and a router on the way with another.
    """
    here = report.origin == FROM_HERE or report.offender == source_address
    said = f"ICMP type {report.type} code {report.code} from {report.offender}"
    if here:
        if report.number in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
            return Outcome(NO_ROUTE, "no neighbour answers for it", source_address)
        return Outcome(REJECTED, OWN_RULES, source_address)
    if target.protocol not in WITH_PORTS and (report.origin, report.type, report.code) in NO_SUCH_PROTOCOL:
        return Outcome(REFUSED, said, source_address)
    if report.type != UNREACHABLE_TYPE.get(report.origin):
        return Outcome(UNKNOWN, said, source_address)
    if report.code == PORT_UNREACHABLE[report.origin]:
        return Outcome(REJECTED if target.protocol == "tcp" else REFUSED, said, source_address)
    if report.code in PROHIBITED[report.origin] or report.offender == target.address:
        return Outcome(REJECTED, said, source_address)
    return Outcome(NO_ROUTE, said, source_address)


def parse_report(data: bytes) -> Report:
    """``struct sock_extended_err`` with the address behind it."""
    number, origin, kind, code = struct.unpack_from("=IBBB", data)
    rest = data[16:]
    family = struct.unpack_from("=H", rest)[0] if len(rest) >= 2 else 0
    offender = ""
    if family == socket.AF_INET and len(rest) >= 8:
        offender = socket.inet_ntop(socket.AF_INET, rest[4:8])
    elif family == socket.AF_INET6 and len(rest) >= 24:
        offender = socket.inet_ntop(socket.AF_INET6, rest[8:24])
    return Report(number, origin, kind, code, offender)


class _Attempt(abc.ABC):
    """One attempt at one target. Every step returns an outcome, or nothing as long as there is none."""

    def __init__(self, target: Target, settings: Settings, selector: selectors.BaseSelector) -> None:
        self._target = target
        self._settings = settings
        self._selector = selector
        self._sockets: list[socket.socket] = []
        self._nonce = secrets.token_hex(8)
        self.deadline = time.monotonic() + settings.timeout
        self.source_address = target.source_address

    @abc.abstractmethod
    def start(self) -> Outcome | None:
        """Begin."""

    @abc.abstractmethod
    def ready(self, one: socket.socket) -> Outcome | None:
        """A socket of it can be read or written."""

    @abc.abstractmethod
    def expired(self) -> Outcome:
        """Its time is over."""

    def close(self) -> None:
        for one in self._sockets:
            self._selector.unregister(one)
            one.close()
        self._sockets = []

    def _outcome(self, verdict: str, detail: str = "") -> Outcome:
        return Outcome(verdict, detail, self.source_address)

    def _connect(self, protocol: str, port: int, events: int) -> socket.socket | Outcome:
        """A socket that is connected or about to be, watched for events."""
        v6 = ":" in self._target.address
        try:
            one = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, *socket_of(protocol))
        except OSError as error:
            if error.errno in LACKS:
                return self._outcome(UNKNOWN, lacking(self._settings.node_name, protocol))
            return self._outcome(UNKNOWN, f"not probed: a socket for {protocol}: {error.strerror}")
        one.setblocking(False)
        if v6:
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            one.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if self._target.source_address:
            one.bind((self._target.source_address, 0))
        self._selector.register(one, events, self)
        self._sockets.append(one)
        number = one.connect_ex((self._target.address, port))
        if number in {0, errno.EINPROGRESS}:
            self.source_address = one.getsockname()[0]
            return one
        if number == errno.ECONNREFUSED:
            return self._outcome(REFUSED)
        # Only routes are looked at so far; "unreachable", "prohibit" and "blackhole" ones give the others.
        if number in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL}:
            return self._outcome(NO_ROUTE, f"this node's routes: {os.strerror(number)}")
        return self._outcome(UNKNOWN, f"connect: {os.strerror(number)}")

    def _error(self, one: socket.socket, number: int) -> Outcome:
        """What an error means; the kernel's queue of errors tells who it is from."""
        report = _queued_report(one)
        if report:
            return conclude(report, self._target, self.source_address)
        if number == errno.ECONNREFUSED:
            return self._outcome(REFUSED)
        if number in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
            return self._outcome(NO_ROUTE, os.strerror(number))
        if number in {errno.EACCES, errno.EPERM}:
            return self._outcome(REJECTED, OWN_RULES)
        if number == errno.ETIMEDOUT:
            return self._outcome(DROPPED)
        return self._outcome(UNKNOWN, os.strerror(number))

    def _request(self) -> bytes:
        return f"{PROBE} {self._nonce}\n".encode("ascii")

    def _judge_echo(self, data: bytes) -> Outcome:
        words = data.decode("ascii", "replace").split()
        if words == [PROBE, self._nonce, self._target.node_name]:
            return self._outcome(OPEN)
        if words[:2] == [PROBE, self._nonce] and len(words) == 3:
            return self._outcome(UNKNOWN, f"node {words[2]!r} answers there")
        return self._outcome(UNKNOWN, ODD)


def _queued_report(one: socket.socket) -> Report | None:
    try:
        _data, control, _flags, _sender = one.recvmsg(LONGEST, 512, MSG_ERRQUEUE)
    except OSError:
        return None
    wanted = {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
    for level, kind, data in control:
        if (level, kind) in wanted and len(data) >= 16:
            return parse_report(data)
    return None


class _Tcp(_Attempt):
    """Kinds ``echo`` and ``service`` over TCP."""

    def __init__(self, target: Target, settings: Settings, selector: selectors.BaseSelector) -> None:
        super().__init__(target, settings, selector)
        self._accepted = False
        self._asked = False
        self._received = b""

    def start(self) -> Outcome | None:
        made = self._connect(self._target.protocol, self._target.port, selectors.EVENT_WRITE)
        return made if isinstance(made, Outcome) else None

    def ready(self, one: socket.socket) -> Outcome | None:
        if not self._accepted:
            number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                return self._error(one, number)
            self._accepted = True
            if self._target.kind == "service":
                return self._outcome(OPEN)
            # A reset leaves no connection waiting for its end, here or there.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return self._talk(one)

    def _talk(self, one: socket.socket) -> Outcome | None:
        try:
            if not self._asked:
                one.send(self._request())
                self._asked = True
                self._selector.modify(one, selectors.EVENT_READ, self)
                return None
            data = one.recv(LONGEST)
        except BlockingIOError:
            return None
        except OSError:
            return self._outcome(UNKNOWN, ODD)
        self._received += data
        if not data or b"\n" in self._received or len(self._received) > LONGEST:
            return self._judge_echo(self._received)
        return None

    def expired(self) -> Outcome:
        return self._outcome(UNKNOWN, ODD) if self._accepted else self._outcome(DROPPED)


class _Udp(_Attempt):
    """Kinds ``echo`` and ``service`` over UDP."""

    def start(self) -> Outcome | None:
        made = self._connect(self._target.protocol, self._target.port, selectors.EVENT_READ)
        if isinstance(made, Outcome):
            return made
        try:
            made.send(self._request())
        except BlockingIOError:
            return None
        except OSError as error:
            return self._error(made, error.errno or 0)
        return None

    def ready(self, one: socket.socket) -> Outcome | None:
        try:
            data = one.recv(LONGEST)
        except BlockingIOError:
            report = _queued_report(one)
            return conclude(report, self._target, self.source_address) if report else None
        except OSError as error:
            return self._error(one, error.errno or 0)
        if self._target.kind == "service":
            return self._outcome(OPEN, "it answers")
        return self._judge_echo(data)

    def expired(self) -> Outcome:
        if self._target.kind == "service":
            return self._outcome(UNKNOWN, "a UDP service need not answer")
        return self._outcome(DROPPED)


class _Raw(_Udp):
    """An IP protocol without ports, by a raw socket: it sees everything of that protocol from the target.

    That is the target's own probes of this node too, and what its tunnels send.
    """

    def start(self) -> Outcome | None:
        if self._target.protocol == "ah" and ":" in self._target.address:
            # It is an extension header there (RFC 4302 section 3.1.1), and the kernel's filters look behind it.
            return self._outcome(UNKNOWN, "not probed: what follows AH in IPv6 is what packet filters judge")
        return super().start()

    def ready(self, one: socket.socket) -> Outcome | None:
        try:
            data = payload_of(one, one.recv(LONGEST))
        except BlockingIOError:
            report = _queued_report(one)
            return conclude(report, self._target, self.source_address) if report else None
        except OSError as error:
            return self._error(one, error.errno or 0)
        return self._judge_echo(data) if data.split()[:2] == self._request().split() and data.count(b" ") > 1 else None


class _Unsupported(_Attempt):
    """What the target's kernel lacks."""

    def start(self) -> Outcome | None:
        return self._outcome(UNKNOWN, lacking(self._target.node_name, self._target.protocol))

    def ready(self, one: socket.socket) -> Outcome | None:
        del one
        return self.expired()

    def expired(self) -> Outcome:
        return self._outcome(UNKNOWN)


def lacking(node_name: str, protocol: str) -> str:
    """Why there is no verdict about a protocol."""
    return f"not probed: the kernel of {node_name} has no {protocol.upper()}"


class _Counted(_Attempt):
    """Kind ``kernel``: bursts that the target's listener asks for over TCP, and counts."""

    def __init__(self, target: Target, settings: Settings, selector: selectors.BaseSelector) -> None:
        super().__init__(target, settings, selector)
        self._control: socket.socket | None = None
        self._burst: socket.socket | None = None
        self._said = False
        self._received = b""
        self._left = 0
        self._sent = 0

    def start(self) -> Outcome | None:
        if not self._target.control_port:
            return self._outcome(UNKNOWN, "no port of our listener is open to this node, to ask for its counters")
        made = self._connect("tcp", self._target.control_port, selectors.EVENT_WRITE)
        if isinstance(made, Outcome):
            return self._without_control(made.verdict)
        self._control = made
        return None

    def _without_control(self, how: str) -> Outcome:
        return self._outcome(
            UNKNOWN, f"its counters are not to be had: TCP port {self._target.control_port} of our listener: {how}"
        )

    def ready(self, one: socket.socket) -> Outcome | None:
        if one is self._burst:
            return self._send()
        try:
            if not self._said:
                number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    return self._without_control(self._error(one, number).verdict)
                family = "6" if ":" in self._target.address else "4"
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                one.send(f"{COUNT} {family} {self._settings.burst}\n".encode("ascii"))
                self._said = True
                self._selector.modify(one, selectors.EVENT_READ, self)
                return None
            data = one.recv(LONGEST)
        except BlockingIOError:
            return None
        except OSError:
            return self._without_control("it was reset")
        self._received += data
        if not data or len(self._received) > 4 * LONGEST:
            return self._without_control("it ended")
        return self._lines()

    def _lines(self) -> Outcome | None:
        while b"\n" in self._received:
            line, _newline, self._received = self._received.partition(b"\n")
            words = line.decode("ascii", "replace").split()
            outcome = self._obey(words)
            if outcome:
                return outcome
        return None

    def _obey(self, words: list[str]) -> Outcome | None:
        now = time.monotonic()
        if words == [WAIT]:
            self.deadline = now + self._settings.timeout
            return None
        if len(words) == 2 and words[0] == BURST and words[1].isdigit():
            self.deadline = now + max(self._settings.timeout, COUNTING)
            self._left, self._sent = int(words[1]), 0
            if self._burst is None:
                made = self._connect("udp", self._target.port, selectors.EVENT_READ)
                if isinstance(made, Outcome):
                    return made
                self._burst = made
            return self._send()
        if len(words) == 4 and words[0] == COUNTED and words[1] in VERDICTS:
            detail = f"{words[2]} of {words[3]} datagrams were counted"
            return self._outcome(words[1], detail)
        return self._without_control(ODD)

    def _send(self) -> Outcome | None:
        burst, control = self._burst, self._control
        if burst is None or control is None:
            return None
        try:
            for _round in range(min(CHUNK, self._left)):
                burst.send(self._request())
                self._left -= 1
                self._sent += 1
        except BlockingIOError:
            pass
        except OSError as error:
            return self._error(burst, error.errno or 0)
        if self._left:
            self._selector.modify(burst, selectors.EVENT_READ | selectors.EVENT_WRITE, self)
            return None
        self._selector.modify(burst, selectors.EVENT_READ, self)
        if self._sent:
            try:
                control.send(f"{SENT} {self._sent}\n".encode("ascii"))
            except OSError:
                return self._without_control("it was reset")
            self._sent = 0
            return None
        return self._refusal_of(burst)

    def _refusal_of(self, burst: socket.socket) -> Outcome | None:
        """Nothing is left to send, so the socket is ready for an ICMP error, or for nothing that matters."""
        report = _queued_report(burst)
        number = burst.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if report:
            return conclude(report, self._target, self.source_address)
        if number:
            return self._error(burst, number)
        try:
            burst.recv(LONGEST)
        except OSError:
            return None
        return None

    def expired(self) -> Outcome:
        return self._without_control("no answer in time" if self._said else DROPPED)


BY_KIND: dict[str, type[_Attempt]] = {"kernel": _Counted, "unsupported": _Unsupported}
BY_PROTOCOL: dict[str, type[_Attempt]] = {"tcp": _Tcp, "sctp": _Tcp, "udp": _Udp}


def _attempt(target: Target, settings: Settings, selector: selectors.BaseSelector) -> _Attempt:
    if target.kind in BY_KIND:
        return BY_KIND[target.kind](target, settings, selector)
    return BY_PROTOCOL.get(target.protocol, _Raw)(target, settings, selector)


class _Round:
    """Targets under way: as many at once as this process may have sockets."""

    def __init__(self, targets: Iterable[tuple[int, Target]], settings: Settings, at_once: int) -> None:
        self._settings = settings
        self._at_once = at_once
        self._selector = selectors.DefaultSelector()
        self._waiting = deque((index, target, 1) for index, target in targets)
        self._running: dict[_Attempt, tuple[int, Target, int]] = {}
        self._deadlines: list[tuple[float, int, _Attempt]] = []
        self._number = 0
        self.outcomes: dict[int, Outcome] = {}

    def run(self) -> dict[int, Outcome]:
        try:
            while self._waiting or self._running:
                self._start_some()
                self._watch()
                self._expire()
        finally:
            for attempt in list(self._running):
                attempt.close()
            self._selector.close()
        return self.outcomes

    def _start_some(self) -> None:
        # Answers are looked at in between: they must not wait until the last probe has gone out.
        for _round in range(CHUNK):
            if not self._waiting or len(self._running) >= self._at_once:
                return
            index, target, number = self._waiting.popleft()
            attempt = _attempt(target, self._settings, self._selector)
            self._running[attempt] = (index, target, number)
            outcome = attempt.start()
            if outcome:
                self._finish(attempt, outcome)
            else:
                self._remember(attempt)

    def _remember(self, attempt: _Attempt) -> None:
        self._number += 1
        heapq.heappush(self._deadlines, (attempt.deadline, self._number, attempt))

    def _watch(self) -> None:
        if not self._running:
            return
        patience = max(0.0, self._deadlines[0][0] - time.monotonic()) if self._deadlines else 0.1
        if self._waiting and len(self._running) < self._at_once:
            patience = 0.0
        for key, _mask in self._selector.select(patience):
            attempt = key.data
            if attempt in self._running and isinstance(key.fileobj, socket.socket):
                outcome = attempt.ready(key.fileobj)
                if outcome:
                    self._finish(attempt, outcome)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            attempt = heapq.heappop(self._deadlines)[2]
            if attempt not in self._running:
                continue
            if attempt.deadline > now:
                self._remember(attempt)
            else:
                self._finish(attempt, attempt.expired())

    def _finish(self, attempt: _Attempt, outcome: Outcome) -> None:
        index, target, number = self._running.pop(attempt)
        attempt.close()
        if outcome.verdict == DROPPED and target.kind != "kernel" and number < self._settings.tries:
            self._waiting.append((index, target, number + 1))
        else:
            self.outcomes[index] = outcome


def probe(targets: Sequence[Target], settings: Settings) -> list[Result]:
    """Probe every target; results are in their order.

    Ports of the kernel come after the others, whose datagrams would be other traffic to them.

    :raises ProbeError: a source address is not this node's.
    """
    for address in sorted({target.source_address for target in targets if target.source_address}):
        if not is_own(address):
            raise ProbeError(f"source_address {address}", "this node does not have it", "one of its own addresses")
    at_once = _allowed_sockets()
    numbered = list(enumerate(targets))
    outcomes: dict[int, Outcome] = {}
    for kernel in (False, True):
        some = [(index, target) for index, target in numbered if (target.kind == "kernel") == kernel]
        # An attempt at a port of the kernel has two sockets.
        outcomes.update(_Round(some, settings, max(1, at_once // 2 if kernel else at_once)).run())
    results = [Result(settings.node_name, target, outcomes[index]) for index, target in numbered]
    return _with_doubts(results)


def _with_doubts(results: Sequence[Result]) -> list[Result]:
    """Say where silence may be a rejection: a kernel sends one peer about one ICMP error a second (icmp(7))."""
    answered_by_icmp = {
        result.target.address
        for result in results
        if result.target.protocol == "udp" and result.outcome.verdict in {REFUSED, REJECTED}
    }
    doubtful = [
        result.target.protocol == "udp"
        and result.outcome.verdict == DROPPED
        and result.target.kind != "kernel"
        and result.target.address in answered_by_icmp
        for result in results
    ]
    detail = "it may be a rejection: the target limits how many ICMP errors it sends"
    return [
        replace(result, outcome=replace(result.outcome, detail=detail)) if doubt else result
        for result, doubt in zip(results, doubtful)
    ]


def _allowed_sockets() -> int:
    """How many sockets this process may have; raised as far as it may do that itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_AT_ONCE + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_AT_ONCE if soft == resource.RLIM_INFINITY else max(1, min(MOST_AT_ONCE, soft - SPARE))
