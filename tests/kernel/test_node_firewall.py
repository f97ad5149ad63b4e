# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_firewall on a real kernel: what passes, what does not, and what stays as it was."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.nftables import render, transaction
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, Plan, plan_for
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Namespace, Network

FOREIGN = "table ip foreign {\n\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}\n"
CONNECT = (
    "import socket,sys; s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET); s.settimeout(0.7)\n"
    "try: s.connect((sys.argv[1], int(sys.argv[2]))); print('open')\n"
    "except ConnectionRefusedError: print('refused')\n"
    "except TimeoutError: print('dropped')"
)
LISTEN = (
    "import socket,sys\n"
    "v6=socket.AF_INET6\n"
    "held=[socket.create_server(('::', int(port)), family=v6, dualstack_ipv6=True) for port in sys.argv[1:]]\n"
    "print('ready', flush=True); sys.stdin.read()"
)


def plan(**changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "groups": {"kube_control_plane": ["friend"], "kube_node": ["friend", "node"]},
        "addresses": {"node": ["198.18.1.1", "2001:db8:1::1"], "friend": ["198.18.1.2", "2001:db8:1::2"]},
        "pod_cidrs": ("10.244.0.0/16", "2001:db8:244::/56"),
        "service_cidrs": ("10.96.0.0/16",),
        "cni": "flannel",
        "encapsulation": "vxlan",
    }
    return plan_for("node", Cluster(**{**settings, **changes}))


@pytest.fixture
def firewall(network: Network) -> Module:
    return Module("node_firewall", {"persist": False}, network.node.prefix)


