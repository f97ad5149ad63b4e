# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run as Ansible runs them: a process of their own, arguments as JSON, a result as JSON."""

from __future__ import annotations

import json
import re
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

# A sentence put behind the full stop of another one; an ellipsis is none.
TWO_STOPS = re.compile(r"(?<!\.)\.\.(?=\s|$)")

# Watches what leaves a trace: a file opened for writing, renamed, removed, a folder, a link, a program started, a call
# by D-Bus that changes something. Right before the act of a given number the process dies, or stands still so that
# something else can happen to its machine.
WATCH = """
import atexit, os, signal, sys
ACTS = {'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.symlink', 'os.chmod', 'subprocess.Popen', 'dbus.call'}
def audit_calls():
    try:
        from dbus.connection import Connection
    except ImportError:
        return
    call = Connection.call_blocking
    def audited(self, service, path, interface, method, *arguments, **options):
        if method.startswith(('add', 'change', 'remove', 'set')):
            sys.audit('dbus.call', method)
        return call(self, service, path, interface, method, *arguments, **options)
    Connection.call_blocking = audited
def watch(step, death):
    audit_calls()
    done = programs = 0
    def act(event, arguments):
        nonlocal done, programs
        programs += event == 'subprocess.Popen'
        writes = event == 'open' and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        named = isinstance(arguments[0], str) and not arguments[0].startswith('/dev/') if writes else False
        if event in ACTS or named:
            done += 1
            if done == step:
                if death == 'SIGKILL':
                    os.kill(os.getpid(), signal.SIGKILL)
                print('stands still', flush=True)
                signal.pause()
    if step == 0:
        atexit.register(lambda: print('programs', programs, 'acts', done))
    sys.addaudithook(act)
"""
DYING = f"""
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read(); basic._ANSIBLE_PROFILE = 'legacy'
{WATCH}
watch(int(sys.argv[2]), 'SIGKILL')
runpy.run_module(sys.argv[1], run_name='__main__', alter_sys=True)
"""


@dataclass(frozen=True)
class Module:
    """One module with options that every call shares.

    :param prefix: what the process is started with: a network namespace, for instance.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    python: str = sys.executable

    def command(self) -> list[str]:
        return [*self.prefix, self.python, "-c", START, f"{PACKAGE}.{self.name}"]

    def command_that_dies(self, step: int) -> list[str]:
        """The same, killed right before its ``step``-th act on the system; 0 kills it never and prints their number."""
        return [*self.prefix, self.python, "-B", "-c", DYING, f"{PACKAGE}.{self.name}", str(step)]

    def arguments(self, *, check: bool = False, diff: bool = False, **options: Any) -> str:
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
        return json.dumps({"ANSIBLE_MODULE_ARGS": {**self.options, **options, **internal}})

    def __call__(self, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run it; a failed module's result has ``failed`` set, and its message is made of whole sentences."""
        done = self._run(self.command(), check=check, diff=diff, **options)
        assert done.stdout.strip(), f"{self.name} printed no result: {done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        assert not (result.get("failed") and TWO_STOPS.search(str(result.get("msg")))), result["msg"]
        return result

    def acts(self, **options: Any) -> int:
        """Run it and count its acts."""
        return int(self._watched(**options)[-1])

    def programs(self, **options: Any) -> int:
        """Run it and count the programs that it starts."""
        return int(self._watched(**options)[-3])

    def _watched(self, **options: Any) -> list[str]:
        done = self._run(self.command_that_dies(0), **options)
        assert '"failed": true' not in done.stdout, done.stdout
        return done.stdout.split()

    def dies_at(self, step: int, **options: Any) -> None:
        """Run it up to, and not including, its ``step``-th act."""
        done = self._run(self.command_that_dies(step), **options)
        assert not done.stdout.strip(), f"step {step} was never reached: {done.stdout}"

    def _run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=self.arguments(**options), capture_output=True, text=True, timeout=100, check=False
        )

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
