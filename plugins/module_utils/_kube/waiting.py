# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Until objects are ready, or gone: together, and with every reason when the time is up."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, UnreachableError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import hopeless, not_ready, why_held
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.reading import observe
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import Condition

# Many things are there at once; who waits longer looks less often.
FIRST_POLL_SECONDS = 0.1
POLL_SECONDS = 1.0
SHOWN = 10
# What stands before an API server says while that is away (RFC 9110, 15.6): no such server, none of them, none in time.
AWAY = {502, 503, 504}
Result = TypeVar("Result")


def answered(look: Callable[[], Result], deadline: float) -> Result:
    """What somebody finds who reads; an API server that goes away meanwhile is asked again until the time is up.

    It is restarted while its host's certificates, flags or network change, which is just when somebody waits here.

    :param look: reads, and may be called again.
    :param deadline: on the monotonic clock, in seconds.
    :raises KubeError: it still does not answer then, or it refuses.
    """
    while True:
        try:
            return look()
        except KubeError as error:
            is_away = isinstance(error, UnreachableError) or error.status in AWAY
            if not is_away or time.monotonic() > deadline:
                raise
            tell(f"the API server does not answer: {error.seen}")
        # Nothing tells when it is back but an answer.
        time.sleep(POLL_SECONDS)


def wait_ready(
    client: KubeClient, objects: Sequence[Object], timeout: float, conditions: Sequence[Condition] = ()
) -> None:
    """Wait until every object is ready.

    :param timeout: seconds for all of them.
    :param conditions: what objects of some kinds must say of themselves, beyond the rules of their kind.
    :raises KubeError: some are not, or one never will be; the text says what each still lacks.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_POLL_SECONDS
    left = [ref_of(obj) for obj in objects]
    while True:
        reasons = answered(partial(_reasons, client, left, conditions), deadline)
        if not reasons:
            return
        if time.monotonic() > deadline:
            raise _not_ready_after(reasons, timeout)
        left = list(reasons)
        tell(several(f"{ref}: {reason}" for ref, reason in reasons.items()))
        time.sleep(pause)
        pause = min(POLL_SECONDS, 2 * pause)


def wait_served(client: KubeClient, definitions: Sequence[Object], timeout: float) -> None:
    """Wait until the server answers for every kind that CustomResourceDefinitions define.

    Discovery is asked, a small answer a group; the definitions themselves are large.

    :param timeout: seconds for all of them.
    :raises KubeError: some are not served; the text says what each still lacks.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_POLL_SECONDS
    left = list(definitions)
    while True:
        left = answered(partial(_unserved, client, left), deadline)
        if not left:
            return
        if time.monotonic() > deadline:
            wait_ready(client, left, 0.0)
            return
        tell(f"{len(left)} of {len(definitions)} new kinds are not served yet")
        time.sleep(pause)
        pause = min(POLL_SECONDS, 2 * pause)
        for definition in left:
            for api_version in _versions(definition):
                client.forget_kinds(api_version)


def _unserved(client: KubeClient, definitions: Sequence[Object]) -> list[Object]:
    return [definition for definition in definitions if not _is_served(client, definition)]


def _is_served(client: KubeClient, definition: Object) -> bool:
    kind = definition["spec"]["names"]["kind"]
    return all(client.serves(api_version, kind) for api_version in _versions(definition))


def _versions(definition: Object) -> list[str]:
    spec = definition["spec"]
    return [f"{spec['group']}/{version['name']}" for version in spec["versions"] if version.get("served")]


def _reasons(client: KubeClient, refs: Sequence[ObjectRef], conditions: Sequence[Condition]) -> dict[ObjectRef, str]:
    """Why the objects that are not ready are not."""
    observed = observe(client, refs)
    reasons: dict[ObjectRef, str] = {}
    for ref in refs:
        live = observed.read(client, ref)
        lost = hopeless(live) if live else ""
        if lost:
            raise KubeError(str(ref), lost, "a ready object", "Look at its events and at the logs of its pods")
        reason = not_ready(live, conditions) if live else "it is not there"
        if reason:
            reasons[ref] = reason
    return reasons


def _not_ready_after(reasons: Mapping[ObjectRef, str], timeout: float) -> KubeError:
    told = [f"{ref}: not ready after {timeout:.0f} s: {reason}" for ref, reason in reasons.items()]
    subject, _unused, seen = told[0].partition(": ")
    more = [f"and {len(told) - SHOWN} more objects"] if len(told) > SHOWN else []
    return KubeError(
        subject,
        "; ".join([seen, *told[1:SHOWN], *more]),
        "a ready object",
        "Look at its events and at the logs of its pods, or raise wait_timeout",
    )


def wait_gone(client: KubeClient, refs: Iterable[ObjectRef], deadline: float) -> None:
    """Wait until objects are not there any more.

    :param deadline: on the monotonic clock, in seconds.
    :raises KubeError: one is still there; the text names what holds it.
    """
    pause = FIRST_POLL_SECONDS
    left = list(refs)
    while left:
        there = answered(partial(_there, client, left), deadline)
        if there and time.monotonic() > deadline:
            ref, live = next(iter(there.items()))
            others = f" ({len(there) - 1} more objects wait too)" if len(there) > 1 else ""
            raise KubeError(
                str(ref),
                f"it is still being deleted{others}; {why_held(live)}",
                "an object that goes away",
                "Start the controller that serves these finalizers, or delete what the object still owns",
            )
        left = list(there)
        if left:
            tell(several(f"{ref} is being deleted; {why_held(live)}" for ref, live in there.items()))
            time.sleep(pause)
            pause = min(POLL_SECONDS, 2 * pause)


def _there(client: KubeClient, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Object]:
    observed = observe(client, refs)
    return {ref: live for ref in refs if (live := observed.read(client, ref)) is not None}


def wait_if_going(client: KubeClient, ref: ObjectRef, timeout: float) -> None:
    """Wait until an object is gone that is on its way out; any other is left alone.

    :param timeout: seconds.
    :raises KubeError: it is still there; the text names what holds it.
    """
    live = client.get(ref)
    if live and live["metadata"].get("deletionTimestamp"):
        wait_gone(client, [ref], time.monotonic() + timeout)
