# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""On which nodes the pods of a CNI run, and what they may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

# kubernetes.io, API reference: Toleration and ResourceRequirements. Claims need objects that no setting here makes.
TOLERATION_FIELDS = {"key", "operator", "value", "effect", "tolerationSeconds"}
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
RESOURCE_FIELDS = {"requests", "limits"}


@dataclass(frozen=True)
class Placement:
    """What is said of the pods of one workload; what is not said stays as upstream has it.

    :param tolerations: in place of upstream's.
    :param node_selector: labels of the nodes that it is for, beside upstream's.
    :param resources: requests and limits of its main container, in place of upstream's.
    """

    tolerations: Sequence[Mapping[str, Any]] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tolerations or self.node_selector or self.resources)


def require_placeable(prefix: str, placement: Placement, error: type[NetopsError]) -> None:
    """Require tolerations and resources that are such.

    An operator accepts more than the API server will: what it makes of a misspelt setting fails long afterwards.

    :param prefix: what the settings' names begin with.
    :param error: what is raised.
    :raises NetopsError: one of them has a field or a value that it cannot have.
    """
    if set(placement.resources) - RESOURCE_FIELDS:
        raise error(f"{prefix}resources", ", ".join(sorted(placement.resources)), "requests and limits")
    for toleration in placement.tolerations:
        what = f"{prefix}tolerations"
        unknown = set(toleration) - TOLERATION_FIELDS
        if unknown:
            raise error(what, f"{toleration!r} has {sorted(unknown)}", "fields of a toleration")
        if toleration.get("effect") and toleration["effect"] not in EFFECTS:
            raise error(what, f"effect {toleration['effect']!r}", f"one of {', '.join(EFFECTS)}, or none for all")
        if not toleration.get("key") and toleration.get("operator") != "Exists":
            raise error(what, f"{dict(toleration)!r} has no key", "a key, or operator Exists for every key")


def place(workload: Mapping[str, Any], container: str, placement: Placement) -> None:
    """Say it in upstream's own workload; the object is changed.

    :param container: the name of its main container.
    """
    pod = workload["spec"]["template"]["spec"]
    pod["nodeSelector"] = {**(pod.get("nodeSelector") or {}), **placement.node_selector}
    if placement.tolerations:
        pod["tolerations"] = [dict(one) for one in placement.tolerations]
    if placement.resources:
        main = next(one for one in pod["containers"] if one["name"] == container)
        main["resources"] = dict(placement.resources)


def override(container: str, placement: Placement) -> dict[str, Any]:
    """The same in a field of the Tigera operator's that overrides a workload; empty when nothing is said.

    :param container: the name of its main container.
    """
    pod: dict[str, Any] = {}
    if placement.tolerations:
        pod["tolerations"] = [dict(one) for one in placement.tolerations]
    if placement.node_selector:
        pod["nodeSelector"] = dict(placement.node_selector)
    if placement.resources:
        pod["containers"] = [{"name": container, "resources": dict(placement.resources)}]
    return {"spec": {"template": {"spec": pod}}} if pod else {}
