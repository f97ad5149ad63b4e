# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""CNIs on a node: which one is configured, and what one of them left behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._cni import flannel
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    ChainRemoval,
    find_chains,
    remove_chains,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists, require, run

CONFIGURATIONS = "/etc/cni/net.d"
PROGRAMS = "/opt/cni/bin"
# The CNI by the type of its first plugin.
BY_TYPE = {
    "flannel": "flannel",
    "calico": "calico",
    "cilium-cni": "cilium",
    "weave-net": "weave",
    "kube-ovn": "kube-ovn",
    "antrea": "antrea",
    "bridge": "bridge",
}
FLANNEL_FILES = (f"{CONFIGURATIONS}/{flannel.CONFLIST}", f"{PROGRAMS}/flannel")
FLANNEL_FOLDERS = ("/run/flannel", "/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0")
FLANNEL_RESULTS = ("/var/lib/cni/results", "cbr0-*")
# The container runtime and the reference plugins share these; they go when nothing is in them.
SHARED_FOLDERS = ("/var/lib/cni/results", "/var/lib/cni/networks", "/var/lib/cni", CONFIGURATIONS)


def configurations(folder: str = CONFIGURATIONS) -> dict[str, str]:
    """The CNI by the name of each configuration file, in the order in which a runtime reads them.

    A file that does not parse belongs to ``unreadable``, an unknown plugin to itself.
    """
    path = Path(folder)
    found: dict[str, str] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else []:
        if file.suffix not in {".conf", ".conflist", ".json"}:
            continue
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            plugin = (content.get("plugins") or [content])[0]["type"]
        except (ValueError, KeyError, IndexError, AttributeError, TypeError):
            plugin = "unreadable"
        found[file.name] = BY_TYPE.get(plugin, plugin)
    return found


@dataclass(frozen=True)
class Leftovers:
    """What Flannel left on this node."""

    chains: ChainRemoval
    links: tuple[str, ...]
    paths: tuple[str, ...]
    nft_tables: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[str]:
        return [
            *(f"chain {chain}" for chain in self.chains.chains),
            *(f"nftables table {family} {name}" for family, name in self.nft_tables),
            *(f"link {link}" for link in self.links),
            *(f"file {path}" for path in self.paths),
        ]


def flannel_leftovers() -> Leftovers:
    """Read the node; nothing is changed."""
    chains = find_chains(flannel.CHAINS)
    links = tuple(link for link in flannel.LINKS if Path("/sys/class/net", link).exists())
    folder, pattern = FLANNEL_RESULTS
    results = sorted(str(path) for path in Path(folder).glob(pattern))
    paths = [path for path in (*FLANNEL_FILES, *FLANNEL_FOLDERS, *results) if Path(path).exists()]
    listed = set(require(["nft", "list", "tables"]).splitlines()) if exists("nft") else set()
    tables = tuple((family, name) for family, name in flannel.NFT_TABLES if f"table {family} {name}" in listed)
    return Leftovers(chains, links, tuple(paths), tables)


def clean(found: Leftovers) -> None:
    """Take the leftovers away; the configuration first, so that no runtime uses the rest any more."""
    for path in found.paths:
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            files.remove(path)
    for link in found.links:
        # A link that goes with another, or by itself, is as good.
        run(["ip", "link", "delete", link])
    remove_chains(found.chains)
    for family, name in found.nft_tables:
        run(["nft", "delete", "table", family, name])
    for folder in SHARED_FOLDERS:
        files.remove_empty_folder(folder)
