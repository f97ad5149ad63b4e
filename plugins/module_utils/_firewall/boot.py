# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What the next boot brings: a folder with the rules and the script that loads them, exchanged whole.

``/etc/netops-kubernetes/firewall`` is a link to the folder that counts; turning it is the moment at which the next boot
changes, so a node that loses its power boots with the old rules or the new ones. One unit runs the script, before the
network and the kubelet, and again after services that empty what it fills.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, systemd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "/etc/netops-kubernetes"
CURRENT = f"{FOLDER}/firewall"
SCRIPT = "load"
BACKEND = "backend"
UNIT = "netops-kubernetes-firewall.service"
# Their restart empties tables; the unit restarts with them.
FOLLOWS = ("nftables.service", "netfilter-persistent.service", "iptables.service", "ip6tables.service")
UNIT_TEXT = systemd.boot_unit(
    "Ports of this Kubernetes node",
    command=f"/bin/sh {CURRENT}/{SCRIPT}",
    needs=f"{CURRENT}/{SCRIPT}",
    follows=FOLLOWS,
    precedes=("ufw.service", "firewalld.service"),
)


HEAD = ("#!/bin/sh", "# Managed by netops.kubernetes", "set -e", f"cd -P {CURRENT}")


def loading(backend: str, contents: Mapping[str, str], commands: Sequence[str]) -> dict[str, str]:
    """The files of a folder: these, the script that loads them, and whose they are."""
    return {**contents, SCRIPT: "\n".join([*HEAD, *commands, ""]), BACKEND: f"{backend}\n"}


def together(contents: Mapping[str, str], beside: Mapping[str, str]) -> dict[str, str]:
    """The files of a folder that loads those of another one first; where both have a file, it is the first one's.

    :param contents: texts by name, as :func:`loading` gives them; whose they are is said first.
    :param beside: likewise.
    """
    commands = [line for one in (beside, contents) for line in one[SCRIPT].splitlines()[len(HEAD) :]]
    backends = dict.fromkeys([*contents[BACKEND].split(), *beside[BACKEND].split()])
    return loading("\n".join(backends), {**beside, **contents}, list(dict.fromkeys(commands)))


def recorded_backends() -> tuple[str, ...]:
    """The back-end whose rules the next boot brings, then those that are not removed yet; empty when it brings none."""
    return tuple((files.read(f"{CURRENT}/{BACKEND}") or "").split())


def current() -> dict[str, str]:
    """The files that the next boot loads; none where it loads nothing."""
    folder = Path(CURRENT)
    paths = sorted(folder.iterdir()) if recorded_backends() else []
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _folder_of(contents: Mapping[str, str]) -> str:
    parts = "\0".join(f"{name}\0{text}" for name, text in sorted(contents.items()))
    return f"firewall.{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def is_committed(contents: Mapping[str, str]) -> bool:
    """Whether the next boot loads exactly these files; told without a process."""
    if not systemd.is_installed(UNIT, UNIT_TEXT):
        return False
    present = Path(CURRENT)
    if not present.is_symlink() or present.readlink() != Path(_folder_of(contents)):
        return False
    return all(files.read(f"{CURRENT}/{name}") == text for name, text in contents.items())


def commit(contents: Mapping[str, str], leaving: Sequence[Mapping[str, str]] = (), *, live: bool = True) -> None:
    """Let the next boot load these files.

    :param contents: texts by name, as :func:`loading` gives them.
    :param leaving: the files of back-ends that are about to be removed, loaded before.
    :param live: they say what the kernel holds already, so that the unit may start now: only what has started starts
        again with the services that it follows.
    :raises NodeError: this node has no systemd.
    """
    systemd.require_running()
    for one in leaving:
        contents = together(contents, one)
    name = _folder_of(contents)
    for file, text in contents.items():
        files.write(f"{FOLDER}/{name}/{file}", text, 0o600)
    Path(FOLDER, name).chmod(0o700)
    files.link(CURRENT, name)
    systemd.install(UNIT, UNIT_TEXT, start=live)
    _forget_others(name)


def _forget_others(kept: str) -> None:
    for path in Path(FOLDER).glob("firewall.*"):
        if path.name != kept:
            # Nothing leads to it any more; one that cannot be removed now is harmless and goes with the next commit.
            shutil.rmtree(path, ignore_errors=True)


def remains() -> list[str]:
    """What there is of all this."""
    present = [CURRENT] if Path(CURRENT).is_symlink() else []
    return [*present, *systemd.remains(UNIT)]


def forget() -> None:
    """Let the next boot load nothing; fine when it does not."""
    systemd.uninstall(UNIT)
    files.remove(CURRENT)
    _forget_others("")
    files.remove_empty_folder(FOLDER)
