# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed between two of its writes to the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient


class Killed(BaseException):
    """The process ends here; nothing may catch it on the way."""


class Mortal:
    """A client that dies before one of its writes.

    :param step: how many writes it lives for.
    :param writes: the methods that count.
    """

    def __init__(
        self, client: KubeClient, step: int, writes: Container[str] = ("replace", "patch", "delete", "create")
    ) -> None:
        self._client, self._left, self._writes = client, step, writes

    def __getattr__(self, name: str) -> Any:
        if name in self._writes:
            self._live_on()
        return getattr(self._client, name)

    def raw(self, method: str, path: str, **options: Any) -> Any:
        """An eviction is the one write that has no method of its own."""
        if path.endswith("/eviction"):
            self._live_on()
        return self._client.raw(method, path, **options)

    def _live_on(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1
