# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for objects of an API server that goes away in between; what it says is played, connection by connection."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import waiting
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import (
    KubeClient,
    KubeError,
    UnreachableError,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from urllib3.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

POD = ObjectRef("v1", "Pod", "web", "shop")


@dataclass(frozen=True)
class Answer:
    status: int
    data: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Played:
    """A pool of connections, each of which ends as the test says; the last one again and again."""

    ends: list[Any]

    def request(self, *_unused: Any, **_options: Any) -> Answer:
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, Exception):
            raise end
        status, content = end
        return Answer(status, json.dumps(content).encode())


def client_of(*ends: Any) -> KubeClient:
    return KubeClient(Played(list(ends)), "https://192.0.2.1:6443", {}, dict)


def pod(status: str, uid: str = "a") -> tuple[int, dict[str, Any]]:
    conditions = [{"type": "Ready", "status": status}]
    metadata = {"name": "web", "namespace": "shop", "uid": uid}
    return 200, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"conditions": conditions}}


BROKEN = ProtocolError("Connection aborted.")
AWAY: list[Any] = [BROKEN, (503, {"message": "no healthy upstream"})]
GONE = (404, {"message": "not found"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)


@pytest.mark.parametrize("ends", [[BROKEN], AWAY, [pod("False"), *AWAY]])
def test_an_api_server_that_comes_back_is_waited_for(ends: Sequence[Any]) -> None:
    _unused, wanted = pod("True")
    waiting.wait_ready(client_of(*ends, pod("True")), [wanted], 5.0)
    waiting.wait_gone(client_of(*ends, GONE), [POD], time.monotonic() + 5.0)


def test_one_that_stays_away_ends_the_wait_when_its_time_is_up() -> None:
    _unused, wanted = pod("True")
    with pytest.raises(UnreachableError, match="Connection aborted"):
        waiting.wait_ready(client_of(BROKEN), [wanted], 0.1)


def test_a_refusal_ends_the_wait_at_once() -> None:
    _unused, wanted = pod("True")
    begin = time.monotonic()
    with pytest.raises(KubeError, match="forbidden"):
        waiting.wait_ready(client_of((403, {"message": "forbidden"})), [wanted], 60.0)
    assert time.monotonic() - begin < 30.0
