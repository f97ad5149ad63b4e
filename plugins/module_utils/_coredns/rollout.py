# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A new Corefile on the cluster: every CoreDNS has it, DNS answers, or the one before is back.

The kubelet looks at the ConfigMaps of a pod when it has something to do for the pod, else once a minute or so
(kubelet, ``syncFrequency``). A changed annotation of the pod gives it something to do at once; CoreDNS' own plugin
``reload`` then sees the file within its interval. Where CoreDNS does not say what it runs with, its pods are replaced;
likewise where one has not taken the file in half the time that there is: its ``reload`` may look once an hour, or its
kubelet wait after a failure.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import fields, probes
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import (
    Place,
    RolloutError,
    Workload,
    find_workload,
    saying,
    what_is_wrong,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import notes
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.fingerprint import fingerprints
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import sentence
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready, not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Callable, Optional

    from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.reloading import Saying
    from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import Question
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

# On the pods that are to look at the Corefile again, and on the template of those that are to be replaced.
MARK = "netops.kubernetes/corefile-digest"
POLL_SECONDS = 1.0
# A kubelet that heard of the pod's change before it heard of the ConfigMap's needs another one.
TOUCH_SECONDS = 15.0
# Pods that are just starting will read the new Corefile by themselves; those that crash for the old one wait minutes.
START_SECONDS = 30.0
PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Proof:
    """What to ask for a proof.

    :param run: which probes are this run's.
    :param corefile: what every CoreDNS runs with.
    :param touched: whether pods were changed.
    """

    servers: tuple[str, ...]
    questions: tuple[Question, ...]
    run: str
    corefile: str
    touched: bool


def load(
    client: KubeClient, place: Place, *, written: str, names: Sequence[str], zones: Sequence[str], timeout: float
) -> Proof:
    """Let every CoreDNS take the Corefile if one has not; then make what a proof asks for.

    :param written: the digest of the text that the caller wrote or found.
    :param names: names that must resolve.
    :param zones: zones whose servers must be reached.
    :param timeout: seconds for all pods to have the Corefile.
    :raises RolloutError: a pod refuses the Corefile or does not take it in time; the one before is back then.
    """
    live, text = place.read(client)
    _require_not_taken_back(live, place, written)
    workload = find_workload(client, place)
    touched = False
    try:
        is_noted = notes.read_pending(live, place.key) or fields.is_pending(workload.live)
        # Others edit the Corefile without a roll-out, and note nothing.
        if is_noted or _is_behind(client, workload, text):
            touched = _spread(client, place, timeout)
            text = place.read(client)[1]
    except RolloutError as error:
        raise revert(client, place, str(error), timeout) from error
    made, questions = probes.make(client, place.ref.namespace, probes.cluster_domain(text))
    return Proof(workload.addresses(client), (*questions, *probes.about(names, zones)), made.run, text, touched)


def finish(
    client: KubeClient,
    place: Place,
    *,
    run: str,
    corefile: str,
    written: str,
    problems: Sequence[str],
    timeout: float,
) -> bool:
    """End a roll-out: by the answers to its questions, the Corefile is proven or the one before comes back.

    :param run: of the proof, likewise ``corefile``.
    :param written: the digest of the text that the caller wrote or found.
    :param problems: what was not answered rightly.
    :returns: whether anything was noted.
    :raises RolloutError: there are problems, or somebody else's proof failed and took this text back too.
    """
    probes.take_away(client, probes.Probes(run, place.ref.namespace))
    if problems:
        more = f"; and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise revert(client, place, "; ".join(problems[:PROBLEMS_SHOWN]) + more, timeout)

    def settle(live: Optional[Object]) -> tuple[bool, bool]:
        if live is None:
            return False, False
        _require_not_taken_back(live, place, written)
        is_noted = notes.note_proof(live, place.key, corefile)
        return is_noted, is_noted

    settled = update(client, place.ref, settle, check=False)
    return _on_workload(client, find_workload(client, place), fields.note_proof) or settled


def revert(client: KubeClient, place: Place, seen: str, timeout: float) -> RolloutError:
    """Give back the last Corefile that was not doubted, and let every CoreDNS take it.

    :param seen: what was wrong.
    :returns: the error to be raised; it tells what happened to the Corefile, and what CoreDNS says.
    """
    workload = find_workload(client, place)
    said = what_is_wrong(client, workload)

    def give_back(live: Optional[Object]) -> tuple[bool, bool]:
        is_given = live is not None and notes.take_back(live, place.key)
        return is_given, is_given

    # Where both are new, the new CoreDNS must not read the old Corefile for long, nor the old one the new.
    given = [
        name
        for name, is_given in (
            ("Corefile", update(client, place.ref, give_back, check=False)),
            (workload.ref.kind, _on_workload(client, workload, fields.take_back)),
        )
        if is_given
    ]
    if given:
        is_back = f"The {' and the '.join(given)} from before {'is' if len(given) == 1 else 'are'} back"
        try:
            _spread(client, place, timeout)
            outcome = f"{is_back}, and every CoreDNS runs with {'it' if len(given) == 1 else 'them'}."
        except RolloutError as error:
            outcome = f"{is_back}, but not everywhere: {error}"
    else:
        outcome = "No change of the Corefile was pending, so it stays as it is."
    log = " " + sentence(f"CoreDNS says: {' | '.join(said)}") if said else ""
    return RolloutError(f"{place.ref}, {place.key}", f"{sentence(seen)}{log} {outcome}")


def _on_workload(client: KubeClient, workload: Workload, act: Callable[[Object], bool]) -> bool:
    """Act on the notes of the workload, if there are any."""
    if not fields.is_pending(workload.live):
        return False

    def change(live: Optional[Object]) -> tuple[bool, bool]:
        is_done = live is not None and act(live)
        return is_done, is_done

    return update(client, workload.ref, change, check=False)


def _require_not_taken_back(live: Mapping[str, Any], place: Place, written: str) -> None:
    if notes.is_refused(live, place.key, written):
        raise RolloutError(
            f"{place.ref}, {place.key}",
            "another run found that DNS does not answer with what was written here and later, and took both back",
            remedy="Run it again",
        )


# ---- until every CoreDNS has it --------------------------------------------------------------------------------------


def _is_behind(client: KubeClient, workload: Workload, text: str) -> bool:
    """Whether a pod says that it runs with another Corefile.

    :raises RolloutError: one has read it and refuses it.
    """
    wanted = _names_when_running(text)
    lacking = _lacking(client, workload, workload.pods(client), wanted) if wanted else {}
    return any(said.running for said in lacking.values())


def _spread(client: KubeClient, place: Place, timeout: float) -> bool:
    """Wait until every CoreDNS runs with the Corefile, whichever it is by then.

    :returns: whether pods were touched or replaced.
    :raises RolloutError: one refuses it, or does not take it in time.
    """
    begin = time.monotonic()
    deadline = begin + timeout
    touched, next_touch = False, 0.0
    while True:
        text = place.read(client)[1]
        workload = find_workload(client, place)
        wanted = _names_when_running(text)
        pods = workload.pods(client)
        replaced = _mark_of(workload.template) == notes.digest(text)
        # Pods that are about to be replaced need not take a Corefile that is not meant for them.
        is_rolling = _is_rolling(workload.live)
        lacking = _lacking(client, workload, pods, wanted) if wanted and not is_rolling else {}
        reason = ""
        if is_rolling:
            reason = "not all of its pods are new yet"
        elif pods and not any(map(is_pod_ready, pods)) and time.monotonic() < begin + START_SECONDS:
            reason = "none of its pods is ready"
        elif (
            not wanted
            or not all(said.running for said in lacking.values())
            or not any(map(is_pod_ready, pods))
            or (not replaced and time.monotonic() > begin + timeout / 2 and _would_come_up(lacking))
        ):
            if not replaced:
                _replace(client, workload, text)
                touched = True
                workload = find_workload(client, place)
        elif lacking:
            reason = "; ".join(f"pod {name} still runs with another Corefile" for name in lacking)
            if time.monotonic() > next_touch:
                _touch(client, [pod for pod in pods if pod["metadata"]["name"] in lacking], text)
                touched, next_touch = True, time.monotonic() + TOUCH_SECONDS
        reason = reason or not_ready(workload.live)
        if not reason:
            return touched
        if time.monotonic() > deadline:
            raise RolloutError(str(workload.ref), f"after {timeout:.0f} s: {reason}", "every CoreDNS with the Corefile")
        tell(f"{workload.ref}: {reason}")
        time.sleep(POLL_SECONDS)


def _is_rolling(live: Mapping[str, Any]) -> bool:
    """Whether pods of an earlier template are still there, or some of the newest are not."""
    status = live.get("status") or {}
    if live["kind"] != "Deployment" or (status.get("observedGeneration") or 0) < live["metadata"]["generation"]:
        return bool(live["kind"] == "Deployment")
    updated = status.get("updatedReplicas", 0)
    return bool(updated < live["spec"].get("replicas", 1) or status.get("replicas", 0) > updated)


def _names_when_running(text: str) -> frozenset[str]:
    """The hashes by which a CoreDNS that runs with a Corefile names it; none where it names or takes none."""
    try:
        blocks = parse(text).servers
    except CorefileError:
        return frozenset()
    reloads = any(directive.name == "reload" for block in blocks for directive in block.directives)
    return fingerprints(text) if reloads else frozenset()


def _lacking(
    client: KubeClient, workload: Workload, pods: Sequence[Object], wanted: frozenset[str]
) -> dict[str, Saying]:
    """What those ready pods say, by name, that do not say that they run with the Corefile.

    :raises RolloutError: one has read it and refuses it.
    """
    lacking: dict[str, Saying] = {}
    running = [pod for pod in pods if is_pod_ready(pod)]
    for pod, said in zip(running, each(running, partial(saying, client, container=workload.container))):
        if said.refusal and said.running in wanted:
            name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
            raise RolloutError(f"CoreDNS in pod {name} on {node}", said.refusal)
        if said.running not in wanted:
            lacking[pod["metadata"]["name"]] = said
    return lacking


def _would_come_up(lacking: Mapping[str, Saying]) -> bool:
    """Whether there are pods that lack the Corefile without having refused one."""
    return any(not said.refusal for said in lacking.values())


def _mark_of(obj: Mapping[str, Any]) -> str:
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(MARK, ""))


def _replace(client: KubeClient, workload: Workload, text: str) -> None:
    """New pods, by the workload's own strategy."""
    annotations = {MARK: notes.digest(text)}
    client.patch(workload.ref, {"spec": {"template": {"metadata": {"annotations": annotations}}}})


def _touch(client: KubeClient, pods: Sequence[Object], text: str) -> None:
    """Make the kubelets look at the ConfigMap."""
    for pod in pods:
        number = int(_mark_of(pod).rpartition(".")[2] or "0", 10) + 1 if "." in _mark_of(pod) else 1
        body = {"metadata": {"annotations": {MARK: f"{notes.digest(text)}.{number}"}}}
        try:
            client.patch(ObjectRef("v1", "Pod", pod["metadata"]["name"], ref_of(pod).namespace), body)
        except KubeError as error:
            # It went away meanwhile.
            if error.status != 404:
                raise
