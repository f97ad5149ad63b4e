# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile where it lives: in a ConfigMap, or in a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef

BACKUP = "netops.kubernetes/corefile-backup"
KEY = "Corefile"
Edit = Callable[[str], str]


def edit_config_map(client: KubeClient, ref: ObjectRef, edit: Edit, *, check: bool) -> tuple[str, str]:
    """Edit the Corefile of a ConfigMap; when somebody writes in between, the edit is made anew.

    The first Corefile that this module found is kept in an annotation, byte for byte.

    :returns: the Corefile before and after.
    :raises CorefileError: there is no such ConfigMap, or the edit refuses the text.
    :raises ConflictError: somebody else writes faster than this can.
    """

    def change(found: Object | None) -> tuple[tuple[str, str], bool]:
        live = _require(found, ref)
        before = str((live.get("data") or {}).get(KEY, ""))
        after = edit(before)
        live.setdefault("data", {})[KEY] = after
        live["metadata"].setdefault("annotations", {}).setdefault(BACKUP, before)
        return (before, after), before != after

    return update(client, ref, change, check=check)


def restore_config_map(client: KubeClient, ref: ObjectRef, *, check: bool) -> tuple[str, str]:
    """Give back the Corefile that was there before the first edit; nothing to do when there was none.

    :returns: the Corefile before and after.
    """

    def change(found: Object | None) -> tuple[tuple[str, str], bool]:
        live = _require(found, ref)
        before = str((live.get("data") or {}).get(KEY, ""))
        kept = (live["metadata"].get("annotations") or {}).pop(BACKUP, None)
        if kept is None:
            return (before, before), False
        live["data"][KEY] = kept
        return (before, kept), True

    return update(client, ref, change, check=check)


def _require(live: Object | None, ref: ObjectRef) -> Object:
    if live is None:
        raise CorefileError(
            str(ref), "it is not there", "the ConfigMap that CoreDNS reads", "Set namespace and name to it"
        )
    return live


def edit_file(path: Path, edit: Edit, *, check: bool) -> tuple[str, str]:
    """Edit a Corefile on disk; it is replaced whole, and keeps its mode.

    :returns: the Corefile before and after.
    """
    before = path.read_bytes().decode() if path.exists() else ""
    after = edit(before)
    if after != before and not check:
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(after.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).rename(path)
    return before, after


def require_reload(text: str, ref: ObjectRef) -> list[str]:
    """Warnings about what CoreDNS will not do with this text.

    :param text: a Corefile that parses.
    """
    unaware = [block.names[0] for block in parse(text).servers if block.find("kubernetes") and not block.find("reload")]
    return [
        f"{ref}: the server block of {name} has no plugin reload, so CoreDNS takes the change at its next restart only"
        for name in unaware
    ]
