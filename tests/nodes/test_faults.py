# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test bed can do to a node, and that nothing of it is left behind."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.nodes.conftest import NODE, booted
from tests.testbed.bed import Bed, BedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with booted("faults", 1) as bed:
        yield bed


def test_a_paused_node_answers_nothing_and_loses_nothing(bed: Bed) -> None:
    bed.must(NODE, "echo kept > /run/kept")
    bed.pause(NODE)
    with pytest.raises(BedError, match="no end after 2 s"):
        bed.ssh(NODE, "true", timeout=2.0)
    bed.resume(NODE)
    assert bed.must(NODE, "cat /run/kept") == "kept\n"


def test_a_node_whose_power_goes_keeps_what_it_wrote_to_disk(bed: Bed) -> None:
    bed.must(NODE, "echo kept > /root/kept; sync; echo lost > /run/lost")
    bed.cut(NODE)
    assert bed.alive()[NODE.name] is False
    bed.boot(NODE)
    bed.wait_for_ssh(NODE)
    assert bed.must(NODE, "cat /root/kept; ls /run/lost || true") == "kept\n"


def test_a_restarted_node_is_another_boot_of_the_same_disk(bed: Bed) -> None:
    before = bed.must(NODE, "echo kept > /root/kept; cat /proc/sys/kernel/random/boot_id")
    bed.reboot(NODE)
    assert bed.must(NODE, "cat /proc/sys/kernel/random/boot_id") != before
    assert bed.must(NODE, "cat /root/kept") == "kept\n"


def test_no_packet_leaves_the_namespace(bed: Bed) -> None:
    """The only way out would be the bridge, and nothing stands behind it."""
    assert bed.ssh(NODE, "ping -c1 -W1 198.18.0.1").returncode == 0
    assert bed.ssh(NODE, "ping -c1 -W1 192.0.2.1").returncode != 0


def test_what_a_crash_left_is_cleared_by_the_next_start(bed: Bed) -> None:
    gateway, node = bed.process("gateway"), bed.process(NODE.name)
    assert gateway
    assert node
    # The gateway dies as in a crash; the node is a stray of it.
    gateway.signal(signal.SIGKILL)
    Bed(bed.store, bed.name).create(1)
    assert not node.alive
    bed.boot_all()
    assert bed.must(NODE, "hostname") == f"{NODE.name}\n"
    processes = [process for name in bed.state["processes"] for process in [bed.process(name)] if process]
    bed.down()
    assert not any(process.alive for process in processes)
    assert not Path("/run/netns", bed.netns).exists()
    assert not bed.folder.exists()
