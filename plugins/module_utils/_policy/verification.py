# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``network_policy_verify`` does: stand-ins made, connected with each other, removed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.options import require_least
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.report import why
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import live
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import (
    MARK,
    UNKNOWN,
    Comparison,
    Connection,
    Seen,
    StandIn,
    asked_ports,
    chosen,
    connections,
    failure,
    judged,
    missing,
    pod_of,
    summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory

WORKERS = 8
# For one connection and all that starts it, on a node that has much to do.
PROGRAM_SECONDS = 60.0
POLL_SECONDS = 1.0


def verify(asked: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :raises NetopsError: the options or the API server stand in the way, or the pods do not run.
    """
    require_least(asked, timeout=1, recheck_seconds=0)
    ports = asked_ports(asked["ports"])
    client = connect(asked)
    now = inventory(live(client))
    stand_ins = chosen(now, asked["namespaces"], asked["workloads"], ports)
    compared: list[Comparison] = []
    if not check:
        with standing(client, stand_ins, asked["image"], asked["timeout"], asked["pull_secrets"]):
            compared = compared_until_all_agree(client, asked["recheck_seconds"])
    problem = failure(compared)
    return {
        "changed": False,
        **({"failed": True, "msg": problem} if problem else {}),
        "stand_ins": [one.stands_for for one in stand_ins],
        "connections": len(compared),
        "disagreements": [one.to_output() for one in compared if not one.agrees],
        "not_evaluated": [str(ref) for ref in now.unread],
        "summary": ["check mode: nothing was tried"] if check else summary(compared, len(stand_ins)),
        "api_requests": client.requests,
    }


@contextmanager
def standing(
    client: KubeClient, stand_ins: Sequence[StandIn], image: str, timeout: float, pull_secrets: Sequence[str] = ()
) -> Iterator[None]:
    """Stand-ins that run while the block lasts; those of an earlier run are gone before.

    :param image: of agnhost.
    :param timeout: seconds for them to run, and again for them to go.
    :param pull_secrets: names of Secrets in their namespaces.
    :raises KubeError: they do not run, or do not go.
    """
    _remove(client, timeout)
    spaces = {one["metadata"]["name"]: one["metadata"]["uid"] for one in client.list("v1", "Namespace")}
    try:
        each([pod_of(one, image, spaces[one.namespace], pull_secrets) for one in stand_ins], client.create)
        _wait(client, len(stand_ins), timeout)
        yield
    except BaseException:
        _delete(client)
        raise
    _remove(client, timeout)


def _ours(client: KubeClient) -> list[Object]:
    return list(client.list("v1", "Pod", label_selector=MARK))


def _delete(client: KubeClient) -> list[Object]:
    pods = _ours(client)
    each(pods, lambda pod: client.delete(ref_of(pod), propagation="Background"))
    return pods


def _remove(client: KubeClient, timeout: float) -> None:
    wait_gone(client, map(ref_of, _delete(client)), time.monotonic() + timeout)


def _wait(client: KubeClient, count: int, timeout: float) -> None:
    """Until all stand-ins run. They are never ready, so the usual rule for pods does not do."""
    deadline = time.monotonic() + timeout
    while lacking := missing(_ours(client), count):
        if time.monotonic() > deadline:
            raise KubeError(
                "stand-ins",
                f"they do not all run after {timeout:.0f} s: {lacking}",
                "all of them to run",
                "Look at their image and at what keeps pods away, or raise timeout",
            )
        time.sleep(POLL_SECONDS)


def compared_until_all_agree(client: KubeClient, patience: float) -> list[Comparison]:
    """Every connection between the stand-ins that run, beside what the policies say of it; new connections only.

    Where one does not end as predicted, both are looked at anew until the time is over: policies take a while to be
    enforced, and somebody may change them meanwhile. What agrees has two witnesses already and is not tried again.

    :param patience: seconds for which they are looked at anew; once more in any case.
    :raises NetopsError: something cannot be read, or a stand-in went away.
    """
    now = inventory(live(client))
    tried = connections([pod for pod in now.pods if MARK in pod.labels])
    found: dict[int, Comparison] = {}
    waiting = list(range(len(tried)))
    deadline = time.monotonic() + patience
    is_last = False
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            seen = list(pool.map(lambda number: dial(client, tried[number]), waiting))
            found.update(zip(waiting, compare(now, [tried[number] for number in waiting], seen)))
            waiting = [number for number in waiting if not found[number].agrees]
            if not waiting or is_last:
                return [found[number] for number in sorted(found)]
            time.sleep(POLL_SECONDS)
            # At least once more, however long the first look took.
            is_last = time.monotonic() > deadline
            now = inventory(live(client))


def compare(now: Inventory, tried: Sequence[Connection], seen: Sequence[Seen]) -> list[Comparison]:
    """What was seen beside what the policies of the cluster say.

    :raises PolicyError: a stand-in is not there any more.
    """
    reach = Reachability(now)
    there = {str(pod) for pod in now.pods}
    found: list[Comparison] = []
    for one, end in zip(tried, seen):
        ends = (str(one.source), str(one.destination))
        for name in ends:
            if name not in there:
                raise PolicyError(f"stand-in {name!r}", "it went away meanwhile", "one test at a time", "Run it again")
        said = reach.judge(one.source, one.destination, one.protocol, one.port, one.family)
        found.append(
            Comparison(*ends, one.protocol, one.port, one.family, said.verdict, end.verdict, end.words, why(said))
        )
    return found


def dial(client: KubeClient, one: Connection) -> Seen:
    """One connection, opened in the source by a program of its own."""
    source = one.source
    try:
        return judged(client.execute(source.namespace, source.name, "agnhost-0", one.command, PROGRAM_SECONDS))
    except KubeError as error:
        return Seen(UNKNOWN, error.seen)
