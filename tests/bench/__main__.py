# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures against the way in which others do it, side by side in one run; prints ratios of theirs to ours."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.bench.objects import ROUNDS, Bench, definitions, same_tasks, single_objects, small_objects, start_up
from tests.testbed.api_ring import ApiRing

TASKS = [f"task-{side}-{number}" for side in ("ours", "theirs") for number in range(ROUNDS)]
NAMESPACES = ("ours", "theirs", "single-ours", "single-theirs", *TASKS)


def main() -> int:
    # What is installed has been compiled once: so it is for both sides, whatever this shell says of it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        ApiRing(programs, Path(one)) as ours,
        ApiRing(programs, Path(other)) as theirs,
    ):
        os.environ["PYTHONPYCACHEPREFIX"] = f"{one}/compiled"
        bench = Bench(programs, ours.kubeconfig, Path(one))
        definitions(bench, Bench(programs, theirs.kubeconfig, Path(other)))
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
        bench.manifest(definitions=spaces)
        small_objects(bench)
        single_objects(bench)
        same_tasks(bench)
        start_up(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
