# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of Services notice when kube-proxy's mode changes: by the role, and as people do it by hand.

``python3 -m tests.bench.outage [MODE ...]``. By hand is a changed ConfigMap and ``kubectl rollout restart``. A client
on each node opens a connection every 50 ms to a ClusterIP, which its own node's kube-proxy serves, and to a NodePort of
the other node, which that one's serves; each way has a cluster of its own.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from tests.nodes.conftest import PLAYBOOKS, cluster_that_serves
from tests.nodes.outage import connecting, of_services
from tests.nodes.plays import succeeds
from tests.nodes.pods import serve
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.nodes.outage import Client, Flow
    from tests.testbed.bed import Bed

# Every direction once, from the mode that kubeadm begins with.
MODES = ("nftables", "iptables", "ipvs", "nftables", "ipvs", "iptables")
PATIENCE = 10.0
BY_HAND = """
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl -n kube-system get configmap kube-proxy -o yaml | sed -E 's/^( +mode:).*/\\1 "{mode}"/' | kubectl replace -f -
kubectl -n kube-system rollout restart daemonset/kube-proxy
kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=300s
"""


def by_role(bed: Bed, mode: str) -> None:
    succeeds(bed.folder / "inventory", PLAYBOOKS / "kube_proxy.yml", kube_proxy_mode=mode)


def by_hand(bed: Bed, mode: str) -> None:
    bed.must(Node(1), BY_HAND.format(mode=mode), timeout=400.0)


def measured(bed: Bed, everyone: Sequence[Client], change: Callable[[Bed, str], None], mode: str) -> dict[str, Flow]:
    with connecting(bed, everyone, PATIENCE) as flows:
        time.sleep(3)
        change(bed, mode)
        time.sleep(3)
    return flows


def main() -> int:
    modes = sys.argv[1:] or MODES
    for name, change in (("role", by_role), ("by hand", by_hand)):
        with cluster_that_serves("outage") as bed:
            everyone = of_services(serve(connect({"kubeconfig": str(bed.folder / "kubeconfig")})))
            for before, mode in zip(("iptables", *modes), modes, strict=False):
                for target, flow in sorted(measured(bed, everyone, change, mode).items()):
                    print(f"{name}, {before} to {mode}, {target}: {flow}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
