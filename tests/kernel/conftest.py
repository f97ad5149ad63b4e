# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine's own kernel, in network namespaces that a test made and that end with it."""

from __future__ import annotations

import os
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first words are folders; each is the test's own, below the folder that follows, while the module runs.
PRIVATE = (
    'folders=$1 root=$2; shift 2; for d in $folders; do mkdir -p "$root$d" "$d"; mount --bind "$root$d" "$d"; done; '
    'exec "$@"'
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Namespace:
    """A network namespace: one host of a network."""

    name: str

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *command], input=stdin, capture_output=True, text=True, timeout=30, check=False
        )


@dataclass(frozen=True)
class Network:
    """A node and the peers around it, on one bridge: ``node`` has 198.18.1.1 and 2001:db8:1::1."""

    node: Namespace
    friend: Namespace
    stranger: Namespace


@pytest.fixture
def network() -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.fail("These tests make network namespaces; run them as root.")
    unique = uuid.uuid4().hex[:8]
    names = {role: f"netops-{unique}-{role}" for role in ("bridge", "node", "friend", "stranger")}
    try:
        for name in names.values():
            ip("netns", "add", name)
            ip("-netns", name, "link", "set", "lo", "up")
        ip("-netns", names["bridge"], "link", "add", "bridge0", "type", "bridge")
        ip("-netns", names["bridge"], "link", "set", "bridge0", "up")
        for number, role in enumerate(("node", "friend", "stranger"), start=1):
            peer = ("peer", "name", "eth0", "netns", names[role])
            ip("-netns", names["bridge"], "link", "add", f"port{number}", "type", "veth", *peer)
            ip("-netns", names["bridge"], "link", "set", f"port{number}", "master", "bridge0", "up")
            ip("-netns", names[role], "address", "add", f"198.18.1.{number}/24", "dev", "eth0")
            ip("-netns", names[role], "address", "add", f"2001:db8:1::{number}/64", "dev", "eth0", "nodad")
            ip("-netns", names[role], "link", "set", "eth0", "up")
        yield Network(Namespace(names["node"]), Namespace(names["friend"]), Namespace(names["stranger"]))
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
