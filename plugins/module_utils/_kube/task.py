# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``manifest`` does, from its options to its result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all, converge, placed
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change, result_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError, Object
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import Condition, is_judged
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import delete_all, dissolve
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

# A label's value that is part of an object's name too.
OWNER_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?")


def manifest(asked: Mapping[str, Any], render: Callable[[Any], str], *, check: bool, diff: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :param diff: whether the result is to show what changes.
    :param render: makes readable text of an object, for the diff.
    :raises NetopsError: the options, an object or the API server stand in the way.
    """
    owner = asked["owner"] or ""
    if owner and not OWNER_NAME.fullmatch(owner):
        raise ManifestError(f"owner {owner!r}", "it is no name", "up to 42 lower-case letters, digits and hyphens")
    objects = load(asked["definitions"], asked["src"], asked["checksum"])
    dissolves = asked["state"] == "absent" and asked["prune"]
    if dissolves and objects:
        raise ManifestError(
            f"owner {owner!r}",
            "state absent with prune deletes all of its objects, but some are named",
            remedy="Leave out definitions and src, or leave out prune",
        )
    # An empty list is an answer of its own when an owner prunes; else it is a mistake.
    if not objects and not asked["prune"]:
        raise ManifestError("manifest", "definitions and src name no object", remedy="Name one, or prune an owner")
    client = connect(asked)
    changes = _change(client, objects, asked, owner, check=check)
    if asked["wait"] and asked["state"] == "present" and not check:
        conditions = [Condition(one["kind"], one["type"], one["status"]) for one in asked["conditions"]]
        judged = [obj for obj in placed(client, objects) if is_judged(obj["kind"], conditions)]
        wait_ready(client, judged, asked["wait_timeout"], conditions)
    return result_of(client, changes, render, diff=diff)


def _change(
    client: KubeClient, objects: Sequence[Object], asked: Mapping[str, Any], owner: str, *, check: bool
) -> list[Change]:
    timeout = float(asked["wait_timeout"])
    if asked["state"] == "absent":
        if asked["prune"]:
            return dissolve(client, owner=owner, check=check, timeout=timeout)
        return delete_all(client, placed(client, objects), check=check, timeout=timeout, owner=owner)
    force = asked["force_conflicts"]
    if owner:
        return converge(client, objects, owner=owner, prune=asked["prune"], force=force, check=check, timeout=timeout)
    return apply_all(client, objects, force=force, check=check)
