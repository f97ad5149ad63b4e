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
        result = job()
    except NetopsError as error:
        module.fail_json(msg=str(error), **error.details)
    # ansible-core takes no warnings among a result any more; it puts there what it was told in this way.
    for warning in result.get("warnings", []):
        module.warn(warning)
    module.exit_json(**{name: value for name, value in result.items() if name != "warnings"})
