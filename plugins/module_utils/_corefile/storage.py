# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile where it lives: in a ConfigMap, or in a file. And which CoreDNS reads it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.notes import (
    BACKUP,
    KEY,
    annotation,
    first_text,
    forget,
    is_by_others,
    note_edit,
    note_write,
    read_pending,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import NEWEST, version_of_image
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef

# CoreDNS, and NodeLocal DNSCache.
_PROGRAMS = ("coredns", "k8s-dns-node-cache")
Edit = Callable[[str], str]


# ---- a ConfigMap -----------------------------------------------------------------------------------------------------


def read_config_map(client: KubeClient, ref: ObjectRef, key: str = KEY) -> str:
    """The Corefile of a ConfigMap.

    :raises CorefileError: there is no such ConfigMap, or it has no such key.
    """
    return _text_of(_require(client.get(ref), ref), ref, key)


def edit_config_map(
    client: KubeClient, ref: ObjectRef, edit: Edit, *, check: bool, key: str = KEY, provisional: bool = False
) -> tuple[str, str]:
    """Edit the Corefile of a ConfigMap; when somebody writes in between, the edit is made anew.

    The first Corefile that this module found is kept in an annotation, byte for byte.

    :param provisional: note the text before too, see ``notes``.
    :returns: the Corefile before and after.
    :raises CorefileError: there is no such ConfigMap, or the edit refuses the text.
    :raises ConflictError: somebody else writes faster than this can.
    """

    def change(found: Object | None) -> tuple[tuple[str, str], bool]:
        live = _require(found, ref)
        before = _text_of(live, ref, key)
        after = edit(before)
        live.setdefault("data", {})[key] = after
        note_edit(live, key, before, after)
        if provisional and before != after:
            note_write(live, key, before, after)
        return (before, after), before != after

    return update(client, ref, change, check=check)


def restore_config_map(
    client: KubeClient,
    ref: ObjectRef,
    edit: Edit,
    *,
    check: bool,
    key: str = KEY,
    provisional: bool = False,
    accept_loss: bool = False,
) -> tuple[str, str]:
    """Give back the Corefile that was there before the first edit; nothing to do when there was none.

    :param edit: makes of it what CoreDNS of today takes, or refuses it.
    :param provisional: note the text before, as with an edit; the first text is kept until this one is proven.
    :param accept_loss: give it back even where that undoes what others wrote.
    :returns: the Corefile before and after.
    :raises CorefileError: there is no such ConfigMap, others wrote since the first edit, or the edit refuses the text.
    """

    def change(found: Object | None) -> tuple[tuple[str, str], bool]:
        live = _require(found, ref)
        before, kept = _text_of(live, ref, key), first_text(live, key)
        if kept is None:
            return (before, before), False
        if kept != before and is_by_others(live, key) and not accept_loss:
            raise CorefileError(
                str(ref),
                "somebody else has changed it since it was edited first, and that would be lost",
                "",
                "Take out by hand what is not wanted, or set accept_loss",
            )
        after = kept if kept == before else edit(kept)
        live["data"][key] = after
        if not provisional or (after == before and read_pending(live, key) is None):
            forget(live, key)
            return (before, after), True
        live["metadata"]["annotations"][annotation(BACKUP, key)] = after
        if after != before:
            note_write(live, key, before, after)
        return (before, after), after != before

    return update(client, ref, change, check=check)


def _require(live: Object | None, ref: ObjectRef) -> Object:
    if live is None:
        raise CorefileError(
            str(ref), "it is not there", "the ConfigMap that CoreDNS reads", "Set namespace and name to it"
        )
    return live


def _text_of(live: Object, ref: ObjectRef, key: str) -> str:
    found = live.get("data") or {}
    if key not in found:
        keys = ", ".join(sorted(found)) or "none"
        raise CorefileError(str(ref), f"there is no key {key!r}, there are: {keys}", "the key that CoreDNS reads")
    return str(found[key])


@dataclass(frozen=True)
class Running:
    """The CoreDNS that reads a ConfigMap.

    :param version: its version; the newest that is known where there is doubt.
    :param image: of the workload; empty where there is none.
    :param doubt: why the version is not known; empty where it is.
    """

    version: str
    image: str = ""
    doubt: str = ""


