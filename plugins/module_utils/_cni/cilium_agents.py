# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether Cilium's agents give pods their network yet: asked of each agent, in its own pod.

An agent is healthy, and so its pod ready, as soon as it answers. The programs of its node are compiled after that, and
until they are it lets every CNI ADD wait, and time out. The host's own endpoint is ready when they are.
Seen with Cilium 1.20 on slow machines: pods ready after two minutes, and programs compiled after four.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import NAMESPACE
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import answered
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

SELECTOR = "k8s-app=cilium"
CONTAINER = "cilium-agent"
QUESTION = ("cilium-dbg", "endpoint", "get", "-l", "reserved:host", "-o", "json")
# An emulated node has taken twelve to answer.
QUESTION_SECONDS = 60.0
READY = "ready"
# On a slow node each question takes the processor from what compiles there.
POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 20.0
# Nobody compiles for as long as this; who has run longer is not asked again.
OLD = timedelta(hours=1)


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
    """Wait until every agent that was started lately can give pods their network.

    :param timeout: seconds for all of them.
    :raises KubeError: some cannot; the text names each, and what it says.
    """
    deadline = time.monotonic() + timeout
    able: set[str] = set()
    poll = POLL_SECONDS
    while True:
        young = answered(partial(_agents, client), deadline)
        agents = [one for one in young if one["metadata"]["uid"] not in able]
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
        # An agent tells nobody that it has compiled; it can only be asked again.
        time.sleep(poll)
        poll = min(2 * poll, LONGEST_POLL_SECONDS)


def _agents(client: KubeClient) -> Sequence[Object]:
    """Those that were started lately, also when they have ended meanwhile and start again.

    One that has never run is its DaemonSet's to wait for, and one that has run for long has done it long ago.
    """
    now = datetime.now(timezone.utc)
    return [
        one
        for one in client.list("v1", "Pod", NAMESPACE, SELECTOR)
        if not one["metadata"].get("deletionTimestamp") and _is_young(one, now)
    ]


def _is_young(agent: Object, now: datetime) -> bool:
    for container in agent["status"].get("containerStatuses") or []:
        if container["name"] == CONTAINER:
            state = container.get("state") or {}
            if "running" in state:
                return now - datetime.fromisoformat(state["running"]["startedAt"].replace("Z", "+00:00")) < OLD
            return "terminated" in state or container["restartCount"] > 0
    return False


def _node(agent: Object) -> str:
    return str(agent["spec"]["nodeName"])


def _asked(client: KubeClient, agent: Object) -> str:
    """An agent that cannot be asked now says nothing about its node: it is asked again.

    :raises KubeError: nobody may ask it.
    """
    try:
        done = client.execute(NAMESPACE, agent["metadata"]["name"], CONTAINER, QUESTION, timeout=QUESTION_SECONDS)
    except KubeError as error:
        if error.status in {401, 403}:
            raise
        return str(error).rstrip(".")
    return why_not(done.code, done.output)
