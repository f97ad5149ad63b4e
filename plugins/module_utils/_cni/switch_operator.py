# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Cilium's operator during a switch: it lets pods and nodes be that Cilium does not serve.

It deletes each pod of the cluster's DNS that has no CiliumEndpoint, one every 15 seconds (operator/unmanagedpods), and
keeps pods off a node whose agent is not ready, as one that leaves is not, for good (operator/watchers/node_taint.go).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_steering import HELD
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIGURATION = ObjectRef("v1", "ConfigMap", "cilium-config", "kube-system")
OPERATOR = ObjectRef("apps/v1", "Deployment", "cilium-operator", "kube-system")
# The same, said to the chart.
QUIET_VALUES = {"operator": {"unmanagedPodWatcher": {"restart": False}}}
QUIET = {"unmanaged-pod-watcher-interval": "0", "set-cilium-node-taints": "false"}


def quietened(configuration: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """A patch of the ConfigMap by which the operator lets them be; nothing when it is so already.

    :param configuration: the ConfigMap as it is.
    """
    if HELD in (configuration["metadata"].get("annotations") or {}):
        return None
    said = configuration.get("data") or {}
    held = json.dumps({key: said.get(key) for key in QUIET}, sort_keys=True)
    return {"metadata": {"annotations": {HELD: held}}, "data": dict(QUIET)}


def restored(configuration: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """A patch that gives the ConfigMap back what :func:`quietened` took; nothing when it took nothing."""
    notes = configuration["metadata"].get("annotations") or {}
    if HELD not in notes:
        return None
    return {"metadata": {"annotations": {HELD: None}}, "data": json.loads(notes[HELD])}


def restarted(operator: Mapping[str, Any], *, is_quiet: bool) -> Optional[dict[str, Any]]:
    """A patch of the Deployment that starts it anew, for it reads the ConfigMap once; nothing when it has been.

    :param is_quiet: what the ConfigMap says now.
    """
    template = operator["spec"]["template"]
    marked = HELD in ((template.get("metadata") or {}).get("annotations") or {})
    if marked == is_quiet:
        return None
    note = {HELD: "true" if is_quiet else None}
    return {"spec": {"template": {"metadata": {"annotations": note}}}}