@pytest.fixture
def listening(network: Network) -> Iterator[None]:
    command = [*network.node.prefix, "python3", "-c", LISTEN, "22", "10250", "9999", "30080"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"ready\n"
        yield
        process.stdin.close()


def verdict(source: Namespace, address: str, port: int) -> str:
    return source.run("python3", "-c", CONNECT, address, str(port)).stdout.strip()


@pytest.mark.usefixtures("listening")
def test_what_passes_and_what_does_not(firewall: Module, network: Network) -> None:
    firewall.succeeds(plan=plan().to_output())
    for node in ("198.18.1.1", "2001:db8:1::1"):
        expected = {22: ("open", "open"), 10250: ("open", "dropped"), 30080: ("open", "open"), 9999: ("dropped",) * 2}
        for port, verdicts in expected.items():
            seen = tuple(verdict(source, node, port) for source in (network.friend, network.stranger))
            assert seen == verdicts, (node, port)
        assert verdict(network.node, node, 9999) == "open", "a node reaches itself"
    assert network.friend.run("ping", "-c1", "-W1", "198.18.1.1").returncode == 0
    assert network.stranger.run("ping", "-c1", "-W1", "198.18.1.1").returncode != 0


@pytest.mark.usefixtures("listening")
def test_learning_first(firewall: Module, network: Network) -> None:
    firewall.succeeds(plan=plan().to_output(), default_input="accept", log=True)
    assert verdict(network.stranger, "198.18.1.1", 10250) == "open"
    assert 'log prefix "netops-kubernetes: "' in network.node.run("nft", "list", "ruleset").stdout


def test_state_matrix(firewall: Module, network: Network) -> None:
    network.node.run("nft", "-f", "-", stdin=FOREIGN)
    before = network.node.run("nft", "list", "ruleset").stdout
    first = state_matrix(firewall, plan=plan().to_output())
    assert first["backend"] == "nftables"
    assert "kubelet            tcp       10250" in first["diff"]["after"]
    assert network.node.run("nft", "list", "table", "ip", "foreign").stdout == before
    assert firewall.succeeds(state="absent", check=True)["changed"] is True
    assert firewall.succeeds(state="absent")["changed"] is True
    assert network.node.run("nft", "list", "ruleset").stdout == before
    assert firewall.succeeds(state="absent")["changed"] is False


def test_a_change_by_hand_is_found_and_repaired(firewall: Module, network: Network) -> None:
    options: dict[str, Any] = {"plan": plan().to_output()}
    firewall.succeeds(**options)
    healthy = network.node.run("nft", "-s", "list", "ruleset").stdout
    network.node.run("nft", "add", "rule", "inet", "netops_kubernetes", "input", "tcp", "dport", "9", "accept")
    assert firewall.succeeds(check=True, **options)["changed"] is True
    firewall.succeeds(**options)
    assert network.node.run("nft", "-s", "list", "ruleset").stdout == healthy


def test_the_administrator_is_not_cut_off(firewall: Module, network: Network) -> None:
    strict = plan(peers={"admins": ["192.0.2.0/24"]}).to_output()
    cut = Module(
        "node_firewall", firewall.options, ("env", "SSH_CONNECTION=198.18.1.3 1 198.18.1.1 22", *firewall.prefix)
    )
    message = cut.fails(plan=strict)
    assert "does not admit SSH from 198.18.1.3 to port 22" in message
    assert network.node.run("nft", "list", "ruleset").stdout == ""


def test_the_administrator_is_not_cut_off_behind_sudo(firewall: Module, network: Network) -> None:
    """As sudo does, the shell in between keeps the variable and its child does not get it."""
    strict = plan(peers={"admins": ["192.0.2.0/24"]}).to_output()
    sudo = ("env", "SSH_CONNECTION=198.18.1.3 1 198.18.1.1 22", "sh", "-c", 'env -u SSH_CONNECTION "$@"; exit $?', "sh")
    message = Module("node_firewall", firewall.options, (*sudo, *firewall.prefix)).fails(plan=strict)
    assert "does not admit SSH from 198.18.1.3 to port 22" in message
    assert network.node.run("nft", "list", "ruleset").stdout == ""


@pytest.mark.usefixtures("listening")
def test_a_nodeport_reaches_a_backend_in_the_nodes_own_network(firewall: Module, network: Network) -> None:
    """kube-proxy's DNAT is done when the input chain sees the packet; the backend's own port stays closed."""
    redirect = "type nat hook prerouting priority dstnat; tcp dport 30090 redirect to :9999;"
    done = network.node.run("nft", "-f", "-", stdin=f"table inet proxy {{ chain nodeports {{ {redirect} }}\n}}\n")
    assert done.returncode == 0, done.stderr
    firewall.succeeds(plan=plan().to_output())
    assert verdict(network.stranger, "198.18.1.1", 30090) == "open"
    assert verdict(network.stranger, "2001:db8:1::1", 30090) == "open"
    assert verdict(network.stranger, "198.18.1.1", 9999) == "dropped"


@pytest.mark.parametrize(
    ("cni", "encapsulation", "add_ons"),
    [("calico", "ipip", ("typha",)), ("cilium", "geneve", ("hubble", "ipsec")), ("flannel", "ipip", ("nodelocaldns",))],
)
def test_every_kind_of_rule_settles(firewall: Module, cni: str, encapsulation: str, add_ons: tuple[str, ...]) -> None:
    state_matrix(firewall, plan=plan(cni=cni, encapsulation=encapsulation, add_ons=add_ons).to_output())


def test_killed_at_any_moment_it_is_the_old_or_the_new(firewall: Module, network: Network) -> None:
    old, new = plan(), plan(nodeport_range="31000-31999")
    definitions = [render(one, default="drop", log=False) for one in (old, new)]
    listings = []
    for definition in definitions:
        network.node.run("nft", "-f", "-", stdin=transaction(definition))
        listings.append(network.node.run("nft", "-s", "list", "ruleset").stdout)
    for moment in (0.05, 0.15, 0.2, 0.25, 0.3, 0.4):
        firewall.succeeds(plan=old.to_output())
        process = subprocess.Popen(firewall.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert process.stdin
        process.stdin.write(firewall.arguments(plan=new.to_output()).encode())
        process.stdin.close()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert network.node.run("nft", "-s", "list", "ruleset").stdout in listings


def test_a_node_without_nftables_is_named(network: Network) -> None:
    """The module's own PATH additions are hidden behind an empty file system."""
    hide = 'for d in /usr/sbin /usr/local/sbin; do mount -t tmpfs none $d; done; exec "$@"'
    prefix = (*network.node.prefix, "unshare", "--mount", "sh", "-c", hide, "sh")
    message = Module("node_firewall", {"persist": False}, prefix).fails(plan=plan().to_output())
    assert "the program nft is not installed on this node" in message
    assert "Install the package nftables" in message


def test_persisting_needs_systemd(firewall: Module) -> None:
    message = firewall.fails(plan=plan().to_output(), persist=True)
    assert "systemd" in message
