# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The listening process: answers probes, and counts the datagrams that reach ports of the kernel.

A VXLAN, Geneve or WireGuard device answers nothing, and nobody else can bind its port. But the kernel counts what such
a socket was given among ``InDatagrams``, whatever the device makes of it (net/ipv4/udp.c: udp_queue_rcv_one_skb,
``encap_rcv``; likewise net/ipv6/udp.c). That number is of the whole node, so senders take turns: one at a time is told
how many datagrams to send, and the counter is read just before and after. Whose datagrams arrived is then certain, no
clock has to agree with another, and the sender itself learns the verdict. Sizes that tell simultaneous senders apart
would not do: one lost datagram makes one sender look like another, and real tunnel traffic like both.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import (
    BURST,
    COUNT,
    COUNTED,
    DROPPED,
    LONGEST,
    OPEN,
    PROBE,
    SENT,
    UNKNOWN,
    WAIT,
    payload_of,
    protocol_of_socket,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds: for how long other traffic is watched before a burst, and for how long a burst is waited for.
QUIET = 0.03
ARRIVAL = 0.1
# A sender that does not go on is left; the next one must not wait for it.
TURN = 5.0
IDLE = 10.0
# A burst this many times as large as what else came meanwhile stands out.
PROMINENCE = 8
LARGEST_BURST = 4000


def counters() -> dict[str, int]:
    """Datagrams that sockets of this node were given, by address family (proc(5): net/snmp, net/snmp6)."""
    lines = Path("/proc/self/net/snmp").read_text(encoding="ascii").splitlines()
    names, values = [line.split() for line in lines if line.startswith("Udp:")]
    found = {"udp_in_datagrams": int(values[names.index("InDatagrams")]), "udp6_in_datagrams": 0}
    try:
        lines = Path("/proc/self/net/snmp6").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        # A kernel without IPv6.
        return found
    found["udp6_in_datagrams"] = sum(int(line.split()[1]) for line in lines if line.startswith("Udp6InDatagrams "))
    return found


def judge(arrived: float, sent: int) -> str:
    """What a burst says, other traffic already taken off.

    Between most and few nothing is concluded: something loses packets, or other traffic is not steady.
    """
    if arrived >= 0.75 * sent:
        return OPEN
    return DROPPED if arrived <= 0.25 * sent else UNKNOWN


@dataclass(frozen=True)
class Answered:
    """How many probes one listener answered."""

    protocol: str
    port: int
    address: str
    answered: int


@dataclass
class _Port:
    """One bound port."""

    socket: socket.socket
    protocol: str
    address: str
    port: int
    answered: int = 0


@dataclass
class _Client:
    """One connection that came to a port."""

    socket: socket.socket
    port: _Port
    last: float
    received: bytes = b""


@dataclass
class _Turn:
    """One sender's turn, or its place in the queue.

    :param least: how many datagrams it wants to send at least.
    """

    client: _Client
    counter: str
    least: int
    begun: float = 0.0
    quiet_from: float = 0.0
    before: int = 0
    rate: float = 0.0
    burst_at: float = 0.0
    sent: int = 0
    sent_at: float = 0.0
    verdicts: list[str] = field(default_factory=list)


class Server:
    """Answers on sockets that are already bound, until told to end or at a deadline."""

    def __init__(self, sockets: Sequence[socket.socket], node_name: str) -> None:
        self._name = node_name
        self._selector = selectors.DefaultSelector()
        self._ports: list[_Port] = []
        self._clients: dict[socket.socket, _Client] = {}
        self._queue: deque[_Turn] = deque()
        self._turn: _Turn | None = None
        self._own = {"udp_in_datagrams": 0, "udp6_in_datagrams": 0}
        self._ending = False
        self._said_wait = 0.0
        for one in sockets:
            address, number = one.getsockname()[:2]
            port = _Port(one, protocol_of_socket(one), address, 0 if one.type == socket.SOCK_RAW else number)
            one.setblocking(False)
            self._ports.append(port)
            self._selector.register(one, selectors.EVENT_READ, port)

    def end(self) -> None:
        """Let :meth:`serve` return soon; may be called by a signal handler."""
        self._ending = True

    def answered(self) -> list[Answered]:
        return [Answered(one.protocol, one.port, one.address, one.answered) for one in self._ports]

    def serve(self, deadline: float) -> str:
        """Answer until the deadline, on the monotonic clock; returns ``deadline`` or ``stopped``."""
        while not self._ending:
            now = time.monotonic()
            if now >= deadline:
                return "deadline"
            # Short enough for a signal to be noticed, and shorter while datagrams are counted.
            patience = 0.003 if self._turn else 0.2
            for key, _mask in self._selector.select(min(patience, deadline - now)):
                self._ready(key.data)
            now = time.monotonic()
            self._take_turns(now)
            self._forget_the_idle(now)
        return "stopped"

    def close(self) -> None:
        for client in list(self._clients.values()):
            self._drop(client)
        for port in self._ports:
            port.socket.close()
        self._selector.close()

    # ---- probes ------------------------------------------------------------------------------------------------

    def _ready(self, what: Union[_Port, _Client]) -> None:
        if isinstance(what, _Client):
            self._read(what)
        elif what.socket.type == socket.SOCK_STREAM:
            self._accept(what)
        else:
            self._answer_datagrams(what)

    def _answer_datagrams(self, port: _Port) -> None:
        counter = "udp6_in_datagrams" if ":" in port.address else "udp_in_datagrams"
        for _round in range(100):
            try:
                data, sender = port.socket.recvfrom(LONGEST)
            except OSError:
                return
            # These are no other's traffic when a burst is counted.
            self._own[counter] += port.protocol == "udp"
            words = _words(payload_of(port.socket, data))
            if len(words) == 2 and words[0] == PROBE:
                try:
                    port.socket.sendto(self._echo(words[1]), sender)
                    port.answered += 1
                except OSError:
                    # The sender tries again.
                    return

    def _echo(self, nonce: str) -> bytes:
        return f"{PROBE} {nonce} {self._name}\n".encode("ascii")

    def _accept(self, port: _Port) -> None:
        for _round in range(100):
            try:
                connection, _sender = port.socket.accept()
            except OSError:
                return
            connection.setblocking(False)
            # Such a connection leaves nothing behind that would keep a service from its port.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if port.protocol == "tcp":
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection, port, time.monotonic())
            self._clients[connection] = client
            self._selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        if not data or len(client.received) > LONGEST:
            self._drop(client)
            return
        client.last = time.monotonic()
        while b"\n" in client.received and client.socket in self._clients:
            line, _newline, client.received = client.received.partition(b"\n")
            self._request(client, _words(line))

    def _request(self, client: _Client, words: list[str]) -> None:
        if len(words) == 2 and words[0] == PROBE:
            client.port.answered += 1
            self._say(client, self._echo(words[1]))
        elif len(words) == 3 and words[0] == COUNT and words[1] in {"4", "6"} and words[2].isdigit():
            counter = "udp_in_datagrams" if words[1] == "4" else "udp6_in_datagrams"
            self._queue.append(_Turn(client, counter, min(int(words[2]), LARGEST_BURST)))
        elif len(words) == 2 and words[0] == SENT and words[1].isdigit() and self._is_bursting(client):
            turn = self._turn
            if turn:
                turn.sent, turn.sent_at = int(words[1]), time.monotonic()
        else:
            self._drop(client)

    def _is_bursting(self, client: _Client) -> bool:
        turn = self._turn
        return bool(turn and turn.client is client and turn.burst_at and not turn.sent_at)

    def _say(self, client: _Client, text: bytes) -> None:
        # Answers are shorter than any socket's buffer; a client that does not read them is left.
        try:
            complete = client.socket.send(text) == len(text)
        except OSError:
            complete = False
        if not complete:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.socket, None) is None:
            return
        self._selector.unregister(client.socket)
        client.socket.close()
        if self._turn and self._turn.client is client:
            self._turn = None
        self._queue = deque(turn for turn in self._queue if turn.client is not client)

    def _forget_the_idle(self, now: float) -> None:
        # Those who wait for their turn say nothing meanwhile; a turn has a limit of its own.
        waiting = {id(turn.client) for turn in (*self._queue, *([self._turn] if self._turn else []))}
        idle = [one for one in self._clients.values() if now - one.last > IDLE and id(one) not in waiting]
        for client in idle:
            self._drop(client)

    # ---- turns -------------------------------------------------------------------------------------------------

    def _take_turns(self, now: float) -> None:
        if self._turn is None and self._queue:
            self._turn = self._queue.popleft()
            self._turn.begun = now
        if now - self._said_wait > 0.5:
            self._said_wait = now
            for turn in list(self._queue):
                self._say(turn.client, f"{WAIT}\n".encode("ascii"))
        if self._turn:
            self._advance(self._turn, now)

    def _count(self, counter: str) -> int:
        return counters()[counter] - self._own[counter]

    def _advance(self, turn: _Turn, now: float) -> None:
        if now - turn.begun > TURN:
            self._drop(turn.client)
        elif not turn.quiet_from:
            turn.quiet_from, turn.before = now, self._count(turn.counter)
        elif not turn.burst_at:
            if now - turn.quiet_from >= QUIET:
                self._let_send(turn, now)
        elif turn.sent_at:
            self._weigh(turn, now)

    def _let_send(self, turn: _Turn, now: float) -> None:
        count = self._count(turn.counter)
        others = count - turn.before
        turn.rate = others / (now - turn.quiet_from)
        expected = turn.rate * ARRIVAL
        size = min(max(turn.least, int(PROMINENCE * others), int(2 * expected)), LARGEST_BURST)
        turn.before, turn.burst_at = count, now
        self._say(turn.client, f"{BURST} {size}\n".encode("ascii"))

    def _weigh(self, turn: _Turn, now: float) -> None:
        arrived = self._count(turn.counter) - turn.before - turn.rate * (now - turn.burst_at)
        verdict = judge(arrived, turn.sent) if turn.sent else UNKNOWN
        if verdict != OPEN and now - turn.sent_at < ARRIVAL:
            return
        turn.verdicts.append(verdict)
        if turn.rate and len(turn.verdicts) == 1:
            # With other traffic one burst may have met a swell of it, or a lull.
            turn.quiet_from = turn.burst_at = turn.sent_at = 0.0
            return
        agreed = verdict if set(turn.verdicts) == {verdict} else UNKNOWN
        client, self._turn = turn.client, None
        self._say(client, f"{COUNTED} {agreed} {max(0, round(arrived))} {turn.sent}\n".encode("ascii"))


def _words(data: bytes) -> list[str]:
    """The words of a request; none when it is not text as we send it."""
    try:
        return data.decode("ascii").split()
    except UnicodeDecodeError:
        return []
