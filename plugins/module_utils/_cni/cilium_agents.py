# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether Cilium's agents give pods their network yet: asked of each agent, in its own pod.

An agent is healthy, and so its pod ready, as soon as it answers. The programs of its node are compiled after that, and
until they are it lets every CNI ADD wait, and time out. The host's own endpoint is ready when they are.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import NAMESPACE
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

SELECTOR = "k8s-app=cilium"
CONTAINER = "cilium-agent"
QUESTION = ("cilium-dbg", "endpoint", "get", "-l", "reserved:host", "-o", "json")
READY = "ready"
POLL_SECONDS = 1.0


def why_not(code: int, said: str) -> str:
    """Why a node cannot give pods their network yet, or an empty string when it can.

    :param code: how the question ended.
    :param said: what it printed: the endpoints of the host, as ``cilium-dbg`` writes them.
    """
    try:
        # What it tells on the side comes after the answer.
        listed = json.JSONDecoder().raw_decode(said.lstrip())[0] if code == 0 else None
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        return " ".join(said.split())[:200] or f"{QUESTION[0]} ended with {code}"
    states = [_state(endpoint) for endpoint in listed]
    if READY in states:
        return ""
    return f"the programs of its node are not compiled yet ({', '.join(states) or 'the host has no endpoint'})"


def _state(endpoint: Mapping[str, Any]) -> str:
    return str((endpoint.get("status") or {}).get("state") or "unknown")


def wait_for_programs(client: KubeClient, timeout: float) -> None:
    """Wait until every agent that is ready can give pods their network.

    :param timeout: seconds for all of them.
    :raises KubeError: some cannot; the text names each, and what it says.
    """
    deadline = time.monotonic() + timeout
    able: set[str] = set()
    while True:
        agents = [one for one in _agents(client) if one["metadata"]["uid"] not in able]
        reasons = dict(zip([_node(one) for one in agents], each(agents, lambda one: _asked(client, one))))
        able |= {one["metadata"]["uid"] for one in agents if not reasons[_node(one)]}
        left = [f"{node}: {reason}" for node, reason in sorted(reasons.items()) if reason]
        if not left:
            return
        if time.monotonic() > deadline:
            raise KubeError(
                f"{len(left)} of Cilium's agents",
                f"after {timeout:.0f} s no pod of their nodes can have a network: {several(left)}",
                "compiled programs",
                "Look at the agents' logs, or raise wait_timeout",
            )
        tell(several(left))
        time.sleep(POLL_SECONDS)


def _agents(client: KubeClient) -> Sequence[Object]:
    """Those that are ready; the others are their DaemonSet's to wait for."""
    pods = client.list("v1", "Pod", NAMESPACE, SELECTOR)
    return [one for one in pods if is_pod_ready(one) and not one["metadata"].get("deletionTimestamp")]


def _node(agent: Object) -> str:
    return str(agent["spec"]["nodeName"])


def _asked(client: KubeClient, agent: Object) -> str:
    """An agent that cannot be asked says nothing about its node: it is asked again."""
    try:
        done = client.execute(NAMESPACE, agent["metadata"]["name"], CONTAINER, QUESTION)
    except KubeError as error:
        return str(error).rstrip(".")
    return why_not(done.code, done.output)
