# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role kube_proxy on a real cluster with a node on which the mode cannot start."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.nodes.conftest import PLAYBOOKS
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from tests.testbed.bed import Bed

DAEMON_SET = ObjectRef("apps/v1", "DaemonSet", "kube-proxy", "kube-system")
MODE = "curl --silent --fail http://localhost:10249/proxyMode"
LAST = Node(2)
# Takes IPVS away for good as soon as the role has loaded it: after the look for what stands in the way.
VANISHING = """
systemd-run --quiet sh -c '
  until lsmod | grep -q ^ip_vs_lc; do sleep 0.1; done
  mkdir /root/gone
  cd /lib/modules/$(uname -r)
  find . -name "ip_vs*.ko*" -exec cp --parents {} /root/gone \\; -exec rm {} \\;
  for module in $(lsmod | grep -o "^ip_vs_[a-z]*") ip_vs; do rmmod $module; done'
"""
BACK = "cp -r /root/gone/. /lib/modules/$(uname -r)/ && depmod"


def play(bed: Bed, **variables: Any) -> subprocess.CompletedProcess[str]:
    words = ["ansible-playbook", "-i", str(bed.folder / "inventory"), str(PLAYBOOKS / "kube_proxy.yml")]
    return subprocess.run(
        [*words, "-e", json.dumps(variables)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_PIPELINING": "1"},
        timeout=600,
    )


def modes(bed: Bed) -> list[str]:
    return [bed.must(node, MODE) for node in bed.nodes]


def strategy(bed: Bed) -> str:
    found = connect({"kubeconfig": str(bed.folder / "kubeconfig")}).get(DAEMON_SET)
    assert found
    return str(found["spec"]["updateStrategy"]["type"])


def test_where_the_mode_cannot_start_all_nodes_go_back(serving: Bed) -> None:
    serving.must(LAST, VANISHING)
    wanted = {"kube_proxy_mode": "ipvs", "kube_proxy_ipvs_scheduler": "lc"}
    done = play(serving, **wanted, kube_proxy_rollback="all", kube_proxy_wait_timeout=40)
    assert done.returncode != 0
    assert f"kube-proxy on node {LAST.name} did not come to serve" in done.stdout, done.stdout
    assert "Every node has the configuration from before again" in done.stdout
    # What its log says of the cause.
    assert "ipvs" in done.stdout.partition("Its log said:")[2].lower(), done.stdout
    assert modes(serving) == ["iptables", "iptables"]
    assert strategy(serving) == "RollingUpdate"
    for node in serving.nodes:
        assert "netops" not in serving.must(node, "nft list tables")

    serving.must(LAST, BACK)
    done = play(serving, **wanted)
    assert done.returncode == 0, done.stdout
    assert modes(serving) == ["ipvs", "ipvs"]
