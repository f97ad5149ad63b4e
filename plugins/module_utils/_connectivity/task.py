# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``connectivity_check`` does, from its options to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.agreement import summary_of
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import Wishes, matrix, summary
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.session import (
    ConnectivityError,
    prove,
    require_all,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import secret_refs

if TYPE_CHECKING:
    from collections.abc import Mapping

# The least that IPv4 asks of a link (RFC 791), and the most that an IP packet can be.
SMALLEST_MTU = 68
LARGEST_MTU = 65535


def connectivity(asked: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Prove what the options ask.

    :param asked: the module's options.
    :raises NetopsError: something does not work, or cannot be tried.
    """
    wishes = wishes_of(asked)
    pull_secrets = secret_refs(asked["pull_secrets"])
    agreed = summary_of(asked["cni_nodes"])
    if check:
        said = [*agreed, "check mode: nothing was proven"]
        return {"changed": False, "connections": 0, "summary": said, "api_requests": 0}
    client = connect(asked)
    verdicts = prove(client, asked["image"], wishes, asked["timeout"], pull_secrets)
    require_all(verdicts)
    return {
        "changed": False,
        "connections": len(verdicts),
        "summary": [*agreed, *summary(verdicts)],
        "matrix": matrix(verdicts),
        "api_requests": client.requests,
    }


def wishes_of(asked: Mapping[str, Any]) -> Wishes:
    """The options as what is to be proven.

    :raises ConnectivityError: one is not what it should be.
    """
    mtu = asked["mtu"] or _configured_mtu(asked["cni_nodes"])
    if mtu and not SMALLEST_MTU <= mtu <= LARGEST_MTU:
        raise ConnectivityError(f"mtu {mtu}", "no link has it", f"0, or {SMALLEST_MTU} to {LARGEST_MTU} bytes")
    return Wishes(tuple(asked["names"]), tuple(map(_server, asked["outside"])), mtu)


def _configured_mtu(nodes: Mapping[str, Mapping[str, Any]]) -> int:
    """What the CNI gives to pods, the smallest of all nodes; 0 where it does not say it."""
    return min((mtu for one in nodes.values() if (mtu := one.get("mtu", 0))), default=0)


def _server(text: str) -> tuple[str, int]:
    host, _unused, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConnectivityError(f"outside {text!r}", "it is no server", "HOST:PORT, such as www.example.com:443")
    return host, int(port)
