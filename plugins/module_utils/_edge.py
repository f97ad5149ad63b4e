# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The one place where our exceptions become an Ansible result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible.module_utils.basic import AnsibleModule


def run(module: AnsibleModule, job: Callable[[], Mapping[str, Any]]) -> None:
    """Run ``job`` and leave the module with its result.

    :param module: the module that was just made from its argument spec.
    :param job: takes nothing and returns the module's result, ``changed`` included, and ``warnings`` if there are any.
    """
    try:
        _refuse_negative_waits(module.params)
        result = job()
    except NetopsError as error:
        module.fail_json(msg=str(error), **error.details)
    # ansible-core takes no warnings among a result any more; it puts there what it was told in this way.
    for warning in result.get("warnings", []):
        module.warn(warning)
    module.exit_json(**{name: value for name, value in result.items() if name != "warnings"})


def _refuse_negative_waits(asked: Mapping[str, Any]) -> None:
    """Refuse to wait for less than no time, before anything is done; every module's options name such seconds alike.

    :raises NetopsError: an option does.
    """
    for name, seconds in asked.items():
        if name.endswith("timeout") and isinstance(seconds, (int, float)) and seconds < 0:
            raise NetopsError(f"{name} {seconds}", "it is negative", "seconds, 0 or more")
