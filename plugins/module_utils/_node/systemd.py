# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Units of the node's systemd."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, require, run


def require_running() -> None:
    """Require that this node runs systemd.

    :raises NodeError: it does not.
    """
    if not Path("/run/systemd/system").is_dir():
        raise NodeError(
            "systemd", "this node does not run it", "systemd as init", "Set persist to false, or install it"
        )


def enable(unit: str) -> None:
    """Let a unit start at boot; its file has just been written."""
    require(["systemctl", "daemon-reload"])
    require(["systemctl", "enable", "--quiet", unit])


def disable(unit: str) -> None:
    """Let a unit not start at boot."""
    require(["systemctl", "disable", "--quiet", unit])


def reload_units() -> None:
    """Read unit files again: one has been removed."""
    require(["systemctl", "daemon-reload"])


def is_enabled(unit: str) -> bool:
    """Whether a unit starts at boot."""
    return run(["systemctl", "is-enabled", "--quiet", unit]).returncode == 0
