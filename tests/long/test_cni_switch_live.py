# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flannel to a real Calico and back on two machines while pods and nodes connect; killed in every task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_reading import agents, record_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from tests.nodes.conftest import PLAYBOOKS, cluster_that_serves
from tests.nodes.following import following
from tests.nodes.plays import ENVIRONMENT, succeeds
from tests.testbed import artefacts
from tests.testbed.inventory import write_inventory
from tests.testbed.settings import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("cni_switch")

SWITCH = PLAYBOOKS / "cni_switch.yml"
MIRROR = os.environ.get("NETOPS_MIRROR", str(HERE.parent.parent / ".." / "shared" / "mirror"))
CALICO: dict[str, Any] = {
    "cni_switch_to": "calico",
    "calico_mode": "manifest",
    "calico_version": "v3.28.5",
    "calico_manifest_src": [f"{MIRROR}/calico/v3.28.5/calico.yaml"],
    "calico_vxlan_port": 8472,
    "calico_vxlan_vni": 1,
}
FLANNEL: dict[str, Any] = {"cni_switch_to": "flannel"}
# The tasks that change something, as the role names them; a run is killed some seconds into each.
TASKS = (
    "Note the switch, and hold the old CNI to the nodes that have it",
    "Provide the new CNI for the nodes that will have it",
    "Free this node of pods and of the old CNI",
    "Remove what the old CNI left on this node",
    "Let the new CNI come to this node, and recreate what draining left",
    "Let pods be scheduled on this node again",
    "Note that every node is switched",
    "Remove the objects of the old CNI",
    "Forget its kernel modules and sysctls",
    "Provide the new CNI for all nodes",
    "Take the switch's labels off the nodes, and forget it",
)


@pytest.fixture(scope="module")
def switching() -> Iterator[Bed]:
    """A cluster with Flannel whose nodes have Calico's images too."""
    with cluster_that_serves("switching", images=[artefacts.IMAGE_SETS["calico"]]) as bed:
        yield bed


@pytest.fixture
def client(switching: Bed) -> KubeClient:
    return connect({"kubeconfig": str(switching.folder / "kubeconfig")})


def require_only(bed: Bed, client: KubeClient, cni: str, gone: str) -> None:
    """One CNI is there, nothing of the other and nothing of the switch."""
    assert record_of(client) is None
    assert agents(client, cni)
    assert not agents(client, gone)
    links = {"calico": "vxlan.calico", "flannel": "flannel.1"}
    for node in bed.nodes:
        there = bed.must(node, "ls /sys/class/net /etc/cni/net.d").split()
        assert links[cni] in there
        assert links[gone] not in there
        assert f"10-{gone}.conflist" not in there


def test_check_mode_shows_the_plan(switching: Bed, client: KubeClient) -> None:
    played = succeeds(write_inventory(switching), SWITCH, "--check", "--diff", **CALICO)
    assert "flannel -> calico on 2 nodes, joined; not begun" in played.said
    assert "they reach each other all the time" in played.said
    assert record_of(client) is None
    assert not agents(client, "calico")


@pytest.mark.parametrize(
    ("settings", "target", "gone"), [(CALICO, "calico", "flannel"), (FLANNEL, "flannel", "calico")]
)
def test_under_traffic(
    switching: Bed, client: KubeClient, tmp_path: Path, settings: dict[str, Any], target: str, gone: str
) -> None:
    """There, and back by the same playbook; every flow works again, and its longest gap is told."""
    inventory = write_inventory(switching)
    begin = time.monotonic()
    with following(switching, client) as seen:
        played = succeeds(inventory, SWITCH, timeout=1800, **settings)
    lines = [f"{gone} -> {target} in {time.monotonic() - begin:.0f} s", *seen.figures]
    print("\n".join(lines))
    (tmp_path / "figures").write_text("\n".join(lines))
    (tmp_path / "attempts.json").write_text(json.dumps(seen.attempts))
    (tmp_path / "played").write_text(played.said)
    require_only(switching, client, target, gone)
    assert len(seen.attempts) == 10
    assert all(map(seen.is_good_at_the_end, seen.attempts)), lines
    again = succeeds(inventory, SWITCH, **settings)
    assert set(again.changed.values()) == {0}


def kill_at(inventory: Path, task: str, seconds: float, settings: dict[str, Any]) -> bool:
    """Run the playbook, and kill it with all that it has started so long after a task began.

    :returns: whether that task was ever begun.
    """
    command = ["ansible-playbook", "-i", str(inventory), str(SWITCH), "-e", json.dumps(settings)]
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            if line.startswith("TASK [") and task in line:
                # Ansible names a task before it sends it to any node: so it dies amid its work, not before.
                time.sleep(seconds)
                os.killpg(process.pid, signal.SIGKILL)
                return True
    assert process.returncode == 0, "".join(said)
    return False


def test_killed_in_every_task(switching: Bed, client: KubeClient) -> None:
    """One switch, whose every run is killed in a later task than the one before; the last one ends it."""
    inventory = write_inventory(switching)
    # Ansible names a task that it leaves out, too: Flannel's objects are not removed by a role of its own.
    assert [task for task in TASKS if kill_at(inventory, task, 1.5, CALICO)] == list(TASKS)
    succeeds(inventory, SWITCH, timeout=1800, **CALICO)
    require_only(switching, client, "calico", "flannel")


def test_back_from_the_middle(switching: Bed, client: KubeClient) -> None:
    """Half-way back to Flannel, and then to Calico again."""
    inventory = write_inventory(switching)
    assert kill_at(inventory, TASKS[5], 1.5, FLANNEL)
    record = record_of(client)
    assert record
    assert (record.source, record.target) == ("calico", "flannel")
    succeeds(inventory, SWITCH, timeout=1800, **CALICO)
    require_only(switching, client, "calico", "flannel")
