# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy on a test bed: role kube_proxy played, and what has come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.addresses import PROTOCOL
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import BRIDGE_TABLE
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import (
    DAEMON_SET,
    HELD,
    PENDING,
    PREVIOUS,
)
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.plays import Played, run

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from tests.testbed.bed import Bed

PLAYBOOK = PLAYBOOKS / "kube_proxy.yml"
MODE = "curl --silent --fail --max-time 5 http://localhost:10249/proxyMode || true"


def play(bed: Bed, *words: str, **variables: Any) -> Played:
    return run(bed.folder / "inventory", PLAYBOOK, *words, **variables)


def api(bed: Bed) -> KubeClient:
    return connect({"kubeconfig": str(bed.folder / "kubeconfig")})


def modes(bed: Bed) -> list[str]:
    """The mode of each node's kube-proxy; empty where it does not answer."""
    return [bed.must(node, MODE).strip() for node in bed.nodes]


def uids(bed: Bed) -> set[str]:
    """What tells whether a kube-proxy was restarted."""
    pods = api(bed).list("v1", "Pod", DAEMON_SET.namespace, "k8s-app=kube-proxy")
    return {pod["metadata"]["uid"] for pod in pods}


def strategy(bed: Bed) -> str:
    found = api(bed).get(DAEMON_SET)
    assert found
    return str(found["spec"]["updateStrategy"]["type"])


def configuration(bed: Bed) -> str:
    found = api(bed).get(CONFIG_MAP)
    assert found
    return str(found["data"][KEY])


def has_ended(bed: Bed) -> bool:
    """Whether no roll-out is under way, and no node is left with what one makes for its time."""
    found = [api(bed).get(ref) for ref in (CONFIG_MAP, DAEMON_SET)]
    notes = {note for one in found if one for note in one["metadata"].get("annotations") or {}}
    look = f"nft list tables | grep {BRIDGE_TABLE}; ip route show table local proto {PROTOCOL}"
    left = "".join(bed.ssh(node, look).stdout for node in bed.nodes)
    return strategy(bed) == "RollingUpdate" and not {HELD, PENDING, PREVIOUS} & notes and not left


def evidence(bed: Bed) -> list[str]:
    """What tells why a connection failed.

    Which modules ran when on the nodes, which pods came, went or were not ready, and which packets nobody answered.
    """
    journal = "journalctl --no-pager --output=short-unix --since=-10min"
    commands = (
        f"{journal} | grep -E 'ansible-.*(bridge|rollout|proxy|kernel)'",
        f"{journal} --unit=kubelet | grep -iE 'probe|readiness|killing'",
        "conntrack -L 2>/dev/null | grep UNREPLIED",
        "ipvsadm -Lnc | head -50",
    )
    said = [bed.ssh(node, f"{command} | cut -c1-240").stdout for node in bed.nodes for command in commands]
    return [line for text in said for line in text.splitlines()]
