# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corefiles by the thousand: real ones, put together from parts, and broken in many ways.

A seed decides all of them.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBEADM = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
NODE_CACHE = """\
cluster.local:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    reload
    loop
    bind 169.254.20.10
    forward . 10.96.0.11 {
        force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
}
in-addr.arpa:53 {
    errors
    cache 30
    bind 169.254.20.10
    forward . 10.96.0.11 {
        force_tcp
    }
}
.:53 {
    errors
    cache 30
    bind 169.254.20.10
    forward . /etc/resolv.conf
}
"""
SNIPPETS = """\
(common) {
    errors
    cache 60
}
(entries) {
    192.0.2.1 a.example.com
}
. {
    import common
    hosts {
        import entries
        fallthrough
    }
    forward . 192.0.2.53
}
example.com example.org:1053 {
    import common
    whoami
}
tls://example.net, quic://example.net {
    whoami
}
10.0.0.0/23 {
    whoami
}
"""
OLD = """\
.:53 {
    errors
    health
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        upstream
        fallthrough in-addr.arpa ip6.arpa
        transfer to 192.0.2.9
    }
    prometheus :9153
    proxy . /etc/resolv.conf {
        policy least_conn
    }
    cache 30
    reload
    federation cluster.local {
        prod prod.example.com
    }
}
"""
REAL = (KUBEADM, NODE_CACHE, SNIPPETS, OLD)

