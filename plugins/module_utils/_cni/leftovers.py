# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a CNI left on a node: read by the names that are its own, and taken away."""

from __future__ import annotations

import ipaddress
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.links import links_by_cni
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.netfilter import (
    ipsets,
    nft_tables,
    own_ipsets,
    own_nft_tables,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import CONFIGURATIONS, NOTHING, TRACES
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network, within
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    ChainRemoval,
    find_chains,
    remove_chains,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import Traces
    from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Network

# The container runtime and the reference plugins share these; they go when nothing is in them. The folder of
# configurations stays: containerd watches it, and does not see what comes to another one in its place.
SHARED_FOLDERS = ("/var/lib/cni/results", "/var/lib/cni/networks", "/var/lib/cni")
# What the reference plugin bridge calls its device where nobody says (containernetworking/plugins, plugins/main).
DEFAULT_BRIDGE = "cni0"
MOUNTS = "/proc/self/mounts"
# What ext4 has at its top (mklost+found(8)).
OF_FILE_SYSTEM = "lost+found"
FAMILIES = ("-4", "-6")
# What ip(8) calls a part of a route in JSON, and on its command line.
ROUTE_WORDS = (("gateway", "via"), ("dev", "dev"), ("protocol", "proto"), ("table", "table"), ("metric", "metric"))


DIRECTIONS = ("ingress", "egress")
# What filters of both directions hang on.
QDISC = "clsact"


@dataclass(frozen=True)
class Filter:
    """A BPF program that traffic control runs on what a device receives or sends.

    :param words: those that ``tc filter delete`` finds it by.
    :param alone: nobody else has a filter at this device.
    """

    device: str
    direction: str
    name: str
    words: tuple[str, ...]
    alone: bool


@dataclass(frozen=True)
class Leftovers:
    """What one CNI left on this node.

    :param filters: of devices that are not its own; those of its own go with them.
    :param routes: the words that ``ip`` deletes each with.
    :param ip_rules: likewise of policy routing.
    :param local_rules: likewise the kernel's own for local addresses, which belong at priority 0.
    :param mounts: in the order in which they are unmounted.
    :param folders: those that go with all that is in them; of one that is a mount, what is in it.
    :param parents: folders that go when nothing is in them any more.
    """

    filters: tuple[Filter, ...]
    chains: ChainRemoval
    links: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]
    ip_rules: tuple[tuple[str, ...], ...]
    local_rules: tuple[tuple[str, ...], ...]
    nft_tables: tuple[tuple[str, str], ...]
    ipsets: tuple[str, ...]
    files: tuple[str, ...]
    mounts: tuple[str, ...]
    folders: tuple[str, ...]
    parents: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return [
            *(f"traffic control filter {one.name} of {one.device} {one.direction}" for one in self.filters),
            *(f"chain {chain}" for chain in self.chains.chains),
            *(f"nftables table {family} {name}" for family, name in self.nft_tables),
            *(f"ipset {name}" for name in self.ipsets),
            *(f"link {link}" for link in self.links),
            *(" ".join(("route", *words)) for words in self.routes),
            *(" ".join(("routing rule", *words)) for words in self.ip_rules),
            *(" ".join(("routing rule", *words, "in place of pref 0")) for words in self.local_rules),
            *(f"mount {path}" for path in self.mounts),
            *(f"file {path}" for path in (*self.files, *self.folders)),
        ]


def leftovers(cni: str, pod_cidrs: Sequence[str]) -> Leftovers:
    """Read the node; nothing is changed.

    :param cni: a key of TRACES.
    :param pod_cidrs: the pod networks; only routes into them count.
    :raises NetopsError: a pod network is none, or a program fails.
    """
    traces = TRACES[cni]
    pods = [network("pod network", cidr) for cidr in pod_cidrs]
    others = set(_bridges_of_others(traces))
    links = tuple(link for link in links_by_cni()[cni] if link not in others)
    # A link that leads nowhere any more is the CNI's all the same.
    folders = tuple(path for path in traces.folders if Path(path).is_dir() or Path(path).is_symlink())
    mounts = _mounts(folders)
    return Leftovers(
        filters=tuple(_filters(traces, links)),
        chains=find_chains(traces.chains, traces.rules),
        links=links,
        routes=tuple(_routes(traces, pods, links)),
        ip_rules=tuple(_ip_rules(traces)),
        local_rules=tuple(_local_rules(traces)),
        nft_tables=own_nft_tables(traces, nft_tables() if traces.nft_tables else ()),
        ipsets=own_ipsets(traces, ipsets()),
        files=tuple(found for pattern in traces.files for found in _files(pattern)),
        mounts=tuple(sorted((place for place in mounts if place not in folders), reverse=True)),
        folders=tuple(path for folder in folders for path in (_content(folder) if folder in mounts else [folder])),
        parents=traces.parents,
    )


