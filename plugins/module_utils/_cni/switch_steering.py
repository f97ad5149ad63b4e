# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A DaemonSet that somebody else has made is taken away from nodes with the label, and given back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

HELD = "netops.kubernetes/cni-switch-held"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def steered(spec: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """A patch that takes a DaemonSet away from nodes that have the label, and restarts none of its pods.

    :param spec: that of the DaemonSet.
    :returns: nothing when it is so already.
    """
    pod = spec["template"]["spec"]
    affinity = pod.get("affinity") or {}
    required = (affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    wanted = {"key": LABEL, "operator": "DoesNotExist"}
    if all(wanted in (term.get("matchExpressions") or []) for term in terms):
        return None
    steered_terms = [{**term, "matchExpressions": [*(term.get("matchExpressions") or []), wanted]} for term in terms]
    held = {"affinity": pod.get("affinity"), "updateStrategy": spec.get("updateStrategy")}
    return {
        "metadata": {"annotations": {HELD: json.dumps(held, sort_keys=True)}},
        "spec": {
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
            "template": {"spec": {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": steered_terms}}}}},
        },
    }


def released(notes: Mapping[str, str]) -> Optional[dict[str, Any]]:
    """A patch that gives a DaemonSet back what :func:`steered` took; nothing when it took nothing.

    :param notes: the DaemonSet's annotations.
    """
    if HELD not in notes:
        return None
    held = json.loads(notes[HELD])
    affinity = held["affinity"]
    if affinity is not None:
        # A merge leaves what it does not name.
        of_nodes = affinity.get("nodeAffinity")
        affinity = {**affinity, "nodeAffinity": of_nodes and {REQUIRED: None, **of_nodes}}
    return {
        "metadata": {"annotations": {HELD: None}},
        "spec": {"updateStrategy": held["updateStrategy"], "template": {"spec": {"affinity": affinity}}},
    }
