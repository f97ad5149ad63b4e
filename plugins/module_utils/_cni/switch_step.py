# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What every step of a switch needs: the record, a node, and a way to say what it does, or would do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import NodeFacts, Record, SwitchError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import node_facts, record_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

POLL_SECONDS = 0.5


class Step:
    """One step of the switch that is under way, and what all of them need.

    :param check: say what would be done, and do nothing.
    :param timeout: seconds for what a step waits for.
    """

    def __init__(self, client: KubeClient, *, check: bool, timeout: float) -> None:
        self.client, self.check, self.timeout = client, check, timeout
        self.done: list[str] = []

    def _do(self, line: str, act: Callable[[], object]) -> None:
        self.done.append(line)
        if not self.check:
            act()

    def _wait(self, lack: Callable[[], str], error: Callable[[str], SwitchError]) -> None:
        """Wait until nothing is lacking.

        :param lack: looks what is, and may be called again at any time.
        """
        deadline = time.monotonic() + (0 if self.check else self.timeout)
        while not self.check:
            reason = answered(lack, deadline)
            if not reason:
                return
            if time.monotonic() > deadline:
                raise error(reason)
            # What lacks stands in objects of several kinds, so no single watch would tell of it.
            time.sleep(POLL_SECONDS)

    def _record(self) -> Record:
        record = record_of(self.client)
        if record is None:
            raise SwitchError(
                "switch of the CNI", "none is under way", "one that has begun", "Run the playbook cni_switch"
            )
        return record

    def _node(self, name: str) -> NodeFacts:
        live = self.client.get(ObjectRef("v1", "Node", name))
        if live is None:
            raise SwitchError(f"node '{name}'", "this cluster has none of that name", "the name of a node")
        return node_facts(live)

    def _patch_node(self, name: str, body: Mapping[str, Any]) -> None:
        self.client.patch(ObjectRef("v1", "Node", name), body)

    def _patch(self, ref: ObjectRef, patch: Mapping[str, Any]) -> None:
        self.client.patch(ref, patch)

    def _delete(self, ref: ObjectRef) -> None:
        self.client.delete(ref, propagation="Background")
