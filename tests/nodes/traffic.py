# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of every kind, opened anew all the time until somebody says that it is enough; none may fail.

``python3 -m tests.nodes.traffic KUBECONFIG FOLDER``: the file ``FOLDER/flows`` appears when all kinds work, and from
then on every failure counts; ``FOLDER/enough`` ends it.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity import checks, session
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all, wait_gone, wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PATIENCE = 180.0
NAMES = ("kubernetes.default.svc.cluster.local",)


def flow(client: KubeClient, folder: Path) -> tuple[int, list[str]]:
    """How many connections there were, and what those that failed said."""
    planned = session.planned(client, NAMES)
    deadline = time.monotonic() + PATIENCE
    made, failed = 0, list[str]()
    with ThreadPoolExecutor(4) as pool:
        while any(not one.passed for one in pool.map(lambda check: session.dial(client, check), planned)):
            if time.monotonic() > deadline:
                return 0, ["not all kinds of connections work"]
        (folder / "flows").touch()
        while not (folder / "enough").exists():
            for verdict in pool.map(lambda check: session.dial(client, check), planned):
                made += 1
                if not verdict.passed:
                    check = verdict.check
                    failed.append(f"{check.what} from {check.source.node_name} to {check.target}: {verdict.seen}")
    return made, failed


def main() -> int:
    kubeconfig, folder = sys.argv[1], Path(sys.argv[2])
    client = connect({"kubeconfig": kubeconfig})
    wanted = checks.objects("registry.k8s.io/e2e-test-images/agnhost:2.63.0")
    wait_gone(client, session.PLACE, time.monotonic() + PATIENCE)
    apply_all(client, wanted, force=True, check=False)
    try:
        wait_ready(client, wanted, PATIENCE)
        made, failed = flow(client, folder)
    finally:
        client.delete(session.PLACE, propagation="Background")
    print(f"{made} connections, {len(failed)} failed", *failed[:10], sep="\n")
    return 1 if failed or made < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
