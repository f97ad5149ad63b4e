# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module port_probe and tunnels that not every kernel has: the nodes' own has them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.nodes.conftest import booted
from tests.support.node_modules import NodeModules, install
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.testbed.bed import Bed

TARGET, SOURCE = Node(1), Node(2)
# WireGuard takes a port by itself; what is asked for is found among the node's sockets.
MAKE = {
    "geneve": f"ip link add tunnel0 type geneve id 1 remote {SOURCE.address} dstport 6081",
    "wireguard": "ip link add tunnel0 type wireguard && ip address add 192.0.2.1/32 dev tunnel0",
}


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with booted("tunnels", 2) as bed:
        for node in bed.nodes:
            install(bed, node)
        yield bed


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_tunnels_port_is_judged_by_what_the_kernel_counted(bed: Bed, kind: str) -> None:
    sockets = "ss --udp --listening --numeric --no-header --ipv4 | awk '{print $4}' | sort"
    before = bed.must(TARGET, sockets).split()
    bed.must(TARGET, f"{MAKE[kind]} && ip link set tunnel0 up")
    [opened] = [one for one in bed.must(TARGET, sockets).split() if one not in before]
    port = int(opened.rpartition(":")[2])
    target = NodeModules(bed, TARGET, "port_probe", {"node_name": TARGET.name})
    source = NodeModules(bed, SOURCE, "port_probe", {"node_name": SOURCE.name})
    try:
        listeners = [
            {"protocol": one, "port": at, "addresses": [TARGET.address]} for one, at in (("udp", port), ("tcp", 30000))
        ]
        started = target.succeeds(state="listening", listeners=listeners)
        assert [one["status"] for one in started["listeners"]] == ["kernel", "bound"]
        assert probed(source, port)["verdict"] == "open"
        bed.must(
            TARGET,
            f"nft 'table inet test {{ chain input {{ type filter hook input priority 0; udp dport {port} drop; }}; }}'",
        )
        assert probed(source, port)["verdict"] == "dropped"
    finally:
        target.succeeds(state="stopped")
        for modules in (target, source):
            modules.stop()
        bed.must(TARGET, "ip link delete tunnel0; nft delete table inet test")


def probed(source: NodeModules, port: int) -> dict[str, Any]:
    wanted = {"node_name": TARGET.name, "address": TARGET.address, "protocol": "udp", "port": port}
    result = source.succeeds(state="probed", targets=[{**wanted, "kind": "kernel", "control_port": 30000}], timeout=2)
    found: dict[str, Any] = result["results"][0]
    return found


def test_sctp_is_proven_by_an_echo(bed: Bed) -> None:
    target = NodeModules(bed, TARGET, "port_probe", {"node_name": TARGET.name})
    source = NodeModules(bed, SOURCE, "port_probe", {"node_name": SOURCE.name})
    wanted = {"node_name": TARGET.name, "address": TARGET.address, "protocol": "sctp"}

    def verdicts() -> list[str]:
        targets = [{**wanted, "port": port} for port in (30000, 30001, 30002)]
        return [one["verdict"] for one in source.succeeds(state="probed", targets=targets, timeout=2)["results"]]

    try:
        listeners = [{"protocol": "sctp", "port": port, "addresses": [TARGET.address]} for port in (30000, 30001)]
        started = target.succeeds(state="listening", listeners=listeners)
        assert [one["status"] for one in started["listeners"]] == ["bound", "bound"]
        assert verdicts() == ["open", "open", "refused"]
        bed.must(
            TARGET,
            "nft 'table inet test { chain input { type filter hook input priority 0; sctp dport 30001 drop; }; }'",
        )
        assert verdicts() == ["open", "dropped", "refused"]
    finally:
        target.succeeds(state="stopped")
        for modules in (target, source):
            modules.stop()
        bed.must(TARGET, "nft 'table inet test { }; delete table inet test'")
