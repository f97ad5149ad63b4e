# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Options that Ansible's own argument spec cannot judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 253
# The name of an object (apimachinery, IsDNS1123Subdomain).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def require_least(asked: Mapping[str, Any], **least: int) -> None:
    """Require numbers not to be below what they can mean.

    :param least: the smallest number by option; an option that is not given is passed over.
    :raises PolicyError: one is smaller.
    """
    for name, number in least.items():
        if asked[name] is not None and asked[name] < number:
            raise PolicyError(name, f"it is {asked[name]}", f"{number} or more")


def require_sound(asked: Mapping[str, Any]) -> None:
    """Require the baseline's options to mean something, before anything is asked of a cluster.

    :raises PolicyError: one does not.
    """
    require_least(asked, max_broken=0, batch_size=0, batch_wait=0)
    for key, value in asked["namespace_selector"].items():
        if not isinstance(value, str):
            raise PolicyError(f"namespace_selector {key!r}", f"it is {value!r}", "a text", "Put it in quotes")
    for one in asked["custom_policies"]:
        if not NAME.fullmatch(one["name"]) or len(one["name"]) > LONGEST_NAME:
            raise PolicyError(
                f"custom policy {one['name']!r}",
                "it cannot be the name of an object",
                f"up to {LONGEST_NAME} of a-z, 0-9, '-' and '.', with a letter or digit at both ends",
            )
