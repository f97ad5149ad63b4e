# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two plays that edit different parts of one Corefile at once, fifty times, on a real cluster.

Whole plays of role coredns, with the proof and the way back, at once are in ``tests/nodes/test_coredns.py``. What takes
too long for that is here: pods that would read an edit in an hour.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.nodes.plays import ROLE, run
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testbed.bed import Bed

pytestmark = pytest.mark.xdist_group("corefile_plays")

ROUNDS = 50
DNS = "10.96.0.10"
REF = ObjectRef("v1", "ConfigMap", "coredns", "kube-system")


def play(bed: Bed, folder: Path, wishes: dict[str, Any]) -> None:
    """One task of module corefile in a play of its own."""
    task = {"name": "Edit", "netops.kubernetes.corefile": {"kubeconfig": str(bed.folder / "kubeconfig"), **wishes}}
    whole = [{"name": "Edit", "hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    file = folder / f"{len(list(folder.iterdir()))}-{next(iter(wishes))}.json"
    file.write_text(json.dumps(whole))
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            str(file),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_plays_at_once_lose_nothing_in_fifty_rounds(serving: Bed, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            entry = {"address": f"192.0.2.{number + 1}", "names": [f"host{number}.example.com"]}
            plugins = [{"name": "whoami"}]
            wishes = (
                {"hosts": [entry]},
                {"zones": [{"zone": f"zone{number}.example.com:53", "plugins": plugins}]},
            )
            list(pool.map(lambda one: play(serving, tmp_path, one), wishes))
    found = connect({"kubeconfig": str(serving.folder / "kubeconfig")}).get(REF)
    assert found
    corefile = parse(found["data"]["Corefile"])
    served = {name for block in corefile.servers for name in block.names}
    assert {f"zone{number}.example.com:53" for number in range(ROUNDS)} <= served
    hosts = corefile.servers[0].find("hosts")
    assert hosts
    assert {f"host{number}.example.com" for number in range(ROUNDS)} <= {
        word for option in hosts.options for word in option.words
    }
    # The role has nothing of its own to change, and waits all the same: a name of each of the fifty rounds.
    done = run(serving.folder / "inventory", ROLE, role_under_test="coredns")
    assert done.status == 0, done.said
    names = " ".join(f"host{number}.example.com" for number in range(ROUNDS))
    said = serving.must(Node(2), f"for name in {names}; do dig +short @{DNS} $name; done").split()
    assert said == [f"192.0.2.{number + 1}" for number in range(ROUNDS)]


def pods(bed: Bed) -> set[str]:
    found = connect({"kubeconfig": str(bed.folder / "kubeconfig")}).list("v1", "Pod", "kube-system", "k8s-app=kube-dns")
    return {one["metadata"]["name"] for one in found if not one["metadata"].get("deletionTimestamp")}


def edited(bed: Bed, **wishes: Any) -> None:
    done = run(bed.folder / "inventory", ROLE, role_under_test="coredns", coredns_wait_timeout=400, **wishes)
    assert done.status == 0, done.said


def test_pods_that_look_once_an_hour_are_replaced(serving: Bed) -> None:
    edited(serving, coredns_plugins=[{"name": "reload", "arguments": ["1h"]}])
    before = pods(serving)
    edited(serving, coredns_hosts=[{"address": "192.0.2.99", "names": ["hour.example.com"]}])
    assert not before & pods(serving)
    assert serving.must(Node(2), f"dig +short @{DNS} hour.example.com").strip() == "192.0.2.99"