# One or more lines of each plugin, with every option that stays on the machine and opens nothing.
PLUGINS = """\
root /tmp
metadata example.com
cancel 5s
proxyproto|allow 192.0.2.0/24 2001:db8::/32|default ignore|udp_session_tracking 30s 100|tlv_metadata
quic|max_streams 256|worker_pool_size 10|max_connections 0
grpc_server|max_streams 10|max_connections 0
https|max_connections 10|max_streams 4294967295
https3|max_streams 10|max_connections 10
timeouts|read 10s|write 20|idle 1m|maxtcpqueries -1
multisocket 4
reload
reload 10s 5s
nsid some name
bufsize 1232
bind 127.0.0.1|except 127.0.0.2
bind 127.0.0.1 ::1
debug
trace
trace zipkin 192.0.2.1:9411|every 10|service dns|client_server true|datadog_analytics_rate 0.5
trace|zipkin_max_backlog_size 10|zipkin_max_batch_size 5|zipkin_max_batch_interval 1s
ready :8181
ready|monitor continuously
health localhost:8080|lameduck 5s
pprof :6053|block 1
shed
prometheus :9153
prometheus localhost:9153|runtime_metrics
errors
errors stdout|consolidate 5m ".* i/o timeout$" warning|consolidate 30s "^Failed to .+"|stacktrace
errors|consolidate 5m a info show_first
log
log example.com example.org "{remote} {type} {combined}"|class denial error
log .|class all
dnstap /tmp/dnstap.sock full|identity name|version 1|extra {name}
dnstap tcp://192.0.2.1:6000 full 1 2|skipverify
local|localhost_prefix on
dns64
dns64 64:ff9b::/96
dns64|prefix 2001:db8::/96|translate_all|allow_ipv4
dns64 2001:db8::/72
siit|ipv6_prefix 2001:db8::/56|eam 192.0.2.1 2001:db8::1
any
chaos CoreDNS-001 a@example.com
loadbalance round_robin
loadbalance weighted /tmp/weights|reload 30s
loadbalance|prefer 192.0.2.0/24 2001:db8::/32
tsig example.com|secret a.key. NoTCJU+DMqFWywaPyxSijrDEA/eC3nK0xi3AMEZuPVk=|require all
tsig|require AXFR IXFR|require_opcode UPDATE NOTIFY
rewrite name a.example.com b.example.com
rewrite continue name exact a.example.com b.example.com answer name b.example.com a.example.com
rewrite stop name regex (.*)\\.a\\.example\\.com {1}.b answer name (.*)\\.b {1}.a answer value (.*)\\.b {1}.a
rewrite name suffix .a.example.com .b.example.com answer auto
rewrite|name regex (a)(b) {2}{1}
rewrite name regex ^([^.]+)[.]example[.]$ {1}.{kubernetes/client-namespace}.svc. metadata answer auto
rewrite class IN CH
rewrite type ANY HINFO
rewrite ttl example.com 30
rewrite ttl regex .* 30-60
rewrite cname exact a.example.com b.example.com
rewrite rcode example.com NXDOMAIN 0
rewrite edns0 local set 0xffee abcd
rewrite edns0 local replace 0xffee 0x1234 revert
rewrite edns0 local set 0xffee {client_ip}
rewrite edns0 nsid append
rewrite edns0 subnet set 24 56
rewrite edns0 local unset 0xffee
autopath @kubernetes
autopath example.com /etc/resolv.conf
acl|allow net 192.0.2.0/24|block type A AAAA net * 192.0.2.1
acl example.com|filter type ANY|drop net 2001:db8::1|block
cache
cache 3600 example.com
cache|success 5000 3600 5|denial 2500 30|prefetch 10 1m 10%|keepttl|servfail 5s
cache 30|serve_stale 1h immediate|disable success example.com|disable denial
cache|serve_stale 1h verify 2s 30s 1m|serve_stale_policy prefer_positive
header|response set ra aa|query clear rd
header|set ra
dnssec example.com|cache_capacity 1000
minimal
template IN A example.com|match "^a[.](?P<b>.*)[.]$" x|answer "{{ .Name }} 60 IN A 192.0.2.1"|rcode NXDOMAIN|fallthrough
template IN TXT|var letters len("abc")|expr letters > 3|answer "{{ .Name }} 60 IN TXT {{ .Var.letters }}"
template ANY ANY|rcode REFUSED|ederror 21 "no"|authority "x"|additional "y"|upstream
transfer example.com|to * 192.0.2.1 192.0.2.2:5353
transfer|to *|source 192.0.2.9
dynupdate example.com|file /tmp/none.db|database /tmp/none.bolt|max_records 10|allow a.key. @ A TXT|allow a.key. * *
dynupdate|file /tmp/none.db|max_bytes 1000|max_update_records 1|allow a.key. w.example.com ANY|allow a. w.example.org A
hosts /etc/hosts example.com|192.0.2.1 a.example.com|ttl 60|reload 10s|no_reverse|fallthrough
hosts|192.0.2.2 b|fallthrough a.example.com|fallthrough_unsupported
k8s_external example.com|apex dns|ttl 30|headless|fallthrough
kubernetes cluster.local in-addr.arpa|pods verified|ttl 5|noendpoints|namespaces a b|fallthrough
kubernetes cluster.local|labels app=web,tier in (a, b)|endpoint_pod_names|ignore empty_service|startup_timeout 5s
kubernetes cluster.local|namespace_labels a!=b|apiserver_qps 5.5|apiserver_burst 5|apiserver_max_inflight 0|zonal
kubernetes cluster.local x.example.com|multicluster x.example.com|upstream|resyncperiod 5m|transfer to *
file /tmp/none.db example.com|reload 30s|fallthrough|reload_by_mtime|upstream
auto example.com|directory /tmp (.*)\\.db {1}|reload 30s
secondary example.com|transfer from 192.0.2.1|fallthrough|catalog a.example.com
etcd example.com|path /x|endpoint http://127.0.0.1:2379|fallthrough|stubzones|min-lease-ttl 30|no_apex_fallback
loop
forward . 192.0.2.53
forward . /etc/resolv.conf|max_concurrent 1000|policy sequential|max_fails 3|expire 10s|prefer_udp
forward example.com 192.0.2.1:5353 [2001:db8::1]:53 2001:db8::2|except a.example.com|force_tcp|health_check 5s no_rec
forward . tls://192.0.2.1 tls://192.0.2.2|tls_servername dns.example.com|tls|health_check 5s domain example.com
forward . 192.0.2.1|max_age 30s|max_idle_conns 5|read_timeout 2s|next NXDOMAIN SERVFAIL|next_on_nodata|failover REFUSED
forward . 192.0.2.1|failfast_all_unhealthy_upstreams|max_connect_attempts 2|resolver 192.0.2.9|source_address 192.0.2.8
forward . https://192.0.2.1|doh_method GET
forward . quic://192.0.2.1%dns.example.com quic://192.0.2.2:8853|max_fails 0
grpc . 192.0.2.1:5300|policy random|except a.example.com|tls_servername a
erratic|drop 2|delay 3 50ms|truncate 2|large
whoami
on startup /bin/true a b
sign /tmp/none.db example.com|directory /tmp
view a|expr type() == 'A'
nomad service.nomad|address http://127.0.0.1:4646|token a|ttl 10|filter a
"""
KEYS = (
    *(".", ".:53", ".:1053", "example.com", "example.org:1053", "a.example.com.", "dns://example.net", "EXAMPLE.com"),
    *("tls://.", "https://.", "grpc://.", "quic://.", "https3://.:8443", "10.0.0.0/16", "10.0.0.0/23", "192.0.2.1/32"),
    *("2001:db8::/32", "2001:db8::/31", "a,b", "a..b", "x:", ":53", "1:53", "-", "a.example.com:abc", "*.example.com"),
)
WORDS = (
    *(
        "",
        "0",
        "1",
        "-1",
        "5",
        "30",
        "65536",
        "5s",
        "0s",
        "-5s",
        "1m30s",
        "5x",
        "10%",
        "95%",
        "1.5",
        "x",
        "example.com",
    ),
    *(
        "192.0.2.1",
        "192.0.2.1:53",
        "2001:db8::1",
        "[2001:db8::1]:53",
        "192.0.2.0/24",
        "192.0.2.1/33",
        "::/0",
        "300.1.1.1",
    ),
    *(
        "tls://192.0.2.1",
        "https://192.0.2.1/x",
        "unix:///x",
        "{",
        "}",
        "#",
        '"a b"',
        "@kubernetes",
        "*",
        "(",
        "(a",
        "[a",
    ),
    *("stdout", "A", "a", "ANY", "NOERROR", "nxdomain", "all", "none", "on", "off", "true", "random", "immediate"),
    *(
        "verify",
        "fallthrough",
        "import",
        "common",
        "ttl",
        "1h",
        "é",
        "a{2}",
        ":9153",
        "9153",
        "localhost:1",
        "99999999999",
    ),
)


