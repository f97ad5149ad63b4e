# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run as Ansible runs them: a process of their own, arguments as JSON, a result as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

PACKAGE = "ansible_collections.netops.kubernetes.plugins.modules"
# What AnsiballZ does: the arguments are set before the module starts.
START = (
    "import runpy, sys; from ansible.module_utils import basic; "
    "basic._ANSIBLE_ARGS = sys.stdin.buffer.read(); basic._ANSIBLE_PROFILE = 'legacy'; "
    "runpy.run_module(sys.argv[1], run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class Module:
    """One module with options that every call shares.

    :param prefix: what the process is started with: a network namespace, for instance.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [*self.prefix, sys.executable, "-c", START, f"{PACKAGE}.{self.name}"]

    def arguments(self, *, check: bool = False, diff: bool = False, **options: Any) -> str:
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
        return json.dumps({"ANSIBLE_MODULE_ARGS": {**self.options, **options, **internal}})

    def __call__(self, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run it; a failed module's result has ``failed`` set."""
        done = subprocess.run(
            self.command(),
            input=self.arguments(check=check, diff=diff, **options),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.stdout.strip(), f"{self.name} printed no result: {done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return result

    def succeeds(self, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run it and require success."""
        result = self(check=check, diff=diff, **options)
        assert not result.get("failed"), result.get("msg", result)
        return result

    def fails(self, *, check: bool = False, **options: Any) -> str:
        """Run it, require failure and return its message."""
        result = self(check=check, **options)
        assert result.get("failed"), result
        return str(result["msg"])


def state_matrix(module: Module, **options: Any) -> dict[str, Any]:
    """Check, run, check again, run again: what changes and when must be said truly.

    :returns: the result of the first real run.
    """
    predicted = module.succeeds(check=True, diff=True, **options)
    assert predicted["changed"] is True, "check mode before the first run must predict the change"
    assert predicted.get("diff"), "a predicted change must be shown"
    first = module.succeeds(diff=True, **options)
    assert first["changed"] is True
    assert module.succeeds(check=True, **options)["changed"] is False, "check mode afterwards must predict nothing"
    assert module.succeeds(**options)["changed"] is False, "a second run must change nothing"
    return first
