# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of ansible-playbook sees while a module works, with a real API server."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PLACE = {"name": "slow", "namespace": "default"}
POD = {"metadata": {"labels": {"a": "slow"}}, "spec": {"containers": [{"name": "one", "image": "example.com/one"}]}}
DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": PLACE,
    "spec": {"selector": {"matchLabels": {"a": "slow"}}, "template": POD},
}


@pytest.fixture
def node(client: KubeClient) -> Iterator[ObjectRef]:
    """A node on which nothing will ever run: there is no kubelet."""
    ref = ObjectRef("v1", "Node", "slow-node")
    client.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": ref.name}})
    # A new node is unschedulable until a controller that does not run here says otherwise.
    client.patch(ref, {"spec": {"taints": None}})
    yield ref
    client.delete(ObjectRef("apps/v1", "DaemonSet", "slow", "default"), propagation="Background")
    client.delete(ref, propagation="Background")


def play(folder: Path, api: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    task = {
        "name": "Wait",
        "netops.kubernetes.manifest": {"kubeconfig": api, "definitions": [DAEMON_SET], "wait": True, "wait_timeout": 8},
        **keywords,
    }
    file = folder / "play.yml"
    file.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    command = ["ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}"]
    return subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.usefixtures("node")
def test_long_work_says_how_far_it_is(api: str, tmp_path: Path) -> None:
    done = play(tmp_path, api, connection="local")
    assert done.returncode == 2, done.stdout
    said = [line for line in done.stderr.splitlines() if line.startswith("progress: ")]
    assert said[0].startswith("progress: [localhost] DaemonSet 'default/slow': 0 of 1 pods are available ("), (
        done.stderr
    )
    assert "progress: " not in done.stdout, "a program may read the standard output"
    assert "not ready after 8 s" in done.stdout


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("keywords", [{"no_log": True}, {"async": 60, "poll": 1}])
def test_where_nobody_may_listen_the_work_is_done_in_silence(
    api: str, tmp_path: Path, keywords: dict[str, Any]
) -> None:
    done = play(tmp_path, api, connection="local", **keywords)
    assert done.returncode == 2
    assert "progress: " not in done.stdout + done.stderr