# What CoreDNS' process knows, and words that use it, or only look so.
VARIABLES = {
    "JUDGED_NUMBER": "30",
    "JUDGED_ZONE": "example.com",
    "JUDGED_WORDS": "30 example.com",
    "JUDGED_PLUGIN": "whoami",
    "JUDGED_BRACE": "{",
    "JUDGED_NEST": "{$JUDGED_NUMBER}",
    "JUDGED_PATTERN": "part-*.conf",
    "JUDGED_EMPTY": "",
}
REFERENCES = (
    *(f"{{${name}}}" for name in (*VARIABLES, "JUDGED_NOT_THERE")),
    *(f"{{%{name}%}}" for name in (*VARIABLES, "JUDGED_NOT_THERE")),
    *("a.{$JUDGED_ZONE}", "{%JUDGED_NUMBER%}s", "{$JUDGED_NUMBER}{%JUDGED_NUMBER%}", '"{$JUDGED_WORDS}"'),
    *("{$}", "{%%}", "{$JUDGED_NUMBER", "{%JUDGED_NUMBER}", "{$JUDGED_NUMBER%}", "{%A%B%}"),
)
# Files of the folder "imported", patterns that find some, and what finds none.
IMPORTS = (
    *("errors.conf", "part-a.conf", "part-*.conf", "deeper/*.conf", "deeper/part-?.conf", "servers.conf", "*rs.conf"),
    *("options.inc", "wrong.conf", "*.inc", "w*", "d*", "deeper", "none-*.conf", "none.conf", "part-[ab].conf"),
    *("*-*.conf", "{$JUDGED_PATTERN}", "{$JUDGED_EMPTY}", "./errors.conf", "deeper/../errors.conf", "/tmp/*.conf"),
)


