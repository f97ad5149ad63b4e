# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The three states of the module ``port_probe``; each returns the module's result."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._probe import listeners
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import (
    ProbeError,
    listener_from,
    require_name,
    target_from,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.probes import Settings, probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def listening(wanted: Sequence[Mapping[str, Any]], node_name: str, deadline: float) -> dict[str, Any]:
    """Listen in a process of its own.

    :raises ProbeError: a wrong listener, name or deadline, or a port that cannot be bound.
    """
    if not 1 <= deadline <= 3600:
        raise ProbeError(f"deadline {deadline}", "no time to listen for", "1 to 3600 seconds")
    started = listeners.start([listener_from(one) for one in wanted], require_name(node_name), deadline)
    return {
        "changed": False,
        "listeners": [asdict(one) for one in started.bound],
        "token": started.token,
        "counters": started.counters,
    }


def settings(node_name: str, timeout: float, tries: int, burst: int) -> Settings:
    """How to probe, as a user wrote it.

    :raises ProbeError: a number that makes no sense.
    """
    for name, value, low, high in (("timeout", timeout, 0.1, 60), ("tries", tries, 1, 10), ("burst", burst, 1, 1000)):
        if not low <= value <= high:
            raise ProbeError(f"{name} {value}", "out of range", f"{low} to {high}")
    return Settings(require_name(node_name), timeout, tries, burst)


def probed(wanted: Sequence[Mapping[str, Any]], how: Settings) -> dict[str, Any]:
    """Probe every target.

    :raises ProbeError: a wrong target.
    """
    results = probe([target_from(one) for one in wanted], how)
    return {
        "changed": False,
        "results": [one.to_output() for one in results],
        "verdicts": dict(sorted(Counter(one.outcome.verdict for one in results).items())),
    }


def stopped() -> dict[str, Any]:
    """End the listening process of this node."""
    return {"changed": False, **asdict(listeners.stop())}
