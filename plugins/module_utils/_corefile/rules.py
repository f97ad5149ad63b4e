# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What each plugin takes: arguments, options, how often.

``plugin/*/setup.go`` of ``github.com/coredns/coredns`` at v1.15.0, and at v1.7.0, v1.11.3 and v1.14.7 where they
differ. Files that a Corefile names are taken to be there and right: they belong to another machine.
"""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import readers as r
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import resolvers
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.grammar import (
    NO_WORDS,
    REST,
    Option,
    Rule,
    before,
    first_words,
    flag,
    limited,
    nothing,
    one,
    words,
)

_POSITIVE = v.number(1)
_NOT_NEGATIVE = v.number(0)
_TTL = first_words(v.number(0, 3600))
_FALLTHROUGH = Option(REST)
# Accepted and without effect.
_UPSTREAM = Option(REST)
_ONE_WORD = Option(words(1, 1))


def _limits(*names: str, low: int) -> dict[str, Option]:
    return {name: Option(words(1, 1, v.number(low)), once=True) for name in names}


_TLS_FILES = words(0, 3)
_CACHE_SIZE = first_words(v.number(), 1, _POSITIVE, _NOT_NEGATIVE)
_LISTENER = words(0, 1, v.LISTENER)

RULES: dict[str, Rule] = {
    "root": Rule(one()),
    "metadata": Rule(REST, {}, often="alone"),
    "geoip": Rule(words(1, 1), {"edns-subnet": Option(flag)}, often="once"),
    "cancel": Rule(words(0, 1, v.span(1e-9, None, "a duration above 0, such as 5s"))),
    "proxyproto": Rule(
        NO_WORDS,
        {
            "allow": Option(words(0, None, v.NETWORK)),
            "default": Option(words(1, 1, v.one_of("use", "ignore", "reject", "skip", any_case=True))),
            "udp_session_tracking": Option(words(1, 2, v.DURATION, _POSITIVE)),
            "tlv_metadata": Option(NO_WORDS, since="1.15.0"),
        },
    ),
    "tls": Rule(before("1.14.7", words(2, 3), r.tls_files), r.TLS_OPTIONS, check=r.tls),
    "quic": Rule(
        NO_WORDS,
        {
            **_limits("max_streams", "worker_pool_size", low=1),
            "max_connections": Option(words(1, 1, _NOT_NEGATIVE), since="1.15.0", once=True),
        },
        often="first",
    ),
    "grpc_server": Rule(NO_WORDS, _limits("max_streams", "max_connections", low=0), often="first"),
    "https": Rule(
        NO_WORDS,
        {
            **_limits("max_connections", low=0),
            "max_streams": Option(words(1, 1, v.number(0, 2**32 - 1)), since="1.15.0", once=True),
        },
        often="first",
    ),
    "https3": Rule(
        NO_WORDS,
        {
            "max_streams": Option(words(1, 1, _NOT_NEGATIVE), once=True),
            "max_connections": Option(words(1, 1, _NOT_NEGATIVE), since="1.14.7", once=True),
        },
        often="first",
    ),
    "timeouts": Rule(
        NO_WORDS,
        {
            **{
                name: Option(
                    words(1, 1, v.span(1, 86400, "a duration from 1s to 24h, or seconds", v.seconds_or_number))
                )
                for name in ("read", "write", "idle")
            },
            "maxtcpqueries": Option(r.tcp_queries, since="1.14.7"),
        },
        check=r.some_option,
    ),
    "multisocket": Rule(
        before("1.13.2", words(0, 1, _POSITIVE), words(0, 1, v.number(1, 1024))),
        often="alone",
    ),
    "reload": Rule(r.reload, often="first"),
    "nsid": Rule(REST, often="once"),
    "bufsize": Rule(words(0, 1, v.number(512, 4096)), often="first"),
    "bind": Rule(
        before("1.8.4", words(1, None, v.ADDRESS), words(1, None, r.LOCAL_ADDRESS)),
        {"except": Option(words(1, None, r.LOCAL_ADDRESS), since="1.8.4")},
        block_since="1.8.4",
    ),
    "debug": Rule(nothing),
    "trace": Rule(
        r.trace,
        {
            "every": Option(words(1, 1, v.digits(64))),
            "service": _ONE_WORD,
            "client_server": Option(words(0, 1, r.BOOLEAN)),
            "datadog_analytics_rate": Option(words(0, 1, v.fraction(0, 1, "a number from 0 to 1")), since="1.8.0"),
            "zipkin_max_backlog_size": Option(words(1, 1, v.number()), since="1.9.4"),
            "zipkin_max_batch_size": Option(words(1, 1, v.number()), since="1.9.4"),
            "zipkin_max_batch_interval": Option(words(1, 1, v.DURATION), since="1.9.4"),
        },
        strict_since="1.14.4",
    ),
    "ready": Rule(
        _LISTENER,
        {"monitor": Option(words(1, 1, v.one_of("until-ready", "continuously")), since="1.12.2")},
        often="once",
        block_since="1.12.2",
    ),
    "health": Rule(_LISTENER, {"lameduck": Option(words(1, 1, v.DURATION), since="1.0.5")}),
    "pprof": Rule(_LISTENER, {"block": Option(words(0, 1, v.number()))}, often="once"),
    "shed": Rule(NO_WORDS, {}, often="once", check=r.plain_dns),
    "prometheus": Rule(
        _LISTENER,
        {
            "runtime_metrics": Option(NO_WORDS, since="1.14.3"),
            "tls": Option(words(1, 1), since="1.14.3", once=True),
        },
        often="once",
        block_since="1.14.3",
    ),
    "errors": Rule(
        words(0, 1, v.one_of("stdout")),
        {
            "consolidate": Option(
                limited(r.consolidate, ("1.8.5", 2), ("1.14.0", 3)),
                since="1.2.6",
            ),
            "stacktrace": Option(flag, since="1.9.3"),
        },
        often="once",
    ),
    "log": Rule(
        REST,
        {"class": Option(words(1, None, v.one_of("all", "denial", "error", "success")))},
    ),
    "dnstap": Rule(
        before("1.9.4", one(r.OLD_TAP), r.dnstap),
        {
            "skipverify": Option(flag, since="1.11.0"),
            "tls": Option(words(2, None), since="1.14.4"),
            "identity": Option(one(), since="1.9.4"),
            "version": Option(one(), since="1.9.4"),
            "extra": Option(one(), since="1.11.1"),
        },
        each=r.dnstap_use,
        first_before="1.9.4",
        block_since="1.9.4",
        strict_since="1.14.4",
    ),
    "local": Rule(
        NO_WORDS,
        {"localhost_prefix": Option(words(1, 1, v.one_of("on", "off")), since="1.14.5")},
        unread_before="1.14.4",
    ),
    "dns64": Rule(
        before("1.15.0", words(0, 1, v.NETWORK_6), words(0, 1, v.NETWORK_64)),
        {
            "prefix": Option(before("1.15.0", one(v.NETWORK_6), one(v.NETWORK_64))),
            "translate_all": Option(flag),
            "allow_ipv4": Option(flag, since="1.8.7"),
        },
        opens=lambda head, _scope: not head,
    ),
    "siit": Rule(
        NO_WORDS,
        {"ipv6_prefix": Option(one(r.SIIT_NETWORK)), "eam": Option(r.siit_pair)},
    ),
    "any": Rule(nothing, {}, often="first", unread_before="1.14.4"),
    "chaos": Rule(REST, {}, often="first", block_since="1.14.4"),
    "loadbalance": Rule(
        r.loadbalance,
        {
            "reload": Option(words(1, 1, v.DURATION), since="1.10.1"),
            "prefer": Option(words(0, None, v.NETWORK), since="1.12.4"),
        },
        first_before="1.12.4",
        opens=r.weighted_opens,
        each=r.loadbalance_use,
    ),
    "tsig": Rule(
        REST,
        {
            "secret": Option(words(2, 2)),
            "secrets": _ONE_WORD,
            "require": Option(r.all_none_or(v.TYPES, "a type of record such as AXFR")),
            "require_opcode": Option(r.all_none_or(v.OPCODES, "an operation such as UPDATE"), since="1.14.3"),
        },
        often="once",
        each=r.tsig_keys,
    ),
    "rewrite": Rule(resolvers.rewrite),
    "autopath": Rule(words(1, None)),
    "acl": Rule(
        REST,
        {
            "allow": Option(r.access),
            "block": Option(r.access),
            "filter": Option(r.access, since="1.8.3"),
            "drop": Option(r.access, since="1.10.1"),
        },
        names=str.lower,
    ),
    "cache": Rule(
        r.cache,
        {
            "success": Option(_CACHE_SIZE),
            "denial": Option(_CACHE_SIZE),
            "prefetch": Option(words(1, 3, _NOT_NEGATIVE, v.DURATION, r.PERCENTAGE)),
            "serve_stale": Option(limited(r.serve_stale, ("1.9.2", 1), ("1.14.4", 2), ("1.14.7", 3)), since="1.6.6"),
            "serve_stale_policy": Option(
                words(1, 1, v.one_of("prefer_positive", any_case=True)), since="1.14.7", once=True
            ),
            "servfail": Option(words(1, 1, v.span(0, 300, "a duration from 0 to 5m")), since="1.9.4"),
            "disable": Option(first_words(v.one_of("success", "denial")), since="1.9.4"),
            "keepttl": Option(NO_WORDS, since="1.10.1"),
        },
        often="once",
        check=r.stale_policy,
    ),
    "header": Rule(
        flag,
        {
            "query": Option(r.header_flags, since="1.9.4"),
            "response": Option(r.header_flags, since="1.9.4"),
            "set": Option(words(1, None, r.HEADER_FLAG), gone="1.12.4"),
            "clear": Option(words(1, None, r.HEADER_FLAG), gone="1.12.4"),
        },
        often="filled",
        names=str.lower,
    ),
    "dnssec": Rule(
        REST,
        {"key": Option(r.dnssec_key), "cache_capacity": Option(one(v.number()))},
        often="once",
    ),
    "minimal": Rule(nothing, often="first"),
    "template": Rule(
        r.template,
        {
            "match": Option(words(1, None, v.PATTERN)),
            **{part: Option(words(1, None, r.TEMPLATE)) for part in ("answer", "additional", "authority")},
            "rcode": Option(one(v.Kind("a response code such as NXDOMAIN", v.RCODES.__contains__))),
            "ederror": Option(words(1, 2, v.digits(16), v.ANY), since="1.10.1"),
            "var": Option(first_words(r.VARIABLE, 2), since="1.15.0"),
            "expr": Option(words(1, None), since="1.15.0"),
            "fallthrough": _FALLTHROUGH,
            "upstream": _UPSTREAM,
        },
    ),
    "transfer": Rule(
        REST,
        {
            "to": Option(words(1, None, r.TRANSFER_TARGET)),
            "source": Option(words(1, 1, v.ADDRESS), since="1.14.5", once=True),
        },
        check=r.transfer_targets,
    ),
    "dynupdate": Rule(
        r.origin,
        {
            "database": Option(words(1, 1, r.NOT_EMPTY), once=True),
            "file": Option(words(1, 1), once=True),
            **_limits("max_records", "max_bytes", "max_update_records", low=1),
            "allow": Option(r.permission),
        },
        often="once",
        each=r.permission_in_zone,
        check=r.dynupdate,
    ),
    "hosts": Rule(
        REST,
        {
            "fallthrough": _FALLTHROUGH,
            "fallthrough_unsupported": Option(NO_WORDS, since="1.14.7"),
            "no_reverse": Option(flag, since="1.4.0"),
            "ttl": Option(first_words(v.number(1, 65535)), since="1.4.0"),
            "reload": Option(words(1, 1, v.span(0, None, "a duration of at least 0")), since="1.4.0"),
        },
        often="once",
        other=r.hosts_entry,
        check=r.hosts_use,
    ),
    "route53": Rule(
        r.cloud_zones(2),
        {
            "aws_access_key": Option(words(2, None)),
            "aws_endpoint": Option(one(), since="1.8.7"),
            "upstream": _UPSTREAM,
            "credentials": Option(r.one_or_two, since="1.2.3"),
            "fallthrough": Option(REST, since="1.2.3"),
            "refresh": Option(one(r.ABOVE_ZERO), since="1.6.2"),
        },
    ),
    "azure": Rule(
        r.cloud_zones(2),
        {
            **{name: Option(one()) for name in ("subscription", "tenant", "client", "secret", "environment")},
            "fallthrough": _FALLTHROUGH,
            "access": Option(one(v.one_of("public", "private")), since="1.6.8"),
            "refresh": Option(one(r.ABOVE_ZERO), since="1.15.0"),
        },
    ),
    "clouddns": Rule(
        r.cloud_zones(3),
        {
            "upstream": _UPSTREAM,
            "credentials": Option(one()),
            "fallthrough": _FALLTHROUGH,
            "endpoint": Option(one(), since="1.15.0"),
            "refresh": Option(one(r.ABOVE_ZERO), since="1.15.0"),
        },
    ),
    "k8s_external": Rule(
        REST,
        {
            "ttl": Option(_TTL),
            "apex": Option(words(1, None)),
            "headless": Option(flag, since="1.9.4"),
            "fallthrough": Option(REST, since="1.11.0"),
        },
    ),
    "kubernetes": Rule(r.kubernetes_zones, r.KUBERNETES_OPTIONS, often="once", check=r.kubernetes),
    "file": Rule(
        r.file_and_zones,
        {
            "fallthrough": Option(REST, since="1.12.2"),
            "reload": Option(first_words(v.DURATION), since="1.2.3"),
            "reload_by_mtime": Option(flag, since="1.14.4"),
            "upstream": _UPSTREAM,
            "transfer": Option(r.old_transfer, gone="1.8.0"),
            "no_reload": Option(flag, gone="1.5.0"),
        },
    ),
    "auto": Rule(
        REST,
        {
            "directory": Option(r.directory),
            "reload": Option(
                before("1.8.7", first_words(v.DURATION), first_words(v.span(0, None, "a duration of at least 0")))
            ),
            "upstream": _UPSTREAM,
            "transfer": Option(r.old_transfer, gone="1.8.0"),
            "no_reload": Option(flag, gone="1.5.0"),
        },
    ),
    "secondary": Rule(
        REST,
        {
            "transfer": Option(r.transfer_from),
            "catalog": Option(words(0, None, v.ZONE), since="1.14.5"),
            "fallthrough": Option(REST, since="1.14.4"),
            "upstream": Option(REST, gone="1.8.0"),
        },
        passes_over=True,
        check=r.has_transfer,
    ),
    "etcd": Rule(
        REST,
        {
            "stubzones": Option(flag),
            "fallthrough": _FALLTHROUGH,
            "debug": Option(flag),
            "no_apex_fallback": Option(NO_WORDS, since="1.15.0"),
            "path": Option(one()),
            "endpoint": Option(words(1, None)),
            "upstream": _UPSTREAM,
            "tls": Option(_TLS_FILES),
            "credentials": Option(words(2, 2), since="1.4.0"),
            "min-lease-ttl": Option(one(r.LEASE), since="1.12.4"),
            "max-lease-ttl": Option(one(r.LEASE), since="1.12.4"),
        },
        often="first",
    ),
    "loop": Rule(nothing, often="once"),
    "forward": Rule(resolvers.from_and_to, resolvers.FORWARD_OPTIONS, once_before="1.9.4", check=resolvers.forward),
    "grpc": Rule(
        resolvers.from_and_to,
        {
            "except": Option(words(1, None)),
            "tls": Option(_TLS_FILES),
            "tls_servername": Option(one()),
            "policy": Option(one(resolvers.POLICY)),
            "fallthrough": Option(REST, since="1.12.3"),
        },
        often="once",
        check=resolvers.grpc,
    ),
    "erratic": Rule(
        flag,
        {
            "drop": Option(words(0, 1, v.digits(31))),
            "delay": Option(words(0, 2, v.digits(31), v.DURATION)),
            "truncate": Option(words(0, 1, v.digits(31))),
            "large": Option(flag),
        },
    ),
    "whoami": Rule(nothing, often="first"),
    "on": Rule(r.event),
    "sign": Rule(
        r.file_and_zones,
        {"key": Option(r.sign_key), "directory": _ONE_WORD},
    ),
    "view": Rule(words(1, 1), {"expr": Option(REST)}, often="once"),
    "nomad": Rule(
        REST,
        {
            "address": Option(words(1, None, r.URL)),
            "filter": Option(words(1, 1), since="1.13.2"),
            "token": _ONE_WORD,
            "ttl": Option(words(1, 1, v.number(0, 3600))),
        },
        often="first",
        names=str.lower,
    ),
}
