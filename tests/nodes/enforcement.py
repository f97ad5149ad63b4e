# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CNI that enforces policies does with them: NetworkPolicy, and Calico's GlobalNetworkPolicy.

``python3 -m tests.nodes.enforcement`` on the test bed that ``NETOPS_TESTBED_NAME`` names.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from tests.nodes.pods import PORT, Running, Wanted, Way, cluster_ip, running_bed, start, until
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

NAMESPACE = "netops-enforcement"
FIRST, SECOND = Node(1), Node(2)
PODS = (Wanted("server", FIRST), Wanted("neighbour", FIRST), Wanted("friend", SECOND), Wanted("stranger", SECOND))


def network_policy(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def selecting(name: str) -> dict[str, Any]:
    return {"matchLabels": {"app": name}}


DENY = network_policy("deny", {"podSelector": {}, "policyTypes": ["Ingress"]})
ADMIT_FRIEND = network_policy(
    "admit-friend",
    {
        "podSelector": selecting("server"),
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": selecting("friend")}], "ports": [{"port": PORT}]}],
    },
)
SILENCE_FRIEND = network_policy("silence-friend", {"podSelector": selecting("friend"), "policyTypes": ["Egress"]})
GLOBAL = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "netops-enforcement"},
    "spec": {
        "selector": f"projectcalico.org/namespace == '{NAMESPACE}' && app == 'server'",
        "types": ["Ingress"],
        "ingress": [{"action": "Deny", "source": {"selector": "app == 'stranger'"}}, {"action": "Allow"}],
    },
}


def expectations(pods: Mapping[str, Running], service: str, closed: set[str]) -> dict[Way, str]:
    """How connections to the server end, directly and by its Service.

    :param closed: the pods whose connections do not arrive.
    """
    sources = [pod for name, pod in pods.items() if name != "server"]
    targets = (f"{pods['server'].address}:{PORT}", service)
    return {Way(pod, target): "timeout" if pod.name in closed else "open" for pod in sources for target in targets}


def put(client: KubeClient, *policies: dict[str, Any]) -> None:
    apply_all(client, list(policies), force=True, check=False)


def take(client: KubeClient, *policies: dict[str, Any]) -> None:
    for policy in policies:
        client.delete(ref_of(policy), propagation="Background")


def main() -> int:
    bed, client = running_bed()
    everyone = {"neighbour", "friend", "stranger"}
    try:
        pods = start(bed, client, NAMESPACE, PODS)
        service = cluster_ip(client, NAMESPACE, "server")

        def expect(said: str, closed: set[str]) -> None:
            print(f"{said}: right after {until(bed, expectations(pods, service, closed)):.1f} s", flush=True)

        expect("no policy, all open", set())
        put(client, DENY)
        expect("NetworkPolicy that denies, all closed", everyone)
        put(client, ADMIT_FRIEND)
        expect("NetworkPolicy that admits one, across nodes", everyone - {"friend"})
        put(client, SILENCE_FRIEND)
        expect("NetworkPolicy for egress, all closed", everyone)
        take(client, DENY, ADMIT_FRIEND, SILENCE_FRIEND)
        expect("all policies gone, all open", set())
        put(client, GLOBAL)
        expect("GlobalNetworkPolicy that denies one", {"stranger"})
        take(client, GLOBAL)
        expect("it is gone, all open", set())
    finally:
        take(client, GLOBAL)
        client.delete(ObjectRef("v1", "Namespace", NAMESPACE), propagation="Background")
    return 0


if __name__ == "__main__":
    sys.exit(main())