def directives() -> list[list[str]]:
    """Each a plugin's line, then the lines of its block."""
    return [line.split("|") for line in PLUGINS.splitlines()]


def written(lines: list[str], chance: random.Random) -> str:
    """A plugin as it stands in a server block."""
    head, *options = lines
    if not options:
        return f"    {head}\n"
    if chance.random() < 0.3:
        options = chance.sample(options, chance.randint(0, len(options)))
    return f"    {head} {{\n" + "".join(f"        {option}\n" for option in options) + "    }\n"


def composed(chance: random.Random) -> str:
    """A Corefile from parts that are right each for itself."""
    all_directives = directives()
    blocks = []
    for _number in range(chance.choice((1, 1, 1, 2, 3))):
        keys = chance.sample(KEYS[:16], chance.choice((1, 1, 1, 2)))
        parts = [written(chance.choice(all_directives), chance) for _part in range(chance.choice((0, 1, 1, 2, 3, 4)))]
        blocks.append(f"{' '.join(keys)} {{\n{''.join(parts)}}}\n")
    return "".join(blocks)


def single(number: int, chance: random.Random) -> str:
    """One plugin alone, so that every one has its turn."""
    all_directives = directives()
    return f"example.com {{\n{written(all_directives[number % len(all_directives)], chance)}}}\n"


def broken(text: str, chance: random.Random) -> str:
    """A Corefile with one thing changed: a word, a line, a brace."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    words = re.findall(r'"[^"]*"|\S+', lines[at])
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    place = chance.randrange(len(words)) if words else 0
    change = chance.randrange(10)
    if change == 9 or (not words and change in (0, 1, 4, 8)):
        return text.replace(chance.choice(("{\n", "}\n", "\n", " ")), chance.choice((" ", "\r\n")), 1)
    if change == 6:
        lines.insert(at, f"        {chance.choice(chance.choice(directives()))}")
        return "\n".join(lines)
    if change == 7:
        del lines[at]
        return "\n".join(lines)
    if change == 5:
        lines.insert(chance.randrange(len(lines)), lines[at])
    _change_word(words, place, change, chance)
    lines[at] = indent + " ".join(words)
    return "\n".join(lines)


def _change_word(words: list[str], place: int, change: int, chance: random.Random) -> None:
    if change in (0, 1):
        words[place] = chance.choice(WORDS)
    elif change in (2, 3):
        words.insert(chance.randint(0, len(words)), chance.choice(WORDS))
    elif change == 4:
        del words[place]
    elif change == 8:
        words[place] = words[place][: chance.randrange(len(words[place]) + 1)]


def spliced(text: str, chance: random.Random) -> str:
    """A Corefile of which a part comes from elsewhere: a word from a variable, or lines from a file."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    words = lines[at].split()
    if words and chance.random() < 0.5:
        words[chance.randrange(len(words))] = chance.choice(REFERENCES)
        lines[at] = " ".join(words)
    else:
        lines.insert(at, f"import {chance.choice(IMPORTS)}")
    return "\n".join(lines)


def corefiles(seed: int, count: int) -> Iterator[str]:
    """So many Corefiles: a fifth as people write them, the others with one to three things changed."""
    chance = random.Random(seed)  # noqa: S311 - the same texts each time is what is wanted
    for number in range(count):
        kind = number % 5
        text = (
            composed(chance)
            if kind == 0
            else chance.choice(REAL)
            if kind == 1
            else single(number // 5 * 3 + kind, chance)
        )
        if kind == 1 or (kind > 1 and number >= 5 * len(directives())) or chance.random() < 0.3:
            for _change in range(chance.choice((1, 1, 1, 2, 3))):
                text = broken(text, chance)
        if chance.random() < 0.2:
            text = spliced(text, chance)
        yield text
