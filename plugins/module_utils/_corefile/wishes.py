# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What people want of CoreDNS, as edits of a Corefile."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import (
    Wanted,
    put,
    put_block,
    remove_block,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, CorefileError

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICIES = ("random", "round_robin", "sequential")
MAX_UPSTREAMS = 15


@dataclass(frozen=True)
class StubDomain:
    """A zone that other servers answer; without servers it is removed."""

    domain: str
    servers: tuple[str, ...]


@dataclass(frozen=True)
class Wishes:
    """What is wanted; what is ``None`` or empty stays as it is.

    :param zone: the server block that the wishes are about.
    :param upstreams: addresses, ``host:port``, ``tls://`` URLs or the path of a resolv.conf.
    :param upstream_policy: one of ``POLICIES``.
    :param cache_ttl: seconds.
    :param kubernetes_ttl: seconds, 0 to 3600.
    """

    zone: str = "."
    upstreams: tuple[str, ...] = ()
    upstream_policy: str | None = None
    max_concurrent: int | None = None
    cache_ttl: int | None = None
    kubernetes_ttl: int | None = None
    log: bool | None = None
    stub_domains: tuple[StubDomain, ...] = field(default_factory=tuple)


def wishes_of(params: Mapping[str, Any]) -> Wishes:
    """A module's parameters as wishes.

    :raises CorefileError: a value that CoreDNS would refuse, or would read as something else.
    """
    upstreams = params.get("upstreams") or {}
    wishes = Wishes(
        zone=params.get("zone") or ".",
        upstreams=tuple(upstreams.get("servers") or ()),
        upstream_policy=upstreams.get("policy"),
        max_concurrent=upstreams.get("max_concurrent"),
        cache_ttl=params.get("cache_ttl"),
        kubernetes_ttl=params.get("kubernetes_ttl"),
        log=params.get("log"),
        stub_domains=tuple(
            StubDomain(stub["domain"], tuple(stub["servers"])) for stub in params.get("stub_domains") or ()
        ),
    )
    _require_servers("upstreams.servers", wishes.upstreams)
    for stub in wishes.stub_domains:
        _require_servers(f"stub domain {stub.domain!r}", stub.servers)
        if any(char.isspace() or char in ',{}"#' for char in stub.domain) or not stub.domain:
            raise CorefileError(
                f"stub domain {stub.domain!r}", "it is no domain name", "a name such as corp.example.com"
            )
    _require_range("cache_ttl", wishes.cache_ttl, 1, 86400)
    _require_range("kubernetes_ttl", wishes.kubernetes_ttl, 0, 3600)
    _require_range("upstreams.max_concurrent", wishes.max_concurrent, 0, 1000000)
    return wishes


def _require_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise CorefileError(name, f"{value}", f"a number from {low} to {high}")


def _require_servers(name: str, servers: tuple[str, ...]) -> None:
    if len(servers) > MAX_UPSTREAMS:
        raise CorefileError(name, f"{len(servers)} servers", f"at most {MAX_UPSTREAMS}, which is forward's limit")
    for server in servers:
        if not server.startswith("/") and not _is_address(server.removeprefix("tls://")):
            raise CorefileError(
                f"{name}: {server!r}",
                "it is no address",
                "192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53, tls://192.0.2.1 or the path of a resolv.conf",
            )


def _is_address(server: str) -> bool:
    host, _unused, port = server.rpartition(":")
    if host and port.isdecimal() and (host.startswith("[") or ":" not in host):
        server = host.strip("[]")
        if not 0 < int(port) < 65536:
            return False
    try:
        ipaddress.ip_address(server)
    except ValueError:
        return False
    return True


def fulfil(corefile: Corefile, wishes: Wishes) -> Corefile:
    """The Corefile as wished; equal to the given one when it is so already.

    :raises CorefileError: there is no server block for the zone.
    """
    for wanted in _wanted(corefile, wishes):
        corefile = put(corefile, wishes.zone, wanted)
    for stub in wishes.stub_domains:
        if not stub.servers:
            corefile = remove_block(corefile, stub.domain)
            continue
        servers = " ".join(stub.servers)
        corefile = put_block(corefile, f"{stub.domain}:53", ("errors", "cache 30", f"forward . {servers}"))
    return corefile


def _wanted(corefile: Corefile, wishes: Wishes) -> list[Wanted]:
    wanted: list[Wanted] = []
    forward: list[tuple[str, tuple[str, ...] | None]] = []
    if wishes.upstream_policy is not None:
        forward.append(("policy", (wishes.upstream_policy,)))
    if wishes.max_concurrent is not None:
        forward.append(("max_concurrent", (str(wishes.max_concurrent),)))
    if wishes.upstreams:
        wanted.append(Wanted("forward", (".", *wishes.upstreams), tuple(forward), identity=1))
    elif forward:
        block = corefile.server(wishes.zone)
        present = block.find("forward", ".") if block else None
        if present is None:
            raise CorefileError("upstreams", f"the block of {wishes.zone!r} forwards nothing", "upstreams.servers")
        wanted.append(Wanted("forward", present.arguments, tuple(forward), identity=1))
    if wishes.cache_ttl is not None:
        wanted.append(Wanted("cache", _cache_arguments(corefile, wishes)))
    if wishes.kubernetes_ttl is not None:
        wanted.append(Wanted("kubernetes", None, (("ttl", (str(wishes.kubernetes_ttl),)),)))
    if wishes.log:
        wanted.append(Wanted("log"))
    return wanted


def _cache_arguments(corefile: Corefile, wishes: Wishes) -> tuple[str, ...]:
    """The TTL, and the zones that the cache already names."""
    block = corefile.server(wishes.zone)
    present = block.find("cache") if block else None
    zones = [word for word in (present.arguments if present else ()) if not word.isdecimal()]
    return (str(wishes.cache_ttl), *zones)
