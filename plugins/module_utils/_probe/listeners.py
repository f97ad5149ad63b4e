# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Listening on a node: ports bound, and a process of its own that answers probes until its deadline.

Nothing of the node's configuration changes. The process leaves one file, which tells the next run about it.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import os
import select
import signal
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import (
    BOUND,
    IN_USE,
    KERNEL,
    UNSUPPORTED,
    Bound,
    Listener,
    ProbeError,
    socket_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.server import Server, counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RECORD = "/run/netops-kubernetes/probe.json"
# How long the kernel queues connections that are not yet accepted; all nodes connect at once.
BACKLOG = 1024
# No such protocol in this kernel, nor a module with it.
LACKS = {errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}


@dataclass(frozen=True)
class Started:
    """A listener that runs.

    :param token: process id and start time, which together name one process for as long as the machine runs.
    """

    token: str
    bound: tuple[Bound, ...]
    counters: dict[str, int]


@dataclass(frozen=True)
class Stopped:
    """How a listener ended.

    :param ended: ``stopped`` by this call, at its ``deadline``, ``killed`` by somebody, or ``absent``: there was none.
    :param answered: how many probes each listener answered; empty when it was killed.
    """

    ended: str
    answered: list[dict[str, Any]]
    counters: dict[str, int]


# ---- ports -----------------------------------------------------------------------------------------------------


def bind(listeners: Iterable[Listener]) -> tuple[list[socket.socket], tuple[Bound, ...]]:
    """Bind every port that is free; one that is in use belongs to a service, or to the kernel.

    :raises ProbeError: an address is not this node's, or a port may not be bound.
    """
    sockets: list[socket.socket] = []
    found: list[Bound] = []
    held: set[tuple[str, int]] | None = None
    try:
        for listener in listeners:
            for address in listener.addresses:
                status = _bind_one(listener, address)
                if isinstance(status, socket.socket):
                    sockets.append(status)
                    status = BOUND
                elif status == IN_USE and listener.protocol == "udp":
                    # Every process is looked at for that, so once.
                    held = kernel_ports() if held is None else held
                    status = KERNEL if ("6" if ":" in address else "4", listener.port) in held else IN_USE
                found.append(Bound(listener.protocol, listener.port, address, status))
    except ProbeError:
        for one in sockets:
            one.close()
        raise
    return sockets, tuple(found)


def _bind_one(listener: Listener, address: str) -> socket.socket | str:
    """A socket, or why there is none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        one = socket.socket(family, *socket_of(listener.protocol))
    except OSError as error:
        if error.errno in LACKS:
            return UNSUPPORTED
        raise _refusal(listener, address, error) from error
    try:
        # A raw socket is of one family anyway.
        if family == socket.AF_INET6 and one.type != socket.SOCK_RAW:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if listener.protocol == "tcp":
            # Connections that are over hold no port; a service that listens still does (socket(7): SO_REUSEADDR).
            # Not for UDP, where it would let us take what a service is sent.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, listener.port))
        if one.type == socket.SOCK_STREAM:
            one.listen(BACKLOG)
    except OSError as error:
        one.close()
        if error.errno == errno.EADDRINUSE:
            return IN_USE
        raise _refusal(listener, address, error) from error
    return one


def _refusal(listener: Listener, address: str, error: OSError) -> ProbeError:
    subject = f"listener {listener.protocol} {address} port {listener.port}"
    if error.errno == errno.EADDRNOTAVAIL:
        return ProbeError(subject, "this node does not have the address", "one of its own", "Correct the host's ip")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ProbeError(subject, "it may not be bound", "root", "Run the task with become: true")
    return ProbeError(subject, f"it cannot be bound: {error.strerror}")


def kernel_ports() -> set[tuple[str, int]]:
    """UDP ports that no process holds, as family and port: those of VXLAN, Geneve and WireGuard devices.

    Such a socket has an inode like every other, and no process has it open (proc(5): net/udp, fd).
    """
    rows: dict[str, set[tuple[str, int]]] = {}
    for name, family in (("udp", "4"), ("udp6", "6")):
        for line in (files.read(f"/proc/self/net/{name}") or "").splitlines()[1:]:
            words = line.split()
            rows.setdefault(words[9], set()).add((family, int(words[1].rpartition(":")[2], 16)))
    for entry in Path("/proc").iterdir():
        if rows and entry.name.isdigit():
            for inode in _open_sockets(entry):
                rows.pop(inode, None)
    return {port for ports in rows.values() for port in ports}


def _open_sockets(process: Path) -> list[str]:
    # A process may end while it is looked at.
    found: list[str] = []
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                link = str(descriptor.readlink())
                if link.startswith("socket:["):
                    found.append(link[8:-1])
    return found


# ---- the process -----------------------------------------------------------------------------------------------


def start(listeners: Sequence[Listener], node_name: str, deadline: float) -> Started:
    """Listen in a process of its own, which ends by itself; one that an earlier call started is ended first.

    :param deadline: seconds.
    :raises ProbeError: a port cannot be bound, or the process does not start.
    """
    stop()
    sockets, bound = bind(listeners)
    before = counters()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens here must not come back as a second Ansible module.
        try:
            os.close(reading)
            _become_daemon(sockets, writing, node_name, deadline)
        finally:
            os._exit(1)
    os.close(writing)
    for one in sockets:
        one.close()
    os.waitpid(child, 0)
    try:
        ready, _unused, _unused = select.select([reading], [], [], 10.0)
        token = os.read(reading, 200).decode() if ready else ""
    finally:
        os.close(reading)
    if not token:
        raise ProbeError("listener", "its process did not start", remedy="Look at the node's memory and limits")
    return Started(token, bound, before)


def _become_daemon(sockets: Sequence[socket.socket], writing: int, node_name: str, deadline: float) -> None:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    keep = {writing, *(one.fileno() for one in sockets)}
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in keep:
            # The listing's own descriptor is already closed.
            with contextlib.suppress(OSError):
                os.close(descriptor)
    server = Server(sockets, node_name)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: server.end())
    pid = os.getpid()
    record = {"pid": pid, "start_time": start_time(pid), "node_name": node_name}
    files.write(RECORD, json.dumps(record), 0o600)
    os.write(writing, f"{pid}-{record['start_time']}".encode())
    os.close(writing)
    try:
        ended = server.serve(time.monotonic() + deadline)
    finally:
        server.close()
    final = {**record, "ended": ended, "answered": [asdict(one) for one in server.answered()], "counters": counters()}
    # Another listener may have taken over meanwhile; what it wrote is its own.
    if _record().get("pid") == pid:
        files.write(RECORD, json.dumps(final), 0o600)
    os._exit(0)


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc(5): stat, field 22); 0 when there is none."""
    try:
        # The name in parentheses is anybody's to choose, so look behind it.
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if words[0] in {b"Z", b"X"} else int(words[19])


def _record() -> dict[str, Any]:
    """What the last listener wrote; empty when there is nothing that can be understood."""
    try:
        record = json.loads(files.read(RECORD) or "{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _runs(record: dict[str, Any]) -> bool:
    pid, begin = record.get("pid"), record.get("start_time")
    return isinstance(pid, int) and pid > 1 and bool(begin) and start_time(pid) == begin


def stop(patience: float = 5.0) -> Stopped:
    """End the listener that the record tells of, and remove the record.

    :param patience: seconds until it is killed.
    """
    record = _record()
    ended = record.get("ended") or ("killed" if record else "absent")
    if _runs(record):
        ended = "stopped"
        for number, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 1.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record["pid"], number)
            end = time.monotonic() + limit
            while _runs(record) and time.monotonic() < end:
                # It is nobody's child here, so there is no end to wait for, only its entry in /proc to look at.
                time.sleep(0.01)
            if not _runs(record):
                break
        record = _record()
    files.remove(RECORD)
    files.remove_empty_folder(RECORD.rpartition("/")[0])
    return Stopped(ended, record.get("answered", []), record.get("counters") or counters())


def is_own(address: str) -> bool:
    """Whether an address is one of this node's."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.bind((address, 0))
        except OSError:
            return False
    return True
