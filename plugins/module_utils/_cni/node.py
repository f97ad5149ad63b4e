# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNIs are configured on a node, and in which versions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import CONFIGURATIONS, PROGRAMS
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import run

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

# What makes a CNI's plugin tell its version; Flannel's plugin has versions of its own.
VERSION_OPTIONS = {"calico": "-v"}
VERSION = re.compile(r"v\d+\.\d+\.\d+\S*")


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


def versions(folder: str = PROGRAMS) -> dict[str, str]:
    """The versions that the CNIs' own programs tell, by CNI; where one tells none, there is none.

    :raises NodeError: a program does not end.
    """
    found: dict[str, str] = {}
    for cni, option in VERSION_OPTIONS.items():
        program = Path(folder, cni)
        told = VERSION.search(run([str(program), option]).stdout) if program.is_file() else None
        if told:
            found[cni] = told[0]
    return found
