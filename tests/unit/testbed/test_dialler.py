# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that nodes open connections with says of those that work, are refused, or have no way there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.nodes.connections import PROGRAM, Attempt, Targets

if TYPE_CHECKING:
    from pathlib import Path

STEP = 0.02


def command(targets: str, enough: Path, seconds: float, patience: float = 5.0) -> list[str]:
    return [sys.executable, "-c", PROGRAM, targets, str(enough), *map(str, (seconds, patience, STEP, 1.0))]


def attempts(said: str) -> dict[str, list[Attempt]]:
    return {name: [Attempt(*one) for one in made] for name, made in json.loads(said).items()}


def test_every_connection_is_told_with_its_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as gone:
        port, closed = server.getsockname()[1], gone.getsockname()[1]
        gone.close()
        targets: Targets = {
            "served": ("", "127.0.0.1", port),
            "refused": ("", "127.0.0.1", closed),
            # The kernel says so before a packet leaves, and the socket has no error then.
            "no way": ("", "255.255.255.255", port),
            "nobody": ("", "", port),
            "no namespace": ("there-is-none", "127.0.0.1", port),
        }
        done = subprocess.run(
            command(json.dumps(targets), tmp_path / "enough", 0.5), capture_output=True, text=True, check=True
        )
    made = attempts(done.stdout)
    assert set(made) == set(targets)
    verdicts = {name: {one.verdict for one in some} for name, some in made.items()}
    assert verdicts["served"] == {"open"}
    assert verdicts["refused"] == {"Connection refused"}
    assert verdicts["nobody"] == {"no address"}
    assert verdicts["no namespace"] == {"No such file or directory"}
    assert "open" not in verdicts["no way"]
    begins = [one.begin for one in made["served"]]
    assert begins == sorted(begins)
    assert len(begins) > 5


def test_who_does_not_answer_is_waited_for_so_long(tmp_path: Path) -> None:
    with socket.socket() as full:
        # Nobody accepts, and the queue has room for one.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        targets: Targets = {"silent": ("", *full.getsockname())}
        done = subprocess.run(
            command(json.dumps(targets), tmp_path / "enough", 0.3, 0.4), capture_output=True, text=True, check=True
        )
    silent = [one for one in attempts(done.stdout)["silent"] if one.failed]
    assert {one.verdict for one in silent} == {"no answer"}
    assert all(0.4 <= one.seconds < 5.0 for one in silent)


def test_targets_move_and_somebody_ends_it(tmp_path: Path) -> None:
    told, enough = tmp_path / "targets", tmp_path / "enough"

    def tell(server: socket.socket) -> None:
        moved = tmp_path / "moved"
        moved.write_text(json.dumps({"pod": ("", *server.getsockname())}))
        moved.rename(told)

    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("127.0.0.1", 0)) as there:
        tell(here)
        with subprocess.Popen(command(str(told), enough, 60.0), stdout=subprocess.PIPE, text=True) as running:
            here.accept()[0].close()
            tell(there)
            there.accept()[0].close()
            enough.touch()
            said, _nothing = running.communicate(timeout=30)
    assert {one.verdict for one in attempts(said)["pod"]} == {"open"}
