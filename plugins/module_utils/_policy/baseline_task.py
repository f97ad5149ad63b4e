# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``network_policy_baseline`` does, from its options to its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy import cluster
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import (
    SYSTEM_NAMESPACES,
    NamespaceSteps,
    Step,
    chosen_namespaces,
    plan,
    system_namespaces,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.clusterwide import KINDS, cluster_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import (
    STAGED,
    everywhere,
    everywhere_steps,
    subject_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.flows import seen_flows, told_flows
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.impact import (
    Broken,
    broken,
    listing,
    require_at_most,
    warning_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory, Policy, PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.namespaced import network_policy
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.options import require_sound
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.rollout import Rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import live as everything
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.succession import (
    NAMESPACED,
    Scope,
    Succession,
    succession,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import PROFILES, in_each, policies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import Surroundings


READERS: Mapping[str, Callable[[Mapping[str, Any]], Policy]] = {
    NAMESPACED: network_policy,
    **dict.fromkeys(KINDS, cluster_policy),
}


@dataclass(frozen=True)
class _Known:
    """What was read, and what is to be done about it.

    :param chosen: the namespaces that the baseline is for.
    :param system: namespaces of the cluster itself.
    :param calling: what makes the API server call a Service.
    :param kind: of the policies that are written.
    :param apart: what these say, as a NetworkPolicy in each namespace; only of kinds that are not evaluated themselves.
    :param later: what goes after them, stage by stage.
    """

    chosen: list[str]
    system: list[str]
    around: Surroundings
    calling: list[Object]
    plans: list[NamespaceSteps]
    kind: str = NAMESPACED
    apart: tuple[Object, ...] = ()
    later: tuple[tuple[NamespaceSteps, ...], ...] = ()

    @property
    def changes(self) -> list[NamespaceSteps]:
        """All that is to be done, in its order."""
        return [*self.plans, *(one for stage in self.later for one in stage)]


def baseline(
    asked: Mapping[str, Any], render: Callable[[Any], str], *, warn: Callable[[str], None], check: bool, diff: bool
) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :param render: makes readable text of an object, for the diff.
    :param warn: tells the user.
    :param diff: whether the diff is wanted.
    :raises NetopsError: the options, a policy or the API server stand in the way, or too much would break.
    """
    require_sound(asked)
    client = connect(asked)
    known = _known(client, asked, warn)
    enforcer, warning = cluster.enforcement(client)
    lasting = [step for one in known.changes for step in one.lasting]
    if warning and any(step.after for step in lasting):
        warn(warning)
    unmeant = cluster.missed_addresses(client, enforcer, (step.after for step in lasting if step.after))
    if unmeant:
        warn(unmeant)
    lost = _impact(client, asked, known, warn) if known.changes else []
    if known.kind != STAGED:
        require_at_most(lost, asked["max_broken"])
    told = warning_of(lost, would=check)
    if told:
        warn(told + (f" {STAGED} breaks nothing by itself; a policy in earnest would." if known.kind == STAGED else ""))
    # What only goes lets more through, and nothing that works waits for it.
    size = asked["batch_size"] if known.kind else 0
    rollout = Rollout(client, check=check, size=size, wait=float(asked["batch_wait"]))
    for stage in (known.plans, *known.later):
        rollout.carry_out(stage, known.chosen)
    return {
        "changed": bool(known.changes),
        "namespaces": known.chosen,
        "policies": [{"object": str(ref_of(step.subject)), "action": step.action} for step in lasting],
        "impact": [one.to_output() for one in lost],
        "enforcement": enforcer,
        "api_requests": client.requests,
        **({"diff": [*_listed(lost), *(_shown(step, render) for step in lasting)]} if diff else {}),
    }


def _known(client: KubeClient, asked: Mapping[str, Any], warn: Callable[[str], None]) -> _Known:
    listed = list(client.list("v1", "Namespace"))
    there = {one["metadata"]["name"] for one in listed}
    present = asked["state"] == "present"
    for option in ("ingress_namespaces", "monitoring_namespaces"):
        for name in asked[option]:
            if name not in there and present:
                warn(f"{option}: namespace {name!r} is not there, so nobody is let in from it")
    # Of a namespace that has gone, everything has.
    named = [name for name in asked["namespaces"] if present or name in there]
    chosen = chosen_namespaces(listed, named, asked["namespace_selector"], asked["exclude_namespaces"])
    names = PROFILES[asked["profile"]] if asked["policies"] is None else asked["policies"]
    calling = list(cluster.called(client))
    around = cluster.surroundings(client, there, calling, asked["ingress_namespaces"], asked["monitoring_namespaces"])
    custom = asked["custom_policies"] if names or asked["policies"] is not None else []
    known = _Known(chosen, system_namespaces(there), around, calling, [])
    live = cluster.live_policies(client)
    standing, refused = cluster.wide_policies(client)
    if not present:
        known = replace(known, kind="")
    elif asked["cluster_wide"] != "none":
        kind = cluster.served_kind(client, asked["cluster_wide"])
        if kind in refused:
            raise refused[kind]
        known = _everywhere(asked, replace(known, kind=kind), standing[kind], names, custom)
    else:
        known = replace(known, plans=plan(live, dict(in_each(chosen, names, around, custom))))
    for kind, error in refused.items():
        warn(f"{kind}: whether an earlier run left one cannot be seen: {error}")
    return _succeeded(known, succession(_scope(asked, known), listed, live, standing), warn)


def _scope(asked: Mapping[str, Any], known: _Known) -> Scope:
    return Scope(
        frozenset(known.chosen),
        known.kind,
        whole=not known.kind and asked["cluster_wide"] != "none",
        everything=not known.kind and not asked["namespaces"] and not asked["namespace_selector"],
        excluded=frozenset(asked["exclude_namespaces"]),
        deselected=asked["deselected"],
    )


def _succeeded(known: _Known, found: Succession, warn: Callable[[str], None]) -> _Known:
    """What is known, with what goes after the new policies are there."""
    for text in found.warnings:
        warn(text)
    going = {one.namespace for stage in found.stages for one in stage if one.namespace}
    # Whoever removes all is told of which namespaces.
    chosen = known.chosen if known.kind else sorted({*known.chosen, *going})
    return replace(known, chosen=chosen, later=found.stages)


def _everywhere(
    asked: Mapping[str, Any],
    known: _Known,
    standing: Sequence[Object],
    names: Sequence[str],
    custom: Sequence[Mapping[str, Any]],
) -> _Known:
    """What is to be done about one policy for all namespaces.

    :param standing: every policy of its kind.
    :param names: of its templates; none: it goes.
    """
    # Who may call webhooks is said once for all namespaces.
    called = tuple(("", port) for space, port in known.around.called_ports if space in known.chosen)
    made: list[Object] = []
    apart: list[Object] = []
    if names:
        excluded = [*SYSTEM_NAMESPACES, *known.system, *asked["exclude_namespaces"]]
        subject = subject_of(asked["namespaces"], asked["namespace_selector"], excluded, known.chosen)
        made = everywhere(known.kind, subject, policies("", names, replace(known.around, called_ports=called), custom))
        if known.kind not in READERS:
            apart = [one for _name, some in in_each(known.chosen, names, known.around, custom) for one in some]
    steps = everywhere_steps(standing, made)
    plans = [NamespaceSteps("", tuple(steps))] if steps else []
    return replace(known, plans=plans, apart=tuple(apart))


def _impact(client: KubeClient, asked: Mapping[str, Any], known: _Known, warn: Callable[[str], None]) -> list[Broken]:
    """What works now and would not after the changes."""
    standing = {step.before["kind"] for one in known.changes for step in one.steps if step.before} - {STAGED}
    for kind in sorted(standing - set(READERS)):
        warn(f"impact: it is told as if there were no {kind} yet, since such a one is not evaluated")
    objects = everything(client)
    slices = cluster.endpoint_slices(client, objects)
    now = inventory([*objects, *slices, *known.calling, *cluster.needing(client)])
    flows = told_flows(now, known.around)
    for path in asked["flow_logs"]:
        flows += seen_flows(_read(path), path, now)
    return broken(now, now.policies, _after(now, known), flows)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"flow log {path!r}", f"it cannot be read: {error}", "a file of JSON lines") from error


def _after(now: Inventory, known: _Known) -> Sequence[Policy]:
    """The policies as they will be."""
    changed = {ref_of(step.subject): step.after for one in known.changes for step in one.steps}
    kept = [policy for policy in now.policies if policy.ref not in changed]
    # Calico takes them behind NetworkPolicies and ends with a denial, Cilium adds allows up: as NetworkPolicies do.
    apart = map(network_policy, known.apart)
    come = [after for after in changed.values() if after is not None and after["kind"] in READERS]
    return [*kept, *apart, *(READERS[after["kind"]](after) for after in come)]


def _listed(lost: Sequence[Broken]) -> list[dict[str, str]]:
    """What breaks, as a diff shows it."""
    return [{"prepared": listing(lost)}] if lost else []


def _shown(change: Step, render: Callable[[Any], str]) -> dict[str, str]:
    """One change, for a diff."""
    name = str(ref_of(change.subject))
    sides = [
        render({key: side[key] for key in ("spec", "specs") if key in side}) if side else ""
        for side in (change.before, change.after)
    ]
    return {"before_header": name, "after_header": name, "before": sides[0], "after": sides[1]}
