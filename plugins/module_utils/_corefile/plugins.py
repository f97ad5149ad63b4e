# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which plugins CoreDNS has: the names of ``plugin.cfg`` at v1.14.7, in the order in which they run."""

from __future__ import annotations

_IN_ORDER = """
    root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind
    debug trace ready health pprof shed prometheus errors log dnstap local dns64 any chaos loadbalance tsig rewrite
    autopath acl cache header dnssec tls minimal template transfer hosts route53 azure clouddns k8s_external kubernetes
    file auto secondary etcd loop forward grpc erratic whoami on sign view nomad
""".split()

# Place in the order by name.
PLUGINS: dict[str, int] = {name: place for place, name in enumerate(_IN_ORDER)}
