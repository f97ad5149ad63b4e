# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNIs are configured on a node, and in which versions."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import META
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import CONFIGURATIONS, PROGRAMS, TRACES
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# The CNI by the type of its first plugin: what the projects' own configurations name.
BY_TYPE = {
    "flannel": "flannel",
    "calico": "calico",
    "cilium-cni": "cilium",
    "weave-net": "weave",
    "kube-ovn": "kube-ovn",
    "antrea": "antrea",
    "multus": "multus",
    "multus-shim": "multus",
    "ovn-k8s-cni-overlay": "ovn-kubernetes",
    "aws-cni": "amazon-vpc",
    "azure-vnet": "azure",
    "bridge": "bridge",
}
# Those whose plugins are others' too, by the name of the file that they write.
BY_FILE = {
    "10-canal.conflist": "canal",
    "10-kuberouter.conf": "kube-router",
    "10-kuberouter.conflist": "kube-router",
    "10-kindnet.conflist": "kindnet",
    "10-gke-ptp.conflist": "gke",
}
# What makes a CNI's plugin tell its version; Flannel's plugin has versions of its own.
VERSION_OPTIONS = {"calico": "-v"}
VERSION = re.compile(r"v\d+\.\d+\.\d+\S*")


# The network of a container with itself, which CRI-O's packages configure (cri-o/cri-o, contrib/cni): no CNI.
LOOPBACK = "loopback"
# Where container runtimes have them: containerd's default, and what distributions' packages of CRI-O add.
PLUGIN_FOLDERS = (PROGRAMS, "/usr/libexec/cni", "/usr/lib/cni")


def configurations(folder: str = CONFIGURATIONS) -> dict[str, str]:
    """The CNI by the name of each configuration file, in the order in which a runtime reads them.

    A file that does not parse belongs to ``unreadable``, and so does one that cannot be read, such as a link that leads
    nowhere; an unknown plugin to itself. That of the loopback device is left out.
    """
    path = Path(folder)
    found: dict[str, str] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else []:
        if file.suffix not in {".conf", ".conflist", ".json"}:
            continue
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            plugin = (content.get("plugins") or [content])[0]["type"]
        except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError):
            plugin = "unreadable"
        if plugin != LOOPBACK:
            found[file.name] = BY_FILE.get(file.name) or BY_TYPE.get(plugin, plugin)
    return found


def require_alone(configured: Mapping[str, str], expected: str) -> None:
    """Require that no other CNI than one is configured on a node.

    :param configured: as :func:`configurations` tells it.
    :raises NetopsError: another one is; its file and the way to remove it are named.
    """
    others = {name: cni for name, cni in configured.items() if cni not in {expected, *META}}
    if others:
        listed = ", ".join(f"{cni} ({CONFIGURATIONS}/{name})" for name, cni in others.items())
        raise NetopsError(
            "CNI of this node",
            f"{listed} is configured",
            f"{expected} alone: two CNIs on a node break each other",
            f"Remove the other one first: {way_out(others.values())}",
        )


def require_plugins(names: Iterable[str], folders: Sequence[str] = PLUGIN_FOLDERS) -> None:
    """Require reference plugins that a CNI calls, and does not bring along.

    :param names: of their programs.
    :param folders: where a container runtime looks for them.
    :raises NetopsError: some are not there; they are named.
    """
    missing = [name for name in names if not any(Path(folder, name).is_file() for folder in folders)]
    if missing:
        raise NetopsError(
            f"CNI plugin {', '.join(missing)}",
            f"not in {', '.join(folders)}",
            "the reference plugins, which the CNI calls for each pod",
            "Install package kubernetes-cni or containernetworking-plugins, or github.com/containernetworking/plugins",
        )


def way_out(cnis: Iterable[str]) -> str:
    """How each of these is removed."""
    ways = {
        **{cni: f"role netops.kubernetes.{cni}, tasks_from uninstall" for cni in ("calico", "cilium", "flannel")},
        "weave": "its own objects, then netops.kubernetes.cni_cleanup on each node",
    }
    return "; ".join(f"{cni} by {ways.get(cni, 'its own uninstallation')}" for cni in sorted(set(cnis)))


def traces_of(
    links: Mapping[str, Sequence[str]], root: str = "/", *, netfilter: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """What bears a CNI's own name, by CNI; of those whose names the collection knows.

    A configuration does not count: a CNI that has none any more, and has these, is half removed. Nor does a program in
    the plugins' folder: packages of the reference plugins bring some along.

    :param links: the names of each CNI's links.
    :param netfilter: a line for each chain, nftables table and ipset.
    """
    top = Path(root)
    found: dict[str, list[str]] = {}
    for cni, traces in TRACES.items():
        lines = [f"link {link}" for link in links.get(cni, ())]
        # A file's folder may be one that only root reads.
        for pattern in (*traces.files, *traces.folders):
            if not pattern.startswith((CONFIGURATIONS, PROGRAMS)):
                lines += [f"file /{path.relative_to(top)}" for path in sorted(top.glob(pattern.lstrip("/")))]
        lines += netfilter.get(cni, ())
        if lines:
            found[cni] = lines
    return found


def state_of(configured: Mapping[str, str], traces: Iterable[str]) -> str:
    """``none``, ``one``, ``mixed`` (several are configured) or ``leftovers`` (of one that is not configured)."""
    cnis = set(configured.values())
    # Canal is Flannel's network with Calico's policies, and Multus calls the others.
    parts = {"canal": {"calico", "flannel"}, "multus": set(configured.values())}
    owners = cnis.union(*(parts.get(cni, set()) for cni in cnis))
    if len(cnis - META) > 1:
        return "mixed"
    if set(traces) - owners:
        return "leftovers"
    return "one" if cnis else "none"


def versions(folder: str = PROGRAMS) -> dict[str, str]:
    """The versions that the CNIs' own programs tell, by CNI; where one tells none, there is none.

    :raises NodeError: a program does not end.
    """
    found: dict[str, str] = {}
    for cni, option in VERSION_OPTIONS.items():
        program = Path(folder, cni)
        runs = program.is_file() and os.access(program, os.X_OK)
        told = VERSION.search(run([str(program), option]).stdout) if runs else None
        if told:
            found[cni] = told[0]
    return found
