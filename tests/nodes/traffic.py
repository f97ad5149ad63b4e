# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New connections of every kind from a pod, 20 a second each, until somebody says that it is enough; none may fail.

``python3 -m tests.nodes.traffic FOLDER``: the file ``FOLDER/flows`` appears when all kinds work, and from then on every
failure counts; ``FOLDER/enough`` ends it. The test bed is the one that ``NETOPS_TESTBED_NAME`` names.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity import checks, session
from tests.nodes.outage import Client, connecting, wait_until_all_connect
from tests.nodes.pods import namespace_of, running_bed, serve
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.nodes.pods import Served
    from tests.testbed.bed import Bed

SOURCE, OTHER = Node(2), Node(1)
# Not the Service of the very pod that is connected to directly: IPVS changes no source port, so one of the pod's own
# that both ways use within two minutes clashes in conntrack and the second connection is lost, whatever the rules are.
API, DNS = "10.96.0.1:443", "10.96.0.10:53"


def targets(served: Served) -> dict[str, str]:
    """What a pod of the source node connects to, by the kind of the connection."""
    return {
        "pod": f"{address_on(served.pods, OTHER)}:{checks.HTTP_PORT}",
        "Service": API,
        "NodePort": f"{OTHER.address}:{served.node_port}",
        "DNS": DNS,
    }


def address_on(pods: Iterable[checks.Pod], node: Node) -> str:
    return next(pod.addresses[0] for pod in pods if pod.node_name == node.name)


def prove(bed: Bed, served: Served, folder: Path) -> int:
    """Open connections until it is enough; 0 when none failed."""
    source = Client(SOURCE, targets(served), namespace_of(bed, SOURCE, address_on(served.pods, SOURCE)))
    wait_until_all_connect(bed, [source])
    with connecting(bed, [source]) as flows:
        (folder / "flows").touch()
        while not (folder / "enough").exists():
            time.sleep(0.1)
    print(*(f"{kind}: {flow}" for kind, flow in flows.items()), sep="; ")
    return int(not all(flow.whole for flow in flows.values()))


def main() -> int:
    bed, client = running_bed()
    try:
        return prove(bed, serve(client), Path(sys.argv[1]))
    finally:
        client.delete(session.PLACE, propagation="Background")


if __name__ == "__main__":
    sys.exit(main())