def _bridges_of_others(traces: Traces) -> Iterable[str]:
    """Bridges that bear an address of a configuration that stays, such as CRI-O's own, whose bridge is ``cni0`` too.

    A configuration alone says nothing: CRI-O's lies beside that of many a CNI, and is never used.
    """
    own = {path for pattern in traces.files for path in _files(pattern)}
    for path in (one for ending in ("conf", "conflist", "json") for one in _files(f"{CONFIGURATIONS}/*.{ending}")):
        if path not in own:
            for name, subnets in bridges_of(files.read(path) or ""):
                if any(_is_within(address, subnets) for address in _addresses(name)):
                    yield name


def bridges_of(text: str) -> list[tuple[str, list[str]]]:
    """The bridges that a CNI configuration makes, each with the networks of their addresses; none where it is no such.

    :param text: of a file in the folder of configurations.
    """
    try:
        content = json.loads(text)
        plugins = [one for one in content.get("plugins") or [content] if one["type"] == "bridge"]
        return [(one.get("bridge") or DEFAULT_BRIDGE, _subnets(one.get("ipam") or {})) for one in plugins]
    except (ValueError, KeyError, AttributeError, TypeError):
        return []


def _subnets(ipam: Mapping[str, Any]) -> list[str]:
    ranges = [one.get("subnet") for group in ipam.get("ranges") or [] for one in group]
    return [str(subnet) for subnet in (ipam.get("subnet"), *ranges) if subnet]


def _addresses(device: str) -> list[str]:
    if not Path("/sys/class/net", device).exists():
        return []
    return [str(one["local"]) for link in _listed("address", "show", "dev", device) for one in link["addr_info"]]


