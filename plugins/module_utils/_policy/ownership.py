# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which policies are a baseline's own.

The mark of the collection alone does not tell: the module ``manifest`` puts it on all that it applies. So policies of a
baseline bear a label of their own. Those that were written before there was one are known by what they are: the mark,
no other label, the name of a template, every pod of the namespace, no direction that the template is not about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    MANAGER,
    Object,
    labels_of,
    marked,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL = "netops.kubernetes/baseline"
VALUE = "network-policy"
# The policy that comes first and goes last while a namespace's others change; see ``templates.transition``.
TRANSITION = "baseline-transition"
BOTH = ("Ingress", "Egress")
# The directions that each template is about.
DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "allow-all-ingress": ("Ingress",),
    "allow-all-egress": ("Egress",),
    "allow-dns": ("Egress",),
    "allow-same-namespace": BOTH,
    "allow-from-ingress": ("Ingress",),
    "allow-from-monitoring": ("Ingress",),
    "allow-to-apiserver": ("Egress",),
    "allow-from-apiserver": ("Ingress",),
    "allow-nodes": ("Ingress",),
    "default-deny-ingress": ("Ingress",),
    "default-deny-egress": ("Egress",),
    "default-deny-all": BOTH,
    TRANSITION: BOTH,
}


def owned(policy: Object) -> Object:
    """A copy of a policy that bears the collection's mark and the baseline's label."""
    result = marked(policy)
    result["metadata"]["labels"][LABEL] = VALUE
    return result


def is_labelled(policy: Mapping[str, Any]) -> bool:
    """Whether a live policy bears the baseline's label."""
    labels = labels_of(policy)
    return labels.get(MANAGED_BY) == MANAGER and labels.get(LABEL) == VALUE


def is_own(policy: Mapping[str, Any]) -> bool:
    """Whether a live policy is the baseline's, by its label or as an older one."""
    return is_labelled(policy) or _is_older(policy)


def _is_older(policy: Mapping[str, Any]) -> bool:
    """Whether it is a NetworkPolicy as the baseline wrote them before they had a label of their own."""
    spec = policy.get("spec") or {}
    name = policy["metadata"]["name"]
    return (
        policy.get("kind", "NetworkPolicy") == "NetworkPolicy"
        and name in DIRECTIONS
        and labels_of(policy) == {MANAGED_BY: MANAGER}
        and not spec.get("podSelector")
        and set(spec.get("policyTypes") or ()) <= set(DIRECTIONS[name])
    )


def require_own(policy: Mapping[str, Any], remedy: str) -> None:
    """Require a live policy of a name that the baseline writes to be its own.

    :param remedy: what the user can do.
    :raises PolicyError: it is somebody else's.
    """
    if is_own(policy):
        return
    raise PolicyError(
        str(ref_of({"apiVersion": "v1", "kind": "NetworkPolicy", **policy})),
        f"it is there and lacks the label {LABEL}={VALUE}",
        "no policy of this name, or one of the baseline",
        remedy,
    )
