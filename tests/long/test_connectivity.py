# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof on a real cluster of two nodes: where all works, and where something real is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.nodes.plays import ROLE, run, succeeds
from tests.support.modules import Module
from tests.testbed.settings import IMAGES, Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.testbed.bed import Bed

# One cluster serves them all.
pytestmark = pytest.mark.xdist_group("connectivity")

NODES = (Node(1), Node(2))
SITE = "198.18.0.1:53"
VXLAN_PORT = 8472
# Before fragments are put together again (NF_IP_PRI_CONNTRACK_DEFRAG, -400).
DROPPING = (
    "nft 'add table ip fault; add chain ip fault in {{ type filter hook prerouting priority -450; }};"
    " add rule ip fault in {} drop'"
)
# What new pods get, and the tunnel's own.
MTU = "sed -i s/FLANNEL_MTU=.*/FLANNEL_MTU={0}/ /run/flannel/subnet.env; ip link set flannel.1 mtu {0}"


@pytest.fixture
def check(serving: Bed) -> Module:
    options = {"kubeconfig": str(serving.folder / "kubeconfig"), "image": IMAGES["agnhost"]}
    return Module("connectivity_check", options)


def test_all_that_must_work_is_tried(serving: Bed) -> None:
    wanted = {"connectivity_outside": [SITE], "connectivity_mtu": 1450, "connectivity_names": ["www.example.com"]}
    said = succeeds(serving.folder / "inventory", ROLE, role_under_test="connectivity", **wanted).said
    assert "CNI: flannel, by 10-flannel.conflist, on 2 of 2 nodes" in said
    for line in (
        "pod to pod (TCP): 2 of 2",
        "pod to pod (UDP): 2 of 2",
        "pod to pod of its node (TCP): 2 of 2",
        "large transfers: 2 of 2",
        "packets of the MTU: 2 of 2",
        "Service by address: 2 of 2",
        "Service by name: 2 of 2",
        "NodePort: 2 of 2",
        "node to pod: 4 of 4",
        "outside: 2 of 2",
        "name: 2 of 2",
    ):
        assert f"{line} connections work" in said


def test_the_kubeconfig_of_the_first_control_plane_node_does(
    serving: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller has none; it reaches the API server by another address than the node's kubeconfig names."""
    kubeconfig = yaml.safe_load((serving.folder / "kubeconfig").read_text())
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    inventory = tmp_path / "inventory"
    lines = (serving.folder / "inventory").read_text().splitlines(keepends=True)
    inventory.write_text("".join(line for line in lines if "kubernetes_kubeconfig" not in line))
    inventory.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("K8S_AUTH_KUBECONFIG", raising=False)
    role = {"role_under_test": "flannel", "entry_point": "apply"}
    said = succeeds(inventory, ROLE, **role, kubernetes_api_server=server).said
    assert "Use what was read from the node" in said


@pytest.fixture
def fragments_are_dropped(serving: Bed) -> Iterator[None]:
    """As in clouds: what does not fit is cut into pieces by the tunnel, and the pieces get lost on their way."""
    for node in NODES:
        serving.must(node, DROPPING.format("ip frag-off & 0x3fff != 0"))
        serving.must(node, MTU.format(1500))
    yield
    for node in NODES:
        serving.must(node, f"nft delete table ip fault; {MTU.format(1450)}")


@pytest.mark.usefixtures("fragments_are_dropped")
def test_an_mtu_that_does_not_fit_into_the_tunnel_is_named(check: Module) -> None:
    failed: dict[str, Any] = check(timeout=60)
    assert failed.get("failed"), failed
    assert "large transfers from pod on node1 to pod on node2" in failed["msg"]
    assert "small transfers work between these nodes and large ones do not" in failed["msg"]
    assert "pod to pod" not in failed["msg"]
    cell = failed["matrix"]["node1"]["pod on node2"]
    assert cell.startswith("large transfers: ")
    assert "pod to pod" not in cell


@pytest.fixture
def tunnel_is_shut(serving: Bed) -> Iterator[None]:
    serving.must(Node(2), DROPPING.format(f"udp dport {VXLAN_PORT}"))
    yield
    serving.must(Node(2), "nft delete table ip fault")


@pytest.mark.usefixtures("tunnel_is_shut")
def test_a_tunnel_whose_port_is_shut_is_named(check: Module) -> None:
    failed: dict[str, Any] = check(timeout=20)
    assert failed.get("failed"), failed
    assert f"VXLAN: UDP {VXLAN_PORT} of Flannel" in failed["causes"][0]
    assert failed["matrix"]["node1"]["pod on node1"] == "works"


def test_a_second_configuration_is_named_before_anything_runs(serving: Bed) -> None:
    other = '{"cniVersion": "1.0.0", "name": "other", "plugins": [{"type": "bridge"}]}'
    serving.must(Node(2), f"echo '{other}' > /etc/cni/net.d/99-other.conflist")
    try:
        played = run(serving.folder / "inventory", ROLE, role_under_test="connectivity")
    finally:
        serving.must(Node(2), "rm /etc/cni/net.d/99-other.conflist")
    assert played.status != 0
    order = "in this order: flannel (10-flannel.conflist), bridge (99-other.conflist); the first is used"
    assert f"CNI of node 'node2': several are configured, {order}" in played.said
