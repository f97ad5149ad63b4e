# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server with every controller, and as many nodes as are asked for, which kwok plays."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def played_cluster(count: int) -> Iterator[str]:
    """Within: the cluster, by its kubeconfig. A process of its own, so that what ours take can be told apart.

    :param count: of nodes.
    """
    command = [sys.executable, "-m", "tests.testbed", "api", f"--kwok-nodes={count}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
