# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A kubeconfig for the controller: its own, or a control-plane node's for as long as Ansible runs."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - the name that Ansible's own plugins give it
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError, sentence
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.access import DEFAULT_FILE, elsewhere

NODE_PATH = "/etc/kubernetes/admin.conf"


class ActionModule(ActionBase):
    """Look on the controller first; read the node's file only where there is nothing."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the path, and whether the file was read from the node."""
        _spec, asked = self.validate_argument_spec(
            {
                "path": {"type": "path", "default": DEFAULT_FILE},
                "node_path": {"type": "path", "default": NODE_PATH},
                "server": {"type": "str"},
            }
        )
        result: dict[str, Any] = super().run(tmp, task_vars)
        own = Path(asked["path"]).expanduser()
        if own != Path(DEFAULT_FILE).expanduser() or is_there(own):
            return {**result, "changed": False, "path": str(own), "read_from_node": False}
        text = self._read(asked["node_path"], task_vars)
        try:
            text = elsewhere(text, asked["server"], asked["node_path"]) if asked["server"] else text
        except NetopsError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False, "path": written(text), "read_from_node": True}

    def _read(self, path: str, task_vars: dict[str, Any] | None) -> str:
        found = self._execute_module(module_name="ansible.legacy.slurp", module_args={"src": path}, task_vars=task_vars)
        if found.get("failed"):
            host = self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "")
            problem = sentence(f"kubeconfig of node {host!r}: {path!r} cannot be read: {found.get('msg')}")
            raise AnsibleActionFail(
                f"{problem} There is none on the controller either: set kubernetes_kubeconfig (or K8S_AUTH_KUBECONFIG)"
                ", or let Ansible become root on the node."
            )
        return base64.b64decode(found["content"]).decode()


def is_there(path: Path) -> bool:
    """Whether the controller has this file.

    :raises AnsibleActionFail: its folder may not be entered.
    """
    try:
        return path.exists()
    except OSError as error:
        raise AnsibleActionFail(
            f"kubeconfig {str(path)!r}: it cannot be read: {error.strerror}. Set kubernetes_kubeconfig (or "
            "K8S_AUTH_KUBECONFIG) to a file that this user may read, or HOME to this user's own."
        ) from error


def written(text: str) -> str:
    """A file that only this user can read, in the folder that Ansible removes when it ends."""
    number, path = tempfile.mkstemp(prefix="netops-kubeconfig-", dir=C.DEFAULT_LOCAL_TMP)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
    return path
