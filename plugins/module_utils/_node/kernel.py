# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Kernel modules and sysctls: as they must be now, and after the next boot.

Both are persisted in files of their own, ``modules-load.d(5)`` and ``sysctl.d(5)``; the latter records the values that
it replaced, so that they can be given back.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARK = "# Managed by netops.kubernetes"
WAS = "# before: "


@dataclass(frozen=True)
class KernelState:
    """What is there.

    :param loaded: the wanted modules that are loaded or built in.
    :param sysctls: value by name, for the wanted ones that exist.
    :param modules_file: the text of the own file below ``/etc/modules-load.d``.
    :param sysctls_file: likewise for ``/etc/sysctl.d``.
    :param others: what other parts of the network set too, and the value that each had before them.
    """

    loaded: frozenset[str]
    sysctls: Mapping[str, str]
    modules_file: str | None
    sysctls_file: str | None
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelPlan:
    """What to do; texts of ``None`` mean that there is to be no file."""

    load: tuple[str, ...]
    set_values: tuple[tuple[str, str], ...]
    modules_file: str | None
    sysctls_file: str | None


def paths(name: str) -> tuple[str, str]:
    """The own files for a name."""
    return f"/etc/modules-load.d/netops-kubernetes-{name}.conf", f"/etc/sysctl.d/90-netops-kubernetes-{name}.conf"


def previous_values(sysctls_file: str | None) -> dict[str, str]:
    """The values that the own file replaced."""
    found = re.findall(rf"^{WAS}(\S+) = (.*)$", sysctls_file or "", re.MULTILINE)
    return dict(found)


def plan(state: KernelState, modules: Sequence[str], sysctls: Mapping[str, str], *, present: bool) -> KernelPlan:
    """From what is there to what is wanted; pure."""
    if not present:
        before = previous_values(state.sysctls_file)
        back = tuple(
            (name, value)
            for name, value in before.items()
            # The last part that sets it gives it back: the others still need it.
            if name not in state.others and state.sysctls.get(name) not in (value, None)
        )
        return KernelPlan((), back, None, None)
    load = tuple(module for module in modules if module not in state.loaded)
    values = tuple((name, value) for name, value in sysctls.items() if state.sysctls.get(name) != value)
    found = {name: state.others.get(name, state.sysctls.get(name, "")) for name in sysctls}
    before = {**found, **previous_values(state.sysctls_file)}
    lines = [f"{WAS}{name} = {before[name]}\n{name} = {value}\n" for name, value in sysctls.items()]
    return KernelPlan(
        load,
        values,
        f"{MARK}\n" + "".join(f"{module}\n" for module in modules) if modules else None,
        f"{MARK}\n" + "".join(lines) if sysctls else None,
    )


def is_change(state: KernelState, wanted: KernelPlan) -> bool:
    """Whether the plan does anything."""
    files_differ = (state.modules_file, state.sysctls_file) != (wanted.modules_file, wanted.sysctls_file)
    return bool(wanted.load or wanted.set_values or files_differ)


# ---- the node ---------------------------------------------------------------------------------------------------


def _module_key(name: str) -> str:
    return name.replace("-", "_")


def built_in() -> frozenset[str]:
    """Modules that this kernel has without loading them."""
    text = files.read(f"/lib/modules/{platform.release()}/modules.builtin") or ""
    return frozenset(_module_key(Path(line).name.split(".")[0]) for line in text.splitlines())


def _is_loaded(module: str) -> bool:
    return Path("/sys/module", _module_key(module)).is_dir()


def is_present(module: str) -> bool:
    """Whether the kernel has a module in it, so that what asks it does not load it first.

    A kernel that loads none has all that it will ever have.
    """
    return _is_loaded(module) or _module_key(module) in built_in() or not Path("/proc/modules").exists()


def observe(name: str, modules: Sequence[str], sysctls: Sequence[str]) -> KernelState:
    """Read the node."""
    modules_path, sysctls_path = paths(name)
    sysctls_file = files.read(sysctls_path)
    present = built_in()
    loaded = [module for module in modules if _module_key(module) in present or _is_loaded(module)]
    wanted = {*sysctls, *previous_values(sysctls_file)}
    values = {one: value for one in wanted for value in [read_sysctl(one)] if value is not None}
    others = {
        sysctl: value
        for path in sorted(Path(sysctls_path).parent.glob(Path(paths("*")[1]).name))
        if str(path) != sysctls_path
        for sysctl, value in previous_values(files.read(str(path))).items()
    }
    return KernelState(frozenset(loaded), values, files.read(modules_path), sysctls_file, others)


def sysctl_path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def read_sysctl(name: str) -> str | None:
    """A sysctl's value with single blanks, or nothing when this kernel does not have it."""
    text = files.read(sysctl_path(name))
    return None if text is None else " ".join(text.split())


def carry_out(name: str, wanted: KernelPlan) -> None:
    """Do what the plan says; files last, so that a run that was killed is completed by the next.

    :raises NodeError: the kernel lacks a module or a sysctl.
    """
    for module in wanted.load:
        done = run(["modprobe", module])
        if done.returncode != 0:
            raise NodeError(
                f"kernel module {module!r} on {os.uname().nodename}",
                f"kernel {platform.release()} does not load it: {done.stderr.strip()}",
                "a module of this kernel",
                "Install the package with this kernel's further modules, or choose what does not need it",
            )
    modules_path, sysctls_path = paths(name)
    if wanted.sysctls_file is not None:
        # Before the values: what they were must be known for certain before they are gone.
        files.write(sysctls_path, wanted.sysctls_file)
    for sysctl, value in wanted.set_values:
        try:
            Path(sysctl_path(sysctl)).write_text(f"{value}\n", encoding="ascii")
        except OSError as error:
            raise NodeError(
                f"sysctl {sysctl!r} on {os.uname().nodename}",
                f"it cannot be set to {value!r}: {error.strerror}",
                remedy="Load the kernel module that brings it, or correct its name and value",
            ) from error
    if wanted.sysctls_file is None:
        files.remove(sysctls_path)
    if wanted.modules_file is None:
        files.remove(modules_path)
    else:
        files.write(modules_path, wanted.modules_file)


def describe(name: str, state: KernelState, wanted: KernelPlan) -> dict[str, str]:
    """Before and after, for a diff."""
    modules_path, sysctls_path = paths(name)
    after = {**state.sysctls, **dict(wanted.set_values)}
    sides = (
        (state.loaded, state.sysctls, state.modules_file, state.sysctls_file),
        (state.loaded | set(wanted.load), after, wanted.modules_file, wanted.sysctls_file),
    )
    texts = [
        "".join(f"module {module} loaded\n" for module in sorted(loaded))
        + "".join(f"sysctl {one} = {value}\n" for one, value in sorted(values.items()))
        + "".join(f"{path}:\n{text}" for path, text in ((modules_path, mfile), (sysctls_path, sfile)) if text)
        for loaded, values, mfile, sfile in sides
    ]
    return {"before": texts[0], "after": texts[1], "before_header": name, "after_header": name}
