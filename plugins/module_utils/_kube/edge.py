# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How modules that apply objects are run.

Not beside what all modules share: a module for nodes would carry the writing of manifests along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import dump
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible.module_utils.basic import AnsibleModule


def run_shown(module: AnsibleModule, task: Callable[..., Mapping[str, Any]]) -> None:
    """Run a task and leave the module with its result.

    :param task: takes the module's options, what makes readable text of an object, ``check`` and ``diff``.
    """
    asked_for = module._diff  # noqa: SLF001 - Ansible has no public name for --diff
    asked = module.params
    # Ansible shows with -vvv what a module was called with, how ever it ends.
    module.params = without_secrets(asked)
    run(module, lambda: task(asked, dump, check=module.check_mode, diff=asked_for))
