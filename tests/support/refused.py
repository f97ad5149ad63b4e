# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CoreDNS 1.15.0 refuses of each plugin, with our words for it.

A plugin's line, then the lines of its block, with bars between them; what is told has the file and the line before it.
"""

from __future__ import annotations

TABLE = """
root
    2: plugin root: no argument; expected a word.
metadata a|b
    3: plugin metadata: option 'b' is unknown; expected no block.
geoip
    2: plugin geoip: no argument; expected 1.
cancel 0s
    2: plugin cancel: '0s'; expected a duration above 0, such as 5s.
cancel 5
    2: plugin cancel: '5'; expected a duration above 0, such as 5s. Add a unit, as in 5s.
proxyproto x
    2: plugin proxyproto: 1 argument; expected none. Take out x.
proxyproto|default maybe
    3: plugin proxyproto: option default: 'maybe'; expected use, ignore, reject or skip.
proxyproto|allow 192.0.2.1
    3: plugin proxyproto: option allow: '192.0.2.1'; expected a network such as 192.0.2.0/24. Write 192.0.2.1/32.
tls cert.pem
    2: plugin tls: 1 argument; expected 2 to 3.
tls cert.pem key.pem|client_auth no
    3: plugin tls: option client_auth: 'no'; expected nocert, request, require, verify_if_given or require_and_verify.
tls|email a@example.com
    4: plugin tls: neither files nor a domain for ACME; expected a certificate and a key, or option acme.
quic|max_streams 0
    3: plugin quic: option max_streams: '0'; expected a whole number of at least 1. The nearest one is 1.
quic|max_streams 1|max_streams 2
    4: plugin quic: option 'max_streams' is given twice; expected one. Remove one of the two.
grpc_server|max_streams -1
    3: plugin grpc_server: option max_streams: '-1'; expected a whole number of at least 0. The nearest one is 0.
https|max_connections x
    3: plugin https: option max_connections: 'x'; expected a whole number of at least 0.
https3|others 1
    3: plugin https3: option 'others' is unknown; expected one of max_connections, max_streams.
timeouts
    2: plugin timeouts: its block is empty; expected an option.
timeouts|read 25h
    3: plugin timeouts: option read: '25h'; expected a duration from 1s to 24h, or seconds.
timeouts|maxtcpqueries 0
    3: plugin timeouts: option maxtcpqueries: 0; expected -1 for no limit, or a number above 0.
multisocket 1025
    2: plugin multisocket: '1025'; expected a whole number from 1 to 1024. The nearest one is 1024.
multisocket x
    2: plugin multisocket: 'x'; expected a whole number from 1 to 1024.
reload 1s
    2: plugin reload: '1s'; expected a duration of at least 2s.
reload 30s 500ms
    2: plugin reload: '500ms'; expected a duration of at least 1s.
reload 1m 1s 1s
    2: plugin reload: 3 arguments; expected 0 to 2. Take out 1s.
bufsize 511
    2: plugin bufsize: '511'; expected a whole number from 512 to 4096. The nearest one is 512.
bind
    2: plugin bind: no argument; expected at least 1.
bind 192.0.2.300
    2: plugin bind: '192.0.2.300'; expected an IP address or the name of a network interface.
bind 192.0.2.1|except
    3: plugin bind: option except: no argument; expected at least 1.
debug on
    2: plugin debug: argument 'on'; expected none. Take it out.
trace jaeger 192.0.2.1
    2: plugin trace: 'jaeger'; expected zipkin or datadog.
trace|every -1
    3: plugin trace: option every: '-1'; expected a whole number from 0 to 18446744073709551615.
trace|client_server perhaps
    3: plugin trace: option client_server: 'perhaps'; expected true or false.
trace|datadog_analytics_rate 2
    3: plugin trace: option datadog_analytics_rate: '2'; expected a number from 0 to 1.
ready 8181
    2: plugin ready: '8181'; expected host:port, or :port. Put a colon before it, as in :8181.
ready|monitor sometimes
    3: plugin ready: option monitor: 'sometimes'; expected until-ready or continuously.