def _is_within(address: str, subnets: Sequence[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(subnet, strict=False) for subnet in subnets)


def _filters(traces: Traces, links: Sequence[str]) -> Iterable[Filter]:
    """The CNI's filters at devices that stay."""
    if traces.filters is NOTHING or not exists("tc"):
        return
    for qdisc in json.loads(require(["tc", "-j", "qdisc", "show"]) or "[]"):
        device = qdisc.get("dev")
        if qdisc["kind"] != QDISC or device in links:
            continue
        there = [(direction, one) for direction in DIRECTIONS for one in _filters_of(device, direction)]
        own = [(direction, one) for direction, one in there if traces.filters.search(_name_of(one))]
        for direction, one in own:
            place = ("protocol", one["protocol"], "pref", str(one["pref"]), "handle", one["options"]["handle"])
            words = (*place, one["kind"])
            yield Filter(device, direction, _name_of(one), words, alone=len(own) == len(there))


def _filters_of(device: str, direction: str) -> list[dict[str, Any]]:
    """Each that runs; tc lists its priority as an entry of its own, too."""
    printed = require(["tc", "-j", "filter", "show", "dev", device, direction])
    return [one for one in json.loads(printed or "[]") if "handle" in (one.get("options") or {})]


def _name_of(one: Mapping[str, Any]) -> str:
    return str(one["options"].get("bpf_name", ""))


def _files(pattern: str) -> list[str]:
    folder, _unused, name = pattern.rpartition("/")
    return sorted(str(path) for path in Path(folder).glob(name)) if Path(folder).is_dir() else []


def _routes(traces: Traces, pods: Sequence[Network], links: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """Routes of its own tables, and of its own protocols into the pod networks; those over its links go with them."""
    if not traces.rule_tables and not (traces.route_protocols and pods):
        return
    for family in FAMILIES:
        for route in _listed(family, "route", "show", "table", "all"):
            if route.get("dev") not in links and (
                str(route.get("table")) in traces.rule_tables
                or (route.get("protocol") in traces.route_protocols and _leads_into(route, family, pods))
            ):
                yield (family, *_route_words(route))


def _leads_into(route: Mapping[str, Any], family: str, pods: Sequence[Network]) -> bool:
    return within(ipaddress.ip_network(route["dst"]) if route["dst"] != "default" else _all(family), pods)


def _all(family: str) -> Network:
    return ipaddress.ip_network("0.0.0.0/0" if family == "-4" else "::/0")


def _route_words(route: Mapping[str, Any]) -> Iterable[str]:
    if route.get("type") and route["type"] != "unicast":
        yield route["type"]
    yield route["dst"]
    for name, word in ROUTE_WORDS:
        # A blackhole of IPv6 is listed on the loopback device, and is not found there.
        if name in route and not (name == "dev" and route.get("type") == "blackhole"):
            yield from (word, str(route[name]))


def _ip_rules(traces: Traces) -> Iterable[tuple[str, ...]]:
    if not traces.rule_tables:
        return
    for family in FAMILIES:
        for rule in _listed(family, "rule", "show"):
            if str(rule.get("table")) in traces.rule_tables:
                yield (family, "pref", str(rule["priority"]), "table", str(rule["table"]))


def _local_rules(traces: Traces) -> Iterable[tuple[str, ...]]:
    """The kernel's own rule where it was moved; one that an administrator made has another protocol."""
    if not traces.local_rule:
        return
    for family in FAMILIES:
        for rule in _listed(family, "-details", "rule", "show"):
            named = (rule["priority"], rule.get("table"), rule.get("protocol"))
            if named == (traces.local_rule, "local", "kernel"):
                yield (family, "pref", str(traces.local_rule), "table", "local")


def _listed(*words: str) -> list[dict[str, Any]]:
    printed = require(["ip", "-j", *words])
    found: list[dict[str, Any]] = json.loads(printed or "[]")
    return found


def _mounts(folders: Sequence[str]) -> tuple[str, ...]:
    """What is mounted in or below the folders, or is one of them."""
    places = [line.split()[1] for line in (files.read(MOUNTS) or "").splitlines()]
    return tuple(place for place in places if any(place == one or place.startswith(f"{one}/") for one in folders))


def _content(folder: str) -> list[str]:
    """What is in a folder that is a mount: not the CNI's to unmount, only what it has left inside is."""
    return sorted(str(path) for path in Path(folder).iterdir() if path.name != OF_FILE_SYSTEM)


def clean(found: Leftovers) -> None:
    """Take the leftovers away; the configuration before the rest, so that no runtime uses it any more.

    Programs that packets of the node's own devices go through come first: without the maps that they jump by, which are
    among the files, they drop every packet.

    :raises NodeError: a program or a file system refuses; what was taken away before stays away, and the next run goes
        on.
    """
    _clean_filters(found.filters)
    for path in found.files:
        _remove(path)
    for link in found.links:
        # A link that goes with another, or by itself, is as good.
        run(["ip", "link", "delete", link])
    _clean_routing(found)
    remove_chains(found.chains)
    for family, name in found.nft_tables:
        require(["nft", "delete", "table", family, name])
    for name in _dependents_first(found.ipsets):
        require(["ipset", "destroy", name])
    for path in found.mounts:
        require(["umount", path])
    for path in found.folders:
        _remove(path)
    for folder in (*found.parents, *SHARED_FOLDERS):
        files.remove_empty_folder(folder)


def _remove(path: str) -> None:
    """Remove a file, a folder with all that is in it, or a link; what a link leads to has no name of the CNI's.

    :raises NodeError: the file system refuses.
    """
    place = Path(path)
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(path)
        else:
            files.remove(path)
    except OSError as error:
        raise NodeError(
            f"file '{error.filename or path}'",
            f"it cannot be removed: {error.strerror}",
            "a file system that lets it go",
            "Look what holds it (findmnt, lsof, lsattr), end that, and run again",
        ) from error


def _clean_filters(filters: Sequence[Filter]) -> None:
    for one in filters:
        if not one.alone:
            require(["tc", "filter", "delete", "dev", one.device, one.direction, *one.words])
    # All of a device at once, with what they hang on, which was made for them.
    for device in sorted({one.device for one in filters if one.alone}):
        require(["tc", "qdisc", "delete", "dev", device, QDISC])


def _clean_routing(found: Leftovers) -> None:
    for family, *words in found.routes:
        require(["ip", family, "route", "delete", *words])
    for family, *words in found.ip_rules:
        require(["ip", family, "rule", "delete", *words])
    for family, *words in found.local_rules:
        _restore_local_rule(family)
        require(["ip", family, "rule", "delete", *words])


def _restore_local_rule(family: str) -> None:
    """As the kernel makes it (net/ipv4/fib_rules.c, ``fib_default_rules_init``); before its double goes."""
    if not any(rule["priority"] == 0 for rule in _listed(family, "rule", "show")):
        require(["ip", family, "rule", "add", "pref", "0", "table", "local", "protocol", "kernel"])


def _dependents_first(ipsets: Sequence[str]) -> list[str]:
    """Sets of sets before the sets that they hold."""
    if not ipsets:
        return []
    described = {name: require(["ipset", "list", name, "-terse"]) for name in ipsets}
    return sorted(ipsets, key=lambda name: "Type: list:set" not in described[name])
