# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and files of the node."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, process
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError

if TYPE_CHECKING:
    from pathlib import Path

PRINT = (
    "from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import ssh_connection;"
    "print(ssh_connection())"
)
LIVE = "192.0.2.9 40000 192.0.2.1 22"


def test_a_program_speaks_english_and_gets_its_input() -> None:
    done = process.run(["sh", "-c", 'cat; echo "$LC_ALL"; echo oh >&2; exit 3'], stdin="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in\nC\n", "oh\n")


@pytest.mark.parametrize(
    ("argv", "timeout", "message"),
    [
        (["no-such-program"], 5.0, "program 'no-such-program': it is not installed"),
        (["sleep", "9"], 0.1, "no end after"),
        (["sh", "-c", "echo broken >&2; exit 4"], 5.0, "ended with 4: broken"),
    ],
)
def test_what_goes_wrong_with_a_program_is_told(argv: list[str], timeout: float, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        process.require(argv, timeout=timeout)


@pytest.mark.parametrize("script", ['exec "$@"', 'env -u SSH_CONNECTION "$@"; exit $?'])
def test_the_live_connection_is_found_behind_sudo_too(script: str) -> None:
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-c", PRINT],
        env={**os.environ, "SSH_CONNECTION": LIVE},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == LIVE


def test_a_file_is_replaced_whole_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rules"
    assert files.read(str(path)) is None
    for text in ("old", "new"):
        files.write(str(path), text, 0o600)
        assert files.read(str(path)) == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["rules"]
    assert (files.remove(str(path)), files.remove(str(path))) == (True, False)


def test_others_files_keep_their_folder(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("")
    files.remove_empty_folder(str(tmp_path))
    assert tmp_path.is_dir()
