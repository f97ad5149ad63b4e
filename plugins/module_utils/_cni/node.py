# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNIs are configured on a node."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import CONFIGURATIONS

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
