# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new pod on each node gets, and the MTUs of Calico's links on the node, as JSON.

``python3 -m tests.nodes.addresses`` on the test bed that ``NETOPS_TESTBED_NAME`` names.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.nodes.pods import Wanted, running_bed, start

if TYPE_CHECKING:
    from tests.testbed.bed import Bed
    from tests.testbed.settings import Node

NAMESPACE = "netops-addresses"
OWN = ("cali", "vxlan.calico")


def mtus(bed: Bed, node: Node, network_namespace: str = "") -> dict[str, int]:
    """The MTU of each link of a node, or of one of its pods."""
    inside = f"-n {network_namespace} " if network_namespace else ""
    return {link["ifname"]: link["mtu"] for link in json.loads(bed.must(node, f"ip {inside}-j link"))}


def main() -> int:
    bed, client = running_bed()
    try:
        pods = start(bed, client, NAMESPACE, [Wanted(f"on-{node.name}", node) for node in bed.nodes])
        seen = [
            {
                "node": pod.node.name,
                "address": pod.address,
                "mtu": mtus(bed, pod.node, pod.network_namespace)["eth0"],
                "links": sorted({mtu for link, mtu in mtus(bed, pod.node).items() if link.startswith(OWN)}),
            }
            for pod in pods.values()
        ]
    finally:
        client.delete(ObjectRef("v1", "Namespace", NAMESPACE), propagation="Background")
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