ready|check 5s
    3: plugin ready: option 'check' is unknown; expected one of monitor.
health 8080
    2: plugin health: '8080'; expected host:port, or :port. Put a colon before it, as in :8080.
health|lameduck 5
    3: plugin health: option lameduck: '5'; expected a duration such as 30s. Add a unit, as in 5s.
pprof :6053|block x
    3: plugin pprof: option block: 'x'; expected a whole number.
shed x
    2: plugin shed: 1 argument; expected none. Take out x.
prometheus 9153
    2: plugin prometheus: '9153'; expected host:port, or :port. Put a colon before it, as in :9153.
prometheus :9153 :9154
    2: plugin prometheus: 2 arguments; expected 0 to 1. Take out :9154.
errors stderr
    2: plugin errors: 'stderr'; expected stdout.
errors|consolidate 5m
    3: plugin errors: option consolidate: 1 argument; expected 2 to 4.
errors|consolidate 5m [a
    3: plugin errors: option consolidate: '[a'; expected a regular expression in Go's syntax, at most 10,000 bytes.
errors|consolidate 5m a loud
    3: plugin errors: option consolidate: 'loud'; expected one of warning, error, info, debug, then show_first.
errors|consolidate 5m a show_first error
    3: plugin errors: option consolidate: 'error'; expected one of warning, error, info, debug, then show_first.
log|class errors
    3: plugin log: option class: 'errors'; expected all, denial, error or success. Did you mean error?
log|class
    3: plugin log: option class: no argument; expected at least 1.
log|klass all
    3: plugin log: option 'klass' is unknown; expected one of class. Did you mean class?
dnstap
    2: plugin dnstap: no argument; expected at least 1.
dnstap /run/tap.sock full 0
    2: plugin dnstap: '0'; expected a whole number from 1 to 1024. The nearest one is 1.
dnstap /run/tap.sock|tls a b
    3: plugin dnstap: option 'tls' without a listener; expected the argument 'listen' before the end point.
local|localhost_prefix yes
    3: plugin local: option localhost_prefix: 'yes'; expected on or off.
dns64 64:ff9b::/97
    2: plugin dns64: '64:ff9b::/97'; expected an IPv6 network of 32, 40, 48, 56, 64 or 96 bits.
dns64 192.0.2.0/24
    2: plugin dns64: '192.0.2.0/24'; expected an IPv6 network of 32, 40, 48, 56, 64 or 96 bits.
dns64|prefix
    3: plugin dns64: option prefix: no argument; expected an IPv6 network of 32, 40, 48, 56, 64 or 96 bits.
siit 64:ff9b::/96
    2: plugin siit: 1 argument; expected none. Take out 64:ff9b::/96.
siit|ipv6_prefix 2001:db8::/72
    3: plugin siit: option ipv6_prefix: '2001:db8::/72'; expected an IPv6 network of 32, 40, 48, 56, 64 or 96 bits, \
bits 64 to 71 of which are 0.
siit|eam 2001:db8::1 192.0.2.1
    3: plugin siit: option eam: '2001:db8::1'; expected an IPv4 address.
siit|eam 192.0.2.1
    3: plugin siit: option eam: 1 argument; expected 2.
dynupdate example.com
    2: plugin dynupdate: option 'file' is missing; expected file PATH.
dynupdate example.com example.org
    2: plugin dynupdate: 2 arguments; expected 0 to 1. Take out example.org.
dynupdate example.com|file db|allow a.key. www.example.org A
    4: plugin dynupdate: option allow: name 'www.example.org'; expected a name in zone example.com.
dynupdate example.com|file db|allow * @ A
    4: plugin dynupdate: option allow: key '*'; expected the name of a key of plugin tsig.
dynupdate example.com|file db|allow a.key. @ RRSIG
    4: plugin dynupdate: option allow: 'RRSIG'; expected a type of record such as A.
dynupdate example.com|file db|max_records 0
    4: plugin dynupdate: option max_records: '0'; expected a whole number of at least 1. The nearest one is 1.
any thing
    2: plugin any: argument 'thing'; expected none. Take it out.
loadbalance random
    2: plugin loadbalance: 'random'; expected round_robin or weighted.
loadbalance weighted
    2: plugin loadbalance: 1 argument; expected 2.
loadbalance|prefer 192.0.2.1
    3: plugin loadbalance: option prefer: '192.0.2.1'; expected a network such as 192.0.2.0/24. Write 192.0.2.1/32.
loadbalance|reload 5s
    3: plugin loadbalance: option 'reload' does not go with policy 'round_robin'.
tsig|secret a
    3: plugin tsig: option secret: 1 argument; expected 2.
tsig|secret a b|secret a. c
    4: plugin tsig: key 'a.' has two secrets; expected one. Remove one of the two.
tsig|require everything
    3: plugin tsig: option require: 'everything'; expected all, none, or a type of record such as AXFR.
rewrite
    2: plugin rewrite: no rule; expected name, class, type, edns0, ttl, cname or rcode.
rewrite name a.example.com
    2: plugin rewrite: 1 argument; expected at least 2.
rewrite names a b
    2: plugin rewrite: 'names'; expected one of name, class, type, edns0, ttl, cname, rcode.
rewrite name regex [a b
    2: plugin rewrite: '[a'; expected a regular expression in Go's syntax, at most 10,000 bytes.
rewrite name regex a(b) {1}{2}
    2: plugin rewrite: '{1}{2}' names more groups than 'a(b)' has; expected at most 1.
rewrite name exact a b metadata
    2: plugin rewrite: metadata; expected it behind a rule with regex alone.
rewrite name regex (a) {1}.{nobody} metadata
    2: plugin rewrite: {nobody}; expected the number of a group, or a label such as kubernetes/client-namespace.
rewrite name glob a b
    2: plugin rewrite: 'glob'; expected exact, prefix, suffix, substring or regex.
rewrite name exact a b answer name c
    2: plugin rewrite: answer name with 1 behind it; expected 2.
rewrite class IN XX
    2: plugin rewrite: 'XX'; expected a class such as IN.
rewrite type A
    2: plugin rewrite: 1 argument; expected 2.
rewrite ttl example.com 60-30
    2: plugin rewrite: '60-30'; expected seconds, or a range of seconds such as 30-300.
rewrite rcode example.com NXDOMAIN BAD
    2: plugin rewrite: 'BAD'; expected a response code, as a name or a number up to 23.
rewrite edns0 local set 0x1ffff abc
    2: plugin rewrite: '0x1ffff'; expected a number of 16 bits, decimal, octal or hexadecimal.
rewrite edns0 local set 0xfff0 0xabc
    2: plugin rewrite: '0xabc'; expected an even number of hexadecimal digits behind 0x.
rewrite edns0 local set 0xfff0 {nobody}
    2: plugin rewrite: variable '{nobody}'; expected one such as {client_ip}, or a label of metadata.
rewrite edns0 subnet set 33 56
    2: plugin rewrite: '33'; expected a number of bits up to 32.
autopath
    2: plugin autopath: no argument; expected at least 1.
acl|deny net 192.0.2.0/24
    3: plugin acl: option 'deny' is unknown; expected one of allow, block, drop, filter.
acl|block net 192.0.2.0/33
    3: plugin acl: option block: '192.0.2.0/33'; expected a network such as 192.0.2.0/24.
acl|block type
    3: plugin acl: option block: section 'type' is empty; expected a word behind it.
acl|block 192.0.2.1
    3: plugin acl: option block: '192.0.2.1'; expected type or net.
cache 0
    2: plugin cache: time to live '0'; expected at least 1 second.
cache|success
    3: plugin cache: option success: no argument; expected at least 1.
cache|success 10 0
    3: plugin cache: option success: '0'; expected a whole number of at least 1. The nearest one is 1.
cache|prefetch 10 1m 95%
    3: plugin cache: option prefetch: '95%'; expected a percentage from 10% to 90%.
cache|serve_stale 1h later
    3: plugin cache: option serve_stale: 'later'; expected immediate or verify.
cache|serve_stale_policy prefer_positive
    4: plugin cache: option serve_stale_policy without serve_stale; expected both.
cache|servfail 6m
    3: plugin cache: option servfail: '6m'; expected a duration from 0 to 5m.
cache|disable everything
    3: plugin cache: option disable: 'everything'; expected success or denial.
header
    2: plugin header: no block, or one without an option; expected an option.
header|response put aa
    3: plugin header: option response: 'put'; expected set or clear.
header|response set tc
    3: plugin header: option response: 'tc'; expected aa, ra or rd.
dnssec|key
    3: plugin dnssec: option key: no argument; expected file or aws_secretsmanager.
dnssec|cache_capacity many
    3: plugin dnssec: option cache_capacity: 'many'; expected a whole number.
template IN
    2: plugin template: too few arguments; expected a type of record such as A.
template XX A
    2: plugin template: 'XX'; expected ANY, CH, CS, HS, IN or NONE.
template IN A|match [a
    3: plugin template: option match: '[a'; expected a regular expression in Go's syntax, at most 10,000 bytes.
template IN A|rcode BAD
    3: plugin template: option rcode: 'BAD'; expected a response code such as NXDOMAIN.
template IN A|ederror x
    3: plugin template: option ederror: 'x'; expected a whole number from 0 to 65535.
transfer
    2: plugin transfer: option 'to' is missing; expected to ADDRESS or to *.
transfer|to ns.example.com
    3: plugin transfer: option to: 'ns.example.com'; expected * or an IP address, with or without a port.
transfer|to *|source ns
    4: plugin transfer: option source: 'ns'; expected an IP address.
hosts|ttl 0
    3: plugin hosts: option ttl: '0'; expected a whole number from 1 to 65535. The nearest one is 1.
hosts|reload -5s
    3: plugin hosts: option reload: '-5s'; expected a duration of at least 0.
hosts|fallthrough|192.0.2.1 a.example.com
    4: plugin hosts: '192.0.2.1' behind fallthrough; expected entries before fallthrough. Move it up.
hosts|fallthrough_unsupported
    4: plugin hosts: option fallthrough_unsupported without fallthrough; expected both.
route53 example.com
    2: plugin route53: 'example.com'; expected 2 parts with a colon between them.
clouddns example.com:project
    2: plugin clouddns: 'example.com:project'; expected 3 parts with a colon between them.
azure group:example.com|access secret
    3: plugin azure: option access: 'secret'; expected public or private.
k8s_external|ttl 3601
    3: plugin k8s_external: option ttl: '3601'; expected a whole number from 0 to 3600. The nearest one is 3600.
kubernetes cluster.local|pods all
    3: plugin kubernetes: option pods: 'all'; expected disabled, insecure or verified.
kubernetes cluster.local|ttl -1
    3: plugin kubernetes: option ttl: '-1'; expected a whole number from 0 to 3600. The nearest one is 0.
kubernetes cluster.local|tls a b
    3: plugin kubernetes: option tls: 2 arguments; expected 3.
kubernetes cluster.local|labels a~b
    3: plugin kubernetes: option labels: 'a~b'; expected a label selector such as app=web.
kubernetes cluster.local|namespaces a|namespace_labels b=c
    5: plugin kubernetes: options namespaces and namespace_labels together; expected one of the two.
kubernetes cluster.local|multicluster clusterset.local
    4: plugin kubernetes: zone 'clusterset.local.' of option multicluster; expected a zone that the plugin serves.
kubernetes cluster.local|zonal|noendpoints
    5: plugin kubernetes: options zonal and noendpoints together; expected one of the two.
kubernetes cluster.local|resyncperiod 5m
    3: plugin kubernetes: option 'resyncperiod' is gone since CoreDNS 1.7.0. Remove it, or migrate.
file
    2: plugin file: no argument; expected a file.
file db.example|reload soon
    3: plugin file: option reload: 'soon'; expected a duration such as 30s.
auto|directory /zones [a {1}
    3: plugin auto: option directory: '[a'; expected a regular expression in Go's syntax, at most 10,000 bytes.
auto|directory /zones db {1}
    3: plugin auto: option directory: 'db'; expected a pattern with a group in parentheses.
auto|directory /zones (.*)
    3: plugin auto: option directory: no template behind the pattern; expected a template such as ${1}.
secondary example.com
    2: plugin secondary: option 'transfer from' is missing; expected transfer from ADDRESS.
secondary|transfer to 192.0.2.1
    3: plugin secondary: option transfer: 'to'; expected from.
etcd|credentials a
    3: plugin etcd: option credentials: 1 argument; expected 2.
etcd|min-lease-ttl -5
    3: plugin etcd: option min-lease-ttl: '-5'; expected a duration from 0 on, or seconds.
loop now
    2: plugin loop: argument 'now'; expected none. Take it out.
forward .
    2: plugin forward: no server behind '.'; expected servers to ask.
forward
    2: plugin forward: no argument; expected a zone and servers.
forward . 192.0.2.300
    2: plugin forward: server '192.0.2.300'; expected an address, a name or the path of a resolv.conf.
forward . 192.0.2.1|policy fastest
    3: plugin forward: option policy: 'fastest'; expected random, round_robin or sequential.
forward . 192.0.2.1|max_fails -1
    3: plugin forward: option max_fails: '-1'; expected a whole number from 0 to 4294967295.
forward . 192.0.2.1|health_check 5s sometimes
    3: plugin forward: option health_check: 'sometimes'; expected no_rec, or domain NAME.
forward . 192.0.2.1|health_check 5s domain
    3: plugin forward: option health_check: no name behind domain; expected a domain name.
forward . 192.0.2.1|expire 30s|max_age 10s
    5: plugin forward: max_age 10s is less than expire; expected at least as long as expire.
forward . 192.0.2.1|failover NOERROR
    3: plugin forward: option failover: NOERROR; expected a code of a failure.
secondary a.example|transfer from 192.0.2.1|catalog :53
    4: plugin secondary: option catalog: ':53'; expected a zone.
forward . 192.0.2.1|next BAD
    3: plugin forward: option next: 'BAD'; expected a response code such as NXDOMAIN.
forward . 192.0.2.1|except
    3: plugin forward: option except: no argument; expected at least 1.
forward . 192.0.2.1|force_tcp yes
    3: plugin forward: option force_tcp: argument 'yes'; expected none. Take it out.
forward . tls://192.0.2.1%a.example|tls_servername b.example
    4: plugin forward: 'tls://192.0.2.1%a.example' and tls_servername both name the server; expected one of the two.
grpc . nobody.example.com
    2: plugin grpc: server 'nobody.example.com'; expected an address or the path of a resolv.conf.
erratic|drop -1
    3: plugin erratic: option drop: '-1'; expected a whole number from 0 to 2147483647.
whoami now
    2: plugin whoami: argument 'now'; expected none. Take it out.
on reboot /bin/true
    2: plugin on: 'reboot'; expected startup, shutdown or certrenew.
on startup
    2: plugin on: no command; expected a command behind the event.
sign db.example|directory a b
    3: plugin sign: option directory: 2 arguments; expected 1. Take out b.
sign db.example|key directory /keys
    3: plugin sign: option key: 'directory' is not made yet by CoreDNS; expected file.
view
    2: plugin view: no argument; expected 1.
nomad|ttl 3601
    3: plugin nomad: option ttl: '3601'; expected a whole number from 0 to 3600. The nearest one is 3600.
"""


def text_of(lines: str) -> str:
    """A Corefile of one server block with one plugin."""
    head, *options = lines.split("|")
    block = f" {{\n{''.join(f'        {option}{chr(10)}' for option in options)}    }}" if options else ""
    return f". {{\n    {head}{block}\n}}\n"


def refused() -> list[tuple[str, str]]:
    """Each text with what must be said of it."""
    lines = TABLE.strip().split("\n")
    return [(text_of(bad), f"Corefile:{said.strip()}") for bad, said in zip(lines[::2], lines[1::2])]
