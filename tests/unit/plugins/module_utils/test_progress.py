# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.action.manifest import told
from ansible_collections.netops.kubernetes.plugins.module_utils import _progress
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import Progress, several

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(_progress, "SILENCE_SECONDS", 0.3)


def lines_of(file: Path) -> list[str]:
    return [line.rpartition(" (")[0] for line in file.read_text().splitlines()] if file.exists() else []


def test_lines_are_few(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path / "file"))
    for number in range(50):
        progress.tell(f"{number} of 50")
    assert lines_of(tmp_path / "file") == [], "work that is done at once is not worth a line"
    time.sleep(0.15)
    progress.tell("a\nb")
    progress.tell("c")
    assert lines_of(tmp_path / "file") == ["a b"]


def test_what_does_not_change_is_repeated_now_and_then(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path / "file"))
    deadline = time.monotonic() + 5
    while len(lines_of(tmp_path / "file")) < 2:
        assert time.monotonic() < deadline
        progress.tell("waiting")
        time.sleep(0.02)
    assert lines_of(tmp_path / "file") == ["waiting", "waiting"]


def test_a_file_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    for path in ("", str(tmp_path / "absent" / "file")):
        progress = Progress(path)
        time.sleep(0.15)
        progress.tell("a")


def test_lines_are_shown_as_they_come() -> None:
    shown: list[str] = []
    with told(shown.append) as path:
        progress = Progress(path)
        for text in "abc":
            time.sleep(0.15)
            progress.tell(text)
    assert [line[:1] for line in shown] == ["a", "b", "c"]


def test_many_lines_are_one() -> None:
    assert several(["a", "b"]) == "a; b"
    assert several("abcde") == "a; b; c; and 2 more"
