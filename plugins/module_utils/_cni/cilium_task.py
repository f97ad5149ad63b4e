# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``cilium`` does, from its options to its result."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import (
    CLUSTER_POOL,
    Cilium,
    CiliumError,
    carriage,
    is_other_minor,
    require_step,
    require_values,
    values,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import (
    networks_in,
    placed,
    rehearsal,
    rendered,
    schema_in,
    unpacked,
    version_in,
    version_of_agents,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_cluster import (
    authority,
    provide,
    rehearse,
    remove,
    version_that_runs,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import (
    Registry,
    images,
    names_of,
    relocate,
    require_digests,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import Candidate, Packets, preflight
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import result_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

# Where the project publishes its charts; index.yaml there has the checksum of each.
CHARTS = "https://helm.cilium.io"
SETTINGS = (
    *("version", "tunnel", "mtu", "kube_proxy_replacement", "api_endpoint", "wireguard", "hubble"),
    *("operator_replicas", "values", "node_selector"),
)


def cilium(asked: Mapping[str, Any], render: Callable[[Any], str], *, check: bool, diff: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :param render: makes readable text of an object, for the diff.
    :raises NetopsError: the options, the chart or the API server stand in the way.
    """
    timeout = float(asked["wait_timeout"])
    if asked["state"] == "absent":
        client = connect(asked)
        return result_of(client, remove(client, check=check, timeout=timeout), render, diff=diff)
    if bool(asked["chart_ref"]) == bool(asked["src"]):
        raise CiliumError(
            "chart_ref, src",
            "both are named" if asked["src"] else "none is named",
            "the chart, or what helm template has made of it",
            f"Name a copy of {CHARTS}/cilium-{asked['version']}.tgz in chart_ref, or this URL with its checksum",
        )
    wanted = Cilium(pod_cidrs=tuple(asked["pod_cidrs"]), **{name: asked[name] for name in SETTINGS})
    client = connect(asked)
    there = version_that_runs(client)
    read = partial(_from_chart, client, there=there) if asked["chart_ref"] else _from_files
    objects, tried = read(wanted, asked)
    require_digests(asked["digests"], names_of(objects), CiliumError)
    # Files may be of another version than the setting; a chart that is was refused.
    version = wanted.version if asked["chart_ref"] else version_of_agents(objects) or wanted.version
    registry = Registry(asked["registry"], asked["image_path"], tuple(asked["pull_secrets"]), asked["digests"])
    for some in (objects, tried):
        relocate(registry, some)
    warnings = preflight(client, _candidate(wanted, asked, version, objects))
    require_step(there, version)
    if tried and not check:
        rehearse(client, tried, timeout)
    force = asked["force_conflicts"]
    changes = provide(client, objects, force=force, check=check, timeout=timeout)
    told = {"warnings": warnings} if warnings else {}
    return {**result_of(client, changes, render, diff=diff), "images": images(objects), **told}


def _candidate(wanted: Cilium, asked: Mapping[str, Any], version: str, objects: Sequence[Object]) -> Candidate:
    """What the cluster is judged for. Files tell the networks that they were rendered for, and no more."""
    force, selector, services = asked["force_unsupported"], wanted.node_selector, asked["service_cidrs"]
    made: dict[str, Any] = values(wanted) if asked["chart_ref"] else {}
    ipam = made.get("ipam") or {}
    if ipam.get("mode") != CLUSTER_POOL:
        pods = networks_in(objects)
        return Candidate("cilium", version, node_selector=selector, force=force, pools=pods, service_cidrs=services)
    pools = {family: ipam["operator"].get(f"clusterPoolIPv{family}PodCIDRList") or [] for family in (4, 6)}
    sizes = {family: ipam["operator"].get(f"clusterPoolIPv{family}MaskSize") for family in pools}
    # Several networks of a family hold more nodes together than each does.
    cidrs = [some[0] for some in pools.values() if some] if all(len(some) < 2 for some in pools.values()) else []
    sizes = {family: size for family, size in sizes.items() if size}
    packets = Packets(asked["interfaces"], *carriage(made))
    return Candidate("cilium", version, cidrs, sizes, selector, force, [*pools[4], *pools[6]], packets, services)


def _from_files(wanted: Cilium, asked: Mapping[str, Any]) -> tuple[list[Object], list[Object]]:
    """What helm has rendered elsewhere, for the nodes that it is for here; nobody can render a check of it."""
    objects = copy.deepcopy(load([], asked["src"], asked["checksum"]))
    version_of_agents(objects)
    placed(objects, wanted.node_selector)
    return objects, []


def _from_chart(
    client: KubeClient, wanted: Cilium, asked: Mapping[str, Any], *, there: str
) -> tuple[list[Object], list[Object]]:
    """The chart's objects for the settings; values that it does not have are refused before helm runs.

    :param there: the version that runs.
    :returns: the objects, and those of the chart's check before another minor version comes.
    """
    made = values(wanted)
    with unpacked(asked["chart_ref"], asked["checksum"].get(asked["chart_ref"], "")) as chart:
        require_values(made, schema_in(chart))
        seen = version_in(chart)
        if seen != wanted.version.lstrip("v"):
            raise CiliumError(f"chart {asked['chart_ref']!r}", f"it is of version {seen}", wanted.version)
        given = (chart, merged(authority(client), made), client.server_version, asked["helm"])
        return rendered(*given), rehearsal(*given) if is_other_minor(there, wanted.version) else []
