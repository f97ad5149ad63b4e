# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which plugins a version of CoreDNS has, in the order in which they run.

``plugin.cfg`` of ``github.com/coredns/coredns`` at every release from v1.0.0 to v1.15.0.
"""

from __future__ import annotations

from functools import cache

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import Version, version_of

# What is gone stands where it stood.
_FIRST = """
    root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind
    debug trace ready health pprof shed prometheus errors log dnstap local dns64 siit
""".split()
_MIDDLE = "any chaos loadbalance tsig rewrite autopath acl cache header dnssec tls".split()
# Before v1.14.2; between the two, some of these moved one by one.
_MIDDLE_BEFORE = "tls acl any chaos loadbalance tsig cache rewrite header dnssec autopath".split()
_LAST = """
    reverse minimal template transfer dynupdate hosts federation route53 azure clouddns k8s_external kubernetes file
    auto secondary etcd loop forward proxy grpc erratic whoami on startup shutdown sign view nomad
""".split()

# The first version that has it.
SINCE = {
    "nsid": "1.0.1",
    "template": "1.0.3",
    "route53": "1.0.5",
    "forward": "1.0.5",
    "on": "1.0.5",
    "reload": "1.1.0",
    "metadata": "1.2.0",
    "loop": "1.2.1",
    "k8s_external": "1.3.0",
    "cancel": "1.5.0",
    "ready": "1.5.0",
    "grpc": "1.5.0",
    "any": "1.5.1",
    "azure": "1.6.2",
    "clouddns": "1.6.3",
    "sign": "1.6.3",
    "acl": "1.6.4",
    "transfer": "1.6.5",
    "bufsize": "1.6.6",
    "dns64": "1.7.0",
    "local": "1.8.1",
    "minimal": "1.8.4",
    "geoip": "1.8.5",
    "header": "1.8.5",
    "tsig": "1.9.4",
    "view": "1.10.0",
    "timeouts": "1.10.1",
    "multisocket": "1.12.0",
    "quic": "1.12.2",
    "nomad": "1.13.0",
    "grpc_server": "1.14.0",
    "https": "1.14.0",
    "https3": "1.14.0",
    "proxyproto": "1.14.3",
    "shed": "1.14.7",
    "siit": "1.15.0",
    "dynupdate": "1.15.0",
}
# The first version that does not know the name any more.
GONE = {"reverse": "1.2.0", "federation": "1.7.0", "proxy": "1.5.0", "startup": "1.1.1", "shutdown": "1.1.1"}

_NAMES = (*_FIRST, *_MIDDLE, *_LAST)


@cache
def order_of(version: Version) -> dict[str, int]:
    """Each plugin's place in the order in which a version sets them up."""
    middle = _MIDDLE if version >= (1, 14, 2) else _MIDDLE_BEFORE
    first = _FIRST if version >= (1, 14, 2) else [*_FIRST[:4], "tls", *_FIRST[4:]]
    return {name: place for place, name in enumerate(dict.fromkeys((*first, *middle, *_LAST)))}


@cache
def plugins_of(version: Version) -> frozenset[str]:
    """The names of the plugins that a version's own build has."""
    return frozenset(
        name
        for name in _NAMES
        if version >= version_of(SINCE.get(name, "1.0.0")) and (name not in GONE or version < version_of(GONE[name]))
    )
