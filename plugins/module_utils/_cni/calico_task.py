# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``calico`` does, from its options to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import (
    CONTROLLERS,
    NODE,
    PREFIXES,
    TYPHA,
    Calico,
    dataplane_for,
    pools_of,
    require_sound,
    widest_pool,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_cluster import (
    objects_of,
    pool_cidrs,
    provide,
    remove,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_sources import sources
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import images
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import Placement
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import Candidate, Packets, preflight
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import result_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# By whose help rules are written; that of eBPF needs none, and takes kube-proxy's place.
RULES = {"Iptables": "iptables", "Nftables": "nftables"}
SETTINGS = (
    *("version", "mode", "mtu", "bgp", "as_number", "node_mesh", "api_endpoint", "autodetection"),
    *("wireguard", "vxlan_port", "vxlan_vni", "registry", "image_path", "digests", "installation", "felix"),
    "typha_replicas",
)


def calico(asked: Mapping[str, Any], render: Callable[[Any], str], *, check: bool, diff: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :param render: makes readable text of an object, for the diff.
    :raises NetopsError: the options, a manifest or the API server stand in the way.
    """
    timeout = float(asked["wait_timeout"])
    if asked["state"] == "absent":
        client = connect(asked)
        cidrs = pool_cidrs(client)
        changes = remove(client, check=check, timeout=timeout)
        return {**result_of(client, changes, render, diff=diff), "pool_cidrs": cidrs}
    wanted = Calico(
        pools=pools_of(asked["pod_cidrs"], asked["pools"], asked["encapsulation"]),
        linux_dataplane=asked["linux_dataplane"] or dataplane_for(asked["kube_proxy_mode"], asked["version"]),
        bgp_peers=tuple(asked["bgp_peers"]),
        pull_secrets=tuple(asked["pull_secrets"]),
        node=_placement(asked, NODE),
        control_plane=_placement(asked, CONTROLLERS),
        typha=_placement(asked, TYPHA),
        **{name: asked[name] for name in SETTINGS},
    )
    require_sound(wanted)
    src, checksum = asked["src"], asked["checksum"]
    if not src:
        src, checksum = sources(wanted.version, wanted.mode, typha=bool(wanted.typha_replicas or wanted.typha))
    objects = objects_of(wanted, load([], src, checksum))
    client = connect(asked)
    candidate = Candidate(
        "calico",
        wanted.version,
        # Pools that are named may be several of a family, and are judged as pools. One that is disabled may be what
        # others are to take the place of, or name addresses around the cluster that pods reach with their own.
        () if asked["pools"] else asked["pod_cidrs"],
        node_selector=wanted.node.node_selector,
        force=asked["force_unsupported"],
        pools=[pool.cidr for pool in wanted.pools if not pool.disabled],
        packets=packets_of(wanted, asked["interfaces"]),
        service_cidrs=asked["service_cidrs"],
        dataplane=RULES.get(wanted.linux_dataplane, ""),
        kube_proxy_mode=asked["kube_proxy_mode"],
    )
    warnings = preflight(client, candidate)
    changes = provide(client, wanted, objects, force=asked["force_conflicts"], check=check, timeout=timeout)
    told = {"warnings": warnings} if warnings else {}
    return {**result_of(client, changes, render, diff=diff), "images": images(objects), **told}


def packets_of(wanted: Calico, interfaces: Mapping[str, Mapping[str, Any]]) -> Packets:
    """How packets go between nodes.

    :param interfaces: MTU by interface that bears a node's address, by node. Where Calico is told to take others,
        nothing is known of those.
    """
    known = interfaces if wanted.autodetection in {"", "kubernetes-internal-ip"} else {}
    widest = widest_pool(wanted)
    return Packets(known, widest.encapsulation, wanted.wireguard, wanted.mtu, widest.cidr)


def _placement(asked: Mapping[str, Any], workload: str) -> Placement:
    prefix = PREFIXES[workload]
    return Placement(asked[f"{prefix}tolerations"], asked[f"{prefix}node_selector"], asked[f"{prefix}resources"])
