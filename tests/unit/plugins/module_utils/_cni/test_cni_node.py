# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is configured on a node, read from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import configurations, versions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "cni"),
    [
        ('{"plugins": [{"type": "calico"}]}', "calico"),
        ('{"plugins": [{"type": "cilium-cni"}]}', "cilium"),
        ('{"type": "weave-net"}', "weave"),
        ('{"plugins": [{"type": "newcomer"}]}', "newcomer"),
        ('{"plugins": []}', "unreadable"),
        ("{", "unreadable"),
        ("[]", "unreadable"),
    ],
)
def test_a_configuration_is_its_first_plugins(tmp_path: Path, content: str, cni: str) -> None:
    (tmp_path / "10-some.conflist").write_text(content)
    (tmp_path / "notes.txt").write_text("no configuration")
    assert configurations(str(tmp_path)) == {"10-some.conflist": cni}


def test_a_node_without_any_has_none(tmp_path: Path) -> None:
    assert configurations(str(tmp_path / "none")) == {}
    assert versions(str(tmp_path / "none")) == {}


@pytest.mark.parametrize(("said", "told"), [("v3.28.5", {"calico": "v3.28.5"}), ("unknown", {})])
def test_a_program_tells_its_version(tmp_path: Path, said: str, told: dict[str, str]) -> None:
    program = tmp_path / "calico"
    program.write_text(f"#!/bin/sh\n[ $1 = -v ] && echo {said}\n")
    program.chmod(0o755)
    assert versions(str(tmp_path)) == told