def running_in_cluster(client: KubeClient, namespace: str, config_map: str) -> Running:
    """The CoreDNS that reads a ConfigMap, by the image of the workload that mounts it.

    NodeLocal DNSCache's images, digests and tags such as ``latest`` do not tell the version.
    """
    try:
        for workload in workloads_that_mount(client, namespace, config_map):
            container = container_of(workload) or workload["spec"]["template"]["spec"]["containers"][0]
            image = str(container["image"])
            found = version_of_image(image) if _program_of(container) == _PROGRAMS[0] else None
            if found:
                return Running(found, image)
            return Running(NEWEST, image, f"image {image} does not tell which CoreDNS is inside")
    except KubeError as error:
        return Running(NEWEST, "", f"the workload that mounts it cannot be read ({str(error).rstrip('.')})")
    return Running(NEWEST, "", f"no Deployment and no DaemonSet of namespace {namespace} mounts it")


def workloads_that_mount(client: KubeClient, namespace: str, config_map: str) -> Iterator[Object]:
    """The Deployments and DaemonSets of a namespace whose pods mount a ConfigMap."""
    for kind in ("Deployment", "DaemonSet"):
        for workload in client.list("apps/v1", kind, namespace):
            volumes = workload["spec"]["template"]["spec"].get("volumes") or ()
            if config_map in {(volume.get("configMap") or {}).get("name") for volume in volumes}:
                yield workload


def container_of(workload: Object) -> Object | None:
    """The container of a workload that runs CoreDNS, by its image's name."""
    containers: list[Object] = workload["spec"]["template"]["spec"]["containers"]
    return next((one for one in containers if _program_of(one) in _PROGRAMS), None)


def _program_of(container: Object) -> str:
    return str(container["image"]).partition("@")[0].rpartition("/")[2].partition(":")[0]


# ---- a file ----------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> str:
    """A Corefile on disk, byte for byte; empty when it is not there.

    :raises CorefileError: it is not UTF-8.
    """
    try:
        return path.read_bytes().decode() if path.exists() else ""
    except UnicodeDecodeError as error:
        raise CorefileError(str(path), f"byte {error.start} is not UTF-8", "text in UTF-8") from error


def edit_file(path: Path, edit: Edit, *, check: bool, backup: bool = False) -> tuple[str, str]:
    """Edit a Corefile on disk; it is replaced whole, and keeps its mode.

    :param backup: keep the first text found beside it, see ``backup_of``.
    :returns: the Corefile before and after.
    """
    before = read_file(path)
    after = edit(before)
    if after != before and not check:
        if backup and path.exists() and not backup_of(path).exists():
            _write(backup_of(path), before, path)
        _write(path, after, path)
    return before, after


def restore_file(path: Path, edit: Edit, *, check: bool) -> tuple[str, str]:
    """Give back the Corefile that was there before the first edit; nothing to do when none was kept.

    :param edit: makes of it what CoreDNS of today takes, or refuses it.
    :returns: the Corefile before and after.
    :raises CorefileError: the edit refuses the text.
    """
    before, kept = read_file(path), backup_of(path)
    if not kept.exists():
        return before, before
    first = read_file(kept)
    after = first if first == before else edit(first)
    if not check:
        _write(path, after, kept)
        kept.unlink()
    return before, after


def backup_of(path: Path) -> Path:
    """Where the first text of a file is kept."""
    return path.with_name(f"{path.name}.before-netops")


def _write(path: Path, text: str, like: Path) -> None:
    """Write a file whole, with the mode of another."""
    mode = like.stat().st_mode & 0o7777 if like.exists() else 0o644
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(mode)
    Path(name).rename(path)


def files_beside(pattern: str, importing: str) -> list[tuple[str, str | None]]:
    """The files that an import names, as path and text: relative to the file that imports them.

    A folder that a pattern names has no text.
    """
    folder = Path(importing).absolute().parent
    # CoreDNS goes by the names, so that a link in the way up is not followed.
    absolute = Path(os.path.normpath(folder / pattern))
    if not any(char in pattern for char in "*?["):
        return [(str(absolute), read_file(absolute))] if absolute.is_file() else []
    root = Path(absolute.anchor)
    found = sorted(root.glob(str(absolute.relative_to(root))))
    return [(str(file), None if file.is_dir() else read_file(file)) for file in found]
