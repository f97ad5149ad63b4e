# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The changes of a baseline carried out: namespaces side by side, in batches, undone where pods turn unready."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    Object,
    comparable,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import NamespaceSteps, Step, plan
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.health import Health, health_of, worse
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import API_VERSION
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ownership import TRANSITION, is_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SHOWN = 5
# Up to so many namespaces are asked for their pods one by one.
ONE_BY_ONE = 50


@dataclass(frozen=True)
class Rollout:
    """How changes are carried out.

    :param size: how many namespaces at once, after each of which pods are looked at; 0: all, without a look.
    :param wait: seconds until the look.
    """

    client: KubeClient
    check: bool = False
    size: int = 0
    wait: float = 0.0

    def carry_out(self, plans: Sequence[NamespaceSteps], watched: Sequence[str] = ()) -> None:
        """Do the changes; a run that is killed leaves every namespace as it was, as it will be, or with both at once.

        :param watched: the namespaces that cluster-wide policies are about.
        :raises PolicyError: somebody else wrote a policy meanwhile, or pods turned unready and their batch is undone.
        """
        size = self.size or len(plans) or 1
        for begin in range(0, len(plans), size):
            batch = plans[begin : begin + size]
            names = [one.namespace for one in batch]
            self._batch(batch, names if all(names) else list(watched))

    def _batch(self, batch: Sequence[NamespaceSteps], names: Sequence[str]) -> None:
        looks = bool(self.size) and not self.check
        before = self._health(names) if looks else {}
        self._each(batch)
        # Where no pod is ready, none can turn unready, and there is nothing to wait for.
        if not any(one.ready for one in before.values()):
            return
        time.sleep(self.wait)
        lost = worse(before, self._health(names))
        if lost:
            self._undo(batch)
            raise PolicyError(
                f"namespaces {', '.join(names)}",
                f"pods turned unready after the change: {', '.join(lost[:SHOWN])}",
                "pods as ready as before",
                "What was done to these namespaces is undone; see what the pods wait for, and allow it",
            )

    def _health(self, namespaces: Sequence[str]) -> dict[str, Health]:
        """Of many namespaces in one listing."""
        if len(namespaces) > ONE_BY_ONE:
            chosen = set(namespaces)
            pods = self.client.list("v1", "Pod")
            return health_of(pod for pod in pods if pod["metadata"]["namespace"] in chosen)
        return health_of(pod for name in namespaces for pod in self.client.list("v1", "Pod", name))

    def _each(self, batch: Sequence[NamespaceSteps]) -> None:
        each(batch, self._namespace)

    def _namespace(self, one: NamespaceSteps) -> None:
        for step in one.steps:
            _do(self.client, step, check=self.check)

    def _undo(self, batch: Sequence[NamespaceSteps]) -> None:
        """Back to what was there, by the same safe way."""
        live: list[Object] = []
        wanted: dict[str, list[Object]] = {}
        for one in batch:
            if one.namespace:
                live += self.client.list(API_VERSION, "NetworkPolicy", one.namespace)
                wanted[one.namespace] = _before(live, one)
            else:
                self._each([NamespaceSteps("", tuple(_backwards(self.client, one.steps)))])
        self._each(plan(live, wanted))


def _do(client: KubeClient, step: Step, *, check: bool) -> None:
    """One change, unless somebody else was faster."""
    seen = str((step.before or {}).get("metadata", {}).get("resourceVersion") or "")
    try:
        if step.after is None:
            if not check:
                client.delete(ref_of(step.subject), propagation="Background", version=seen)
        elif step.before is None:
            client.apply(step.after, dry_run=check)
        else:
            metadata = {**step.after["metadata"], "resourceVersion": seen}
            client.apply({**step.after, "metadata": metadata}, force=True, dry_run=check)
    except ConflictError as error:
        raise PolicyError(
            str(ref_of(step.subject)),
            f"somebody else wrote it during this run: {error.seen}",
            "the policy as it was read",
            "It is kept as it is; look at it, and run again",
        ) from error


def _backwards(client: KubeClient, steps: Sequence[Step]) -> Iterator[Step]:
    """From what cluster-wide policies are now back to what they were, the last change first."""
    for step in reversed(steps):
        now = client.get(ref_of(step.subject))
        if now is not None or step.before is not None:
            yield Step(now, comparable(step.before) if step.before else None)


def _before(live: Sequence[Object], one: NamespaceSteps) -> list[Object]:
    """Our policies of a namespace as they were before its steps."""
    touched = {step.subject["metadata"]["name"]: step.before for step in one.steps}
    kept = [
        policy
        for policy in live
        if policy["metadata"]["namespace"] == one.namespace
        and is_own(policy)
        and policy["metadata"]["name"] not in touched
    ]
    old = [step for name, step in touched.items() if step is not None and name != TRANSITION]
    return [comparable(policy) for policy in (*kept, *old)]
