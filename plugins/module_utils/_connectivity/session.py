# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The test pods on a cluster: made, asked, taken away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.causes import likely_causes
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import (
    BESIDE,
    CONTAINER,
    HTTP_PORT,
    NAME,
    NAMESPACE,
    ON_NODE,
    Check,
    Stage,
    Verdict,
    Wishes,
    judge,
    judge_program,
    matrix,
    objects,
    plan,
    pods_of,
    untried,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import copies
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_if_going, wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

WORKERS = 8
SHOWN = 10
# What is small is answered at once; what is lost on the way would be waited for in vain.
ANSWER_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 10.0
PLACE = ObjectRef("v1", "Namespace", NAMESPACE)
SERVICE = ObjectRef("v1", "Service", NAME, NAMESPACE)


class ConnectivityError(NetopsError):
    """Connections that do not work; each is named."""


def prove(
    client: KubeClient, image: str, wishes: Wishes, timeout: float, pull_secrets: Sequence[ObjectRef] = ()
) -> list[Verdict]:
    """Try every connection until all work or the time is over; the test pods are gone afterwards.

    :param image: of agnhost.
    :param timeout: seconds for the pods to be ready, and again for the connections to work.
    :param pull_secrets: Secrets of other namespaces by which the image is pulled; their copies go with the pods.
    :raises NetopsError: the pods do not become ready, or a Secret is not there.
    """
    secrets = copies(client, pull_secrets, NAMESPACE)
    wait_if_going(client, PLACE, timeout)
    wanted = [*secrets, *objects(image, [ref.name for ref in pull_secrets])]
    try:
        apply_all(client, wanted, force=True, check=False)
        wait_ready(client, wanted, timeout)
        return until_all_pass(partial(dial, client), _require_some(planned(client, wishes)), timeout)
    finally:
        client.delete(PLACE, propagation="Background")


def _require_some(checks: list[Check]) -> list[Check]:
    """A DaemonSet is complete with no pod at all where there is no node; that proves nothing."""
    if not checks:
        raise ConnectivityError(
            "connectivity of the cluster",
            "no test pod runs",
            "one on every node",
            "Look whether nodes are registered, and what keeps pods away from them",
        )
    return checks


def planned(client: KubeClient, wishes: Wishes) -> list[Check]:
    """The connections to try on the cluster as it is."""
    pods = list(client.list("v1", "Pod", NAMESPACE))
    service = client.get(SERVICE)
    if service is None:
        raise ConnectivityError(str(SERVICE), "it went away meanwhile", remedy="Let nobody else work in its namespace")
    nodes = {
        node["metadata"]["name"]: [
            one["address"] for one in node["status"].get("addresses") or [] if one["type"] == "InternalIP"
        ]
        for node in client.list("v1", "Node")
    }
    stage = Stage(pods_of(pods, NAME), pods_of(pods, BESIDE), pods_of(pods, ON_NODE), service, nodes)
    return plan(stage, wishes)


def until_all_pass(try_one: Callable[[Check], Verdict], checks: Sequence[Check], timeout: float) -> list[Verdict]:
    """New connections only; what fails is tried again until the time is over.

    None is begun after that: what fails takes seconds each, and a large cluster has thousands of them in one round.

    :returns: the last verdict on each; one that was never tried says so.
    """
    deadline = time.monotonic() + timeout
    verdicts: dict[Check, Verdict] = {}

    def in_time(check: Check) -> Verdict:
        return try_one(check) if time.monotonic() <= deadline else verdicts.get(check) or untried(check)

    waiting = list(checks)
    # What works is not tried again, so each connection counts once.
    working = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            begin = time.monotonic()
            for verdict in pool.map(in_time, waiting):
                verdicts[verdict.check] = verdict
                working += verdict.passed
                tell(f"{working} of {len(checks)} connections work")
            waiting = [check for check in waiting if not verdicts[check].passed]
            pause = min(LONGEST_PAUSE_SECONDS, max(1.0, time.monotonic() - begin))
            if not waiting or time.monotonic() + pause > deadline:
                break
            # A node that is slow to answer is not kept busy with questions alone.
            time.sleep(pause)
    return [verdicts[check] for check in checks]


def dial(client: KubeClient, check: Check) -> Verdict:
    """One connection: opened by a pod on behalf of the API server's proxy, or by a program that is started in it."""
    try:
        if check.protocol == "connect":
            done = client.execute(NAMESPACE, check.source.name, CONTAINER, check.command)
            return judge_program(check, done.code, done.output)
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{check.source.name}:{HTTP_PORT}/proxy/dial"
        return judge(check, client.raw("GET", path, query=check.query, timeout=ANSWER_SECONDS))
    except KubeError as error:
        return judge(check, None, refused=error.seen)


def require_all(verdicts: Sequence[Verdict]) -> None:
    """Require that every connection works.

    :raises ConnectivityError: some do not; at most ten are named, and what is likely to be the cause.
    """
    broken = [verdict for verdict in verdicts if not verdict.passed]
    if broken:
        # What was seen says more than that nothing was.
        lines = [
            f"{one.check.kind} from pod on {one.check.source.node_name} to {one.check.target}: {one.seen}"
            for one in sorted(broken, key=lambda one: not one.tried)[:SHOWN]
        ]
        causes = likely_causes(verdicts)
        error = ConnectivityError(
            "connectivity of the cluster",
            f"{_counted(broken, len(verdicts))}: " + " | ".join(lines),
            "all of them to work",
            "Likely cause: " + " | ".join(causes),
        )
        error.details = {"matrix": matrix(verdicts), "causes": causes}
        raise error


def _counted(broken: Sequence[Verdict], count: int) -> str:
    tried = sum(verdict.tried for verdict in broken)
    untold = f", and {len(broken) - tried} were not tried before the time was over" if tried < len(broken) else ""
    return f"{tried} of {count} connections fail{untold}"
