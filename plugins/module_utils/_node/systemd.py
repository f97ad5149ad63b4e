# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Units of the node's systemd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, require, run

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "/etc/systemd/system"
WANTED = f"{FOLDER}/multi-user.target.wants"


def is_running() -> bool:
    """Whether systemd is this node's init, and manages the network namespace that this process is in."""
    same = _namespace("self") == _namespace("1")
    return same and Path("/run/systemd/system").is_dir()


def _namespace(process: str) -> str:
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink())
    except OSError:
        return ""


def require_running() -> None:
    """Require that this node runs systemd.

    :raises NodeError: it does not.
    """
    if not is_running():
        raise NodeError(
            "systemd", "this node does not run it", "systemd as init", "Set persist to false, or install it"
        )


def boot_unit(description: str, *, command: str, needs: str, follows: Sequence[str], precedes: Sequence[str]) -> str:
    """The text of a unit that brings rules at boot, before the network and the kubelet.

    For as long as it is active it has a folder of its name below /run (systemd.exec(5): RuntimeDirectory).

    :param needs: the file without which there is nothing to do.
    :param follows: units that may empty what this one fills; it starts after them, and again whenever they do.
    :param precedes: units that start after it.
    """
    return f"""\
# Managed by netops.kubernetes
[Unit]
Description={description}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target kubelet.service shutdown.target {" ".join(precedes)}
After={" ".join(follows)}
PartOf={" ".join(follows)}
ReloadPropagatedFrom={" ".join(follows)}
Conflicts=shutdown.target
ConditionPathExists={needs}

[Service]
Type=oneshot
RemainAfterExit=yes
RuntimeDirectory=%n
ExecStart={command}
ExecReload={command}

[Install]
WantedBy=multi-user.target
"""


def is_installed(unit: str, text: str) -> bool:
    """Whether a unit has this text and starts at boot; told by its files, without a process."""
    return files.read(f"{FOLDER}/{unit}") == text and Path(WANTED, unit).is_symlink()


def install(unit: str, text: str, *, start: bool) -> None:
    """Let a unit of this text, made by :func:`boot_unit`, start at boot, and now unless it is active.

    :raises NodeError: it cannot be started.
    """
    before = files.read(f"{FOLDER}/{unit}")
    if before != text:
        files.write(f"{FOLDER}/{unit}", text)
    files.link(f"{WANTED}/{unit}", f"{FOLDER}/{unit}")
    if before not in {None, text}:
        require(["systemctl", "daemon-reload"])
    if start and not Path("/run", unit).is_dir():
        require(["systemctl", "start", unit])


def uninstall(unit: str) -> None:
    """Let a unit be gone; fine when it is."""
    if files.read(f"{FOLDER}/{unit}") is None:
        return
    run(["systemctl", "stop", unit])
    files.remove(f"{WANTED}/{unit}")
    files.remove(f"{FOLDER}/{unit}")
    require(["systemctl", "daemon-reload"])


def remains(unit: str) -> list[str]:
    """The files of a unit that are there."""
    paths = (f"{FOLDER}/{unit}", f"{WANTED}/{unit}")
    return [path for path in paths if Path(path).is_symlink() or Path(path).exists()]
