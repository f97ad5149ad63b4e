# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``network_policy_enforcement_info`` does: two pods find out what is enforced.

One connects to the other at three ports. Policies of both let the first pass; that shows the network. The second is
forbidden by an ingress policy alone, the third by an egress policy alone: how they end shows each direction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import copies, secret_refs
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone, wait_if_going
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.cluster import enforcement
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import ALLOWED, DENIED
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import NamedPort, PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.options import require_least
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import live
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import MARK, Connection, Seen, StandIn
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.verification import dial, standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Pod

NAMESPACE = "netops-enforcement-probe"
PLACE = ObjectRef("v1", "Namespace", NAMESPACE)
OPEN, NOT_IN, NOT_OUT = 8080, 8081, 8082
CLIENT, SERVER = "netops-stand-in-1", "netops-stand-in-2"
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Enforced:
    """In which directions policies hold."""

    ingress: bool
    egress: bool

    @property
    def warning(self) -> str:
        """What to say when they do not everywhere; empty otherwise."""
        idle = [name for name, holds in (("ingress", self.ingress), ("egress", self.egress)) if not holds]
        if not idle:
            return ""
        return (
            f"policies for {' and '.join(idle)} are stored and protect nothing on this cluster: a connection that one "
            "forbids was opened. Run a CNI that enforces them, or kube-network-policies beside it."
        )


def probe(asked: Mapping[str, Any], warn: Callable[[str], None], *, check: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :param warn: tells the user.
    :raises NetopsError: the options or the API server stand in the way, the pods do not run, or do not reach each
        other.
    """
    require_least(asked, timeout=1, patience=0)
    secrets = secret_refs(asked["pull_secrets"])
    client = connect(asked)
    enforcer, _warning = enforcement(client)
    found = None if check else probed(client, asked["image"], asked["timeout"], asked["patience"], secrets)
    if found and found.warning:
        warn(found.warning)
    return {
        "changed": False,
        "enforcer": enforcer,
        "ingress": found.ingress if found else None,
        "egress": found.egress if found else None,
        "api_requests": client.requests,
    }


def probed(
    client: KubeClient, image: str, timeout: float, patience: float, pull_secrets: Sequence[ObjectRef] = ()
) -> Enforced:
    """Make both pods, connect them, and remove them.

    :param image: of agnhost.
    :param timeout: seconds for the pods to run, and again for everything to go.
    :param patience: seconds for policies to be enforced.
    :param pull_secrets: Secrets of other namespaces by which the image is pulled; their copies go with the pods.
    """
    secrets = copies(client, pull_secrets, NAMESPACE)
    wait_if_going(client, PLACE, timeout)
    apply_all(client, [*surroundings(), *secrets], force=True, check=False)
    try:
        with standing(client, stand_ins(), image, timeout, [ref.name for ref in pull_secrets]):
            found = seen_until_enforced(client, patience)
    finally:
        client.delete(PLACE, propagation="Background")
    wait_gone(client, [PLACE], time.monotonic() + timeout)
    return found


def surroundings() -> list[Object]:
    """The namespace, and a policy for each of the pods."""

    def ports(*numbers: int) -> list[dict[str, Any]]:
        return [{"ports": [{"protocol": "TCP", "port": number} for number in numbers]}]

    def policy(name: str, spec: dict[str, Any]) -> Object:
        selector = {"podSelector": {"matchLabels": {"probe": name}}}
        metadata = {"name": name, "namespace": NAMESPACE}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        return {**kind, "metadata": metadata, "spec": {**selector, **spec}}

    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        policy("client", {"policyTypes": ["Egress"], "egress": ports(OPEN, NOT_IN)}),
        policy("server", {"policyTypes": ["Ingress"], "ingress": ports(OPEN, NOT_OUT)}),
    ]


def stand_ins() -> list[StandIn]:
    """Who connects, and who serves."""
    served = tuple(NamedPort("", "TCP", number) for number in (OPEN, NOT_IN, NOT_OUT))
    return [
        StandIn(NAMESPACE, {"probe": "client"}, served[:1], "the client", CLIENT),
        StandIn(NAMESPACE, {"probe": "server"}, served, "the server", SERVER),
    ]


def seen_until_enforced(client: KubeClient, patience: float) -> Enforced:
    """What becomes of the connections, once it will not change any more.

    :raises PolicyError: the pods do not reach each other where policies let them.
    """
    pods = {pod.name: pod for pod in inventory(live(client)).pods if pod.namespace == NAMESPACE and MARK in pod.labels}
    deadline = time.monotonic() + patience
    while True:
        is_last = time.monotonic() > deadline
        ends = dict(zip((OPEN, NOT_IN, NOT_OUT), each([OPEN, NOT_IN, NOT_OUT], lambda port: _ends(client, pods, port))))
        enforced = Enforced(ends[NOT_IN].verdict == DENIED, ends[NOT_OUT].verdict == DENIED)
        works = ends[OPEN].verdict == ALLOWED
        if works and (is_last or (enforced.ingress and enforced.egress)):
            return enforced
        if is_last:
            raise PolicyError(
                f"connection between two pods of {NAMESPACE}",
                f"{ends[OPEN].verdict} for {patience:.0f} s ({ends[OPEN].words})",
                "allowed, as both their policies have it",
                "Test the pod network first, without policies: module connectivity_check",
            )
        time.sleep(POLL_SECONDS)


def _ends(client: KubeClient, pods: Mapping[str, Pod], port: int) -> Seen:
    source, destination = pods[CLIENT], pods[SERVER]
    return dial(client, Connection(source, destination, destination.addresses[0], "TCP", port))
