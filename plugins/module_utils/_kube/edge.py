# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How modules that apply objects are run.

Not beside what all modules share: a module for nodes would carry the writing of manifests along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import dump
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ObjectsModule(AnsibleModule):
    """A module whose options may hold secrets: objects, or values of which a chart makes some.

    What a module is called with Ansible writes to the system's log, before anything else, and shows with ``-vvv``,
    however the module ends: also when an option is refused. Both get the options without secrets. Should they be marked
    as ``no_log``, every name in them would be cut out of all that the module says.
    """

    params: dict[str, Any]

    def _log_invocation(self) -> None:
        # The one method without a public name: it reads the options by itself.
        asked, self.params = self.params, without_secrets(self.params)
        super()._log_invocation()
        self.params = asked

    def exit_json(self, **result: Any) -> None:
        """End with a result; see Ansible's own."""
        super().exit_json(**self._shown(), **result)

    def fail_json(self, msg: str, **result: Any) -> None:
        """End with an error; see Ansible's own, which calls this for options that it refuses."""
        super().fail_json(msg, **self._shown(), **result)

    def _shown(self) -> dict[str, Any]:
        return {"invocation": {"module_args": without_secrets(self.params)}}


def run_shown(module: ObjectsModule, task: Callable[..., Mapping[str, Any]]) -> None:
    """Run a task and leave the module with its result.

    :param task: takes the module's options, what makes readable text of an object, ``check`` and ``diff``.
    """
    asked_for = module._diff  # noqa: SLF001 - Ansible has no public name for --diff
    run(module, lambda: task(module.params, dump, check=module.check_mode, diff=asked_for))
