# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures against the way in which others do it, side by side in one run; prints ratios of theirs to ours."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.objects import (
    ROUNDS,
    Bench,
    chart,
    definitions,
    definitions_in_a_task,
    kubectl_with_a_list,
    same_tasks,
    single_objects,
    small_objects,
    start_up,
)
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = [f"task-{side}-{number}" for side in ("ours", "theirs") for number in range(ROUNDS)]
NAMESPACES = ("ours", "theirs", "single-ours", "single-theirs", *TASKS)


def main() -> int:
    # What is installed has been compiled once: so it is for both sides, whatever this shell says of it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    with tempfile.TemporaryDirectory() as compiled:
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        # What a process starts counts the memory of that process as its own, so what loads much comes last.
        with served(programs) as bench:
            in_namespaces(bench)
            start_up(bench)
        with served(programs) as ours, served(programs) as theirs:
            definitions(ours, theirs)
            chart(ours, theirs, "kubectl --server-side", kubectl_with_a_list)
        with served(programs) as ours, served(programs) as theirs:
            definitions_in_a_task(ours, theirs)
            chart(ours, theirs, "kubernetes.core.k8s with a list", Bench.kubernetes_core)
    return 0


@contextmanager
def served(programs: Path) -> Iterator[Bench]:
    """A server that has nothing yet."""
    with tempfile.TemporaryDirectory() as folder, ApiRing(programs, Path(folder)) as ring:
        yield Bench(programs, ring.kubeconfig, Path(folder))


def in_namespaces(bench: Bench) -> None:
    """What both sides can apply to one server."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
    bench.manifest(definitions=spaces)
    small_objects(bench)
    single_objects(bench)
    same_tasks(bench)


if __name__ == "__main__":
    sys.exit(main())
