# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cni_links on a real kernel: both ends of a pod's link, the bridge and the tunnel get Flannel's new MTU."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.kernel.conftest import PRIVATE
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.conftest import Namespace, Network

SUBNET_FILE = "run/flannel/subnet.env"


@dataclass(frozen=True)
class Host:
    """A node with Flannel's links and one pod, whose network namespace is the friend's."""

    node: Namespace
    pod: Namespace
    root: Path

    @property
    def module(self) -> Module:
        private = ("unshare", "--mount", "sh", "-c", PRIVATE, "sh", "/run/flannel", str(self.root))
        return Module("cni_links", {"cni": "flannel"}, (*self.node.prefix, *private))

    def configure(self, mtu: int) -> None:
        """What flanneld writes for the plugin of new pods."""
        file = self.root / SUBNET_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"FLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_MTU={mtu}\n")

    def make(self, *commands: str) -> None:
        for command in commands:
            done = self.node.run(*command.split())
            assert done.returncode == 0, (command, done.stderr)

    def mtus(self) -> dict[str, int]:
        links = [
            *self._links(self.node),
            *({**link, "ifname": f"pod {link['ifname']}"} for link in self._links(self.pod)),
        ]
        own = ("cni0", "veth1", "flannel.1", "pod eth1")
        return {link["ifname"]: link["mtu"] for link in links if link["ifname"] in own}

    @staticmethod
    def _links(namespace: Namespace) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(namespace.run("ip", "-j", "link", "show").stdout)
        return found


@pytest.fixture
def host(network: Network, tmp_path: Path) -> Host:
    made = Host(network.node, network.friend, tmp_path)
    made.configure(1450)
    made.make(
        # Room for a tunnel's 1500.
        "ip link set eth0 mtu 1550",
        "ip link add flannel.1 mtu 1450 type vxlan id 1 dstport 8472 dev eth0",
        "ip link add cni0 mtu 1450 type bridge",
        f"ip link add veth1 mtu 1450 type veth peer name eth1 mtu 1450 netns {network.friend.name}",
        "ip link set veth1 master cni0",
    )
    return made


@pytest.mark.parametrize("mtu", [1400, 1500])
def test_state_matrix(host: Host, mtu: int) -> None:
    assert host.module.succeeds()["changed"] is False
    host.configure(mtu)
    state_matrix(host.module)
    assert host.mtus() == dict.fromkeys(("cni0", "veth1", "flannel.1", "pod eth1"), mtu)


def test_a_bridge_whose_last_pod_has_gone_is_left_to_the_kernel(host: Host) -> None:
    host.make("ip link delete veth1")
    assert host.mtus() == {"flannel.1": 1450, "cni0": 1500}, "the kernel no longer resets a bridge without ports"
    assert host.module.succeeds()["changed"] is False


def test_tunnels_of_another_backend_go(host: Host) -> None:
    first = state_matrix(host.module, backend="host-gw")
    assert first["steps"] == ["link flannel.1: removed"]
    assert "flannel.1" not in host.mtus()


def test_a_tunnel_of_another_number_is_known_by_it(host: Host) -> None:
    host.make(
        "ip link add flannel.4096 mtu 1450 type vxlan id 4096 dstport 8473 dev eth0 nolearning",
        "ip link add flannel.7 mtu 1450 type vxlan id 7 dstport 8474 dev eth0",
    )
    host.configure(1400)
    first = state_matrix(host.module, vni=4096)
    assert "link flannel.4096: MTU 1450 -> 1400" in first["steps"]
    assert [step for step in first["steps"] if step.endswith("removed")] == ["link flannel.1: removed"]
    # Back to the default: the tunnel of the number that was goes.
    assert state_matrix(host.module)["steps"] == ["link flannel.4096: removed"]


def test_killed_at_any_step_the_next_run_completes(host: Host) -> None:
    host.configure(1400)
    steps = host.module.acts()
    for step in range(1, steps + 1):
        host.make(*(f"ip link set {link} mtu 1450" for link in ("veth1", "cni0", "flannel.1")))
        host.make(f"ip -n {host.pod.name} link set eth1 mtu 1450")
        host.module.dies_at(step)
        host.module.succeeds()
        assert set(host.mtus().values()) == {1400}, f"after a kill at step {step} of {steps}"


def test_before_flannel_has_said_it_nothing_is_predicted(host: Host) -> None:
    (host.root / SUBNET_FILE).unlink()
    assert host.module.succeeds(check=True)["changed"] is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cni": "cilium"}, "value of cni must be one of: calico, flannel, got: cilium"),
        ({"backend": "ipip"}, "value of backend must be one of: vxlan, host-gw, wireguard, udp, got: ipip"),
    ],
)
def test_bad_input_is_named(host: Host, options: dict[str, Any], said: str) -> None:
    assert said in host.module.fails(**options)
