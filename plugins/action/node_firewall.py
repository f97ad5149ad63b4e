# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of the module: a new connection that confirms the rules, or the news that they are undone."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

# Connections that no packet filter of the node stands in the way of.
WITHOUT_A_NETWORK = {"local", "chroot", "jail", "docker", "podman", "buildah", "nspawn", "machinectl"}
# Seconds between attempts, for a refusal comes back at once and would be asked for without end.
PAUSE = 0.5


class ActionModule(ActionBase):
    """Run the module; when it has put rules on probation, come back by a new connection and say that they may stay."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the module's result; a failed one when no new connection could be made in time."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if str(self._connection.transport).rpartition(".")[2] in WITHOUT_A_NETWORK:
            arguments["confirm_timeout"] = 0
        applied = self._module(arguments, task_vars)
        result.update(applied)
        token = str(applied.get("token") or "")
        if applied.get("failed") or not token:
            return result
        confirmed = self._confirm(arguments, token, task_vars)
        diff = applied.get("diff")
        result.update({**confirmed, **({"diff": diff} if diff else {})})
        result.pop("token", None)
        return result

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = self._execute_module(
            module_name="netops.kubernetes.node_firewall", module_args=arguments, task_vars=task_vars
        )
        return found

    def _confirm(self, arguments: dict[str, Any], token: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Come back until it works, or the node has gone back to its old rules."""
        patience = int(arguments.get("confirm_timeout", 60))
        begin = time.monotonic()
        # After its time-out the node has its old rules again, and says so to whoever comes then.
        deadline = begin + patience + max(30, patience)
        failure = ""
        while time.monotonic() < deadline:
            try:
                # What is there already was let in by the old rules and would prove nothing.
                self._connection.reset()
                found = self._module({**arguments, "token": token}, task_vars)
            except (AnsibleConnectionFailure, AnsibleError) as error:
                failure = str(error)
                time.sleep(PAUSE)
                continue
            if not found.get("failed"):
                return {**found, "confirmed_after": round(time.monotonic() - begin, 1)}
            return {**found, "changed": False, "msg": self._undone(str(found.get("msg")), failure, patience)}
        host = self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "")
        text = f"node {host!r}: no new connection for {deadline - begin:.0f} s after new rules were applied"
        remedy = "The node has gone back to its old rules by itself; look at it from its console"
        return {"failed": True, "changed": False, "msg": str(NetopsError(text, failure, remedy=remedy))}

    def _undone(self, said: str, failure: str, patience: int) -> str:
        if not failure:
            return said
        return f"{said} In {patience} s no new connection to the node worked: {failure.strip()}"
