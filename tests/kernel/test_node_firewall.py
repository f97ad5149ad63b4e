# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_firewall on a real kernel: what passes, what does not, and what stays as it was.

The back-ends that need no service of their own are here: nftables, and iptables in both of its kinds.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import (
    iptables,
    nftables,
    ufw,
    xtables,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import (
    Cluster,
    Plan,
    from_output,
    plan_for,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings, intended
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernel.conftest import PRIVATE
from tests.support.knocking import ACCEPT, knocking
from tests.support.modules import Module, state_matrix
from tests.support.plans import plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Namespace, Network

FOREIGN_NFT = """\
table ip foreign {
    chain input {
        type filter hook input priority 0; policy accept;
    }
}
"""
FOREIGN_IPTABLES = """\
*nat
:KUBE-SERVICES - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -j RETURN
COMMIT
*mangle
:cali-PREROUTING - [0:0]
-A PREROUTING -j cali-PREROUTING
COMMIT
*filter
:f2b-sshd - [0:0]
:KUBE-FIREWALL - [0:0]
:DOCKER-USER - [0:0]
:CILIUM_INPUT - [0:0]
:FLANNEL-FWD - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -j KUBE-FIREWALL
-A INPUT -j CILIUM_INPUT
-A FORWARD -j DOCKER-USER
-A FORWARD -j FLANNEL-FWD
-A f2b-sshd -s 198.18.1.3/32 -j DROP
-A f2b-sshd -j RETURN
-A DOCKER-USER -j RETURN
-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT
COMMIT
"""
CONNECT = (
    "import socket,sys; s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET); s.settimeout(0.7)\n"
    "try: s.connect((sys.argv[1], int(sys.argv[2]))); print('open')\n"
    "except ConnectionRefusedError: print('refused')\n"
    "except TimeoutError: print('dropped')\n"
    "except OSError as error: print('rejected', error.errno)"
)
LISTEN = (
    "import socket,sys\n"
    "v6=socket.AF_INET6\n"
    "held=[socket.create_server(('::', int(port)), family=v6, dualstack_ipv6=True) for port in sys.argv[1:]]\n"
    "print('ready', flush=True); sys.stdin.read()"
)
BACKENDS = ("nftables", "iptables-nft", "iptables-legacy")


def plan(*changes: dict[str, Any], **cluster: Any) -> Plan:
    given: dict[str, Any] = {
        "groups": {"kube_control_plane": ["friend"], "kube_node": ["friend", "node"]},
        "addresses": {"node": ["198.18.1.1", "2001:db8:1::1"], "friend": ["198.18.1.2", "2001:db8:1::2"]},
        "pod_cidrs": ("10.244.0.0/16", "2001:db8:244::/56"),
        "service_cidrs": ("10.96.0.0/16",),
        "cni": "flannel",
        "encapsulations": ("vxlan",),
    }
    return plan_for("node", Cluster(**{**given, **cluster}), changes)


def firewall_of(kind: str, network: Network, folder: Path) -> Module:
    """The module with one back-end; a kind of iptables is what its names on PATH lead to."""
    backend, _unused, variant = kind.partition("-")
    prefix = network.node.prefix
    if variant:
        program = shutil.which(f"iptables-{variant}")
        assert program, f"iptables-{variant} is not installed"
        for name in ("iptables", "iptables-save", "iptables-restore"):
            for link in (name, name.replace("ip", "ip6", 1)):
                if not Path(folder, link).is_symlink():
                    Path(folder, link).symlink_to(Path(program).resolve())
        prefix = (*prefix, "env", f"PATH={folder}:/usr/sbin:/usr/bin")
    private = ("unshare", "--mount", "sh", "-c", PRIVATE, "sh", "/run/netops-kubernetes", str(folder))
    return Module("node_firewall", {"persist": False, "confirm_timeout": 0, "backend": backend}, (*prefix, *private))


@pytest.fixture(params=BACKENDS)
def firewall(request: pytest.FixtureRequest, network: Network, tmp_path: Path) -> Module:
    return firewall_of(request.param, network, tmp_path)


@pytest.fixture
def nft(network: Network, tmp_path: Path) -> Module:
    return firewall_of("nftables", network, tmp_path)


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


def held(network: Network) -> str:
    """Every rule of the node's namespace, in all three worlds, without counters."""
    parts = [network.node.run("nft", "--stateless", "list", "ruleset").stdout]
    parts += [network.node.run(f"{name}-legacy-save").stdout for name in ("iptables", "ip6tables")]
    lines = [line.split(" [")[0] for part in parts for line in part.splitlines() if not line.startswith("#")]
    return "\n".join(lines)


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
    assert network.friend.run("ping", "-c1", "-W1", "2001:db8:1::1").returncode == 0
    assert network.stranger.run("ping", "-c1", "-W1", "198.18.1.1").returncode != 0


@pytest.mark.usefixtures("listening")
def test_learning_first(firewall: Module, network: Network) -> None:
    firewall.succeeds(plan=plan().to_output(), default_input="accept", log=True)
    assert verdict(network.stranger, "198.18.1.1", 10250) == "open"
    assert "netops-kubernetes: " in held(network)


# ufw's own chains, as far as ours stand between them; it refuses what none of its rules lets in.
UFW = """\
*filter
:INPUT DROP [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
:ufw-after-input - [0:0]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A FORWARD -j ufw-before-forward
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp --dport 9999 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
COMMIT
"""


@pytest.mark.usefixtures("listening")
def test_learning_first_leaves_ufw_its_refusal(network: Network) -> None:
    network.node.run("iptables-restore", stdin=UFW)
    wanted = intended(plan(), Settings("accept"), forwards=True)
    text = xtables.transaction(wanted, ufw.LAYOUT, 4, xtables.split(reported(network))[4])
    done = network.node.run("iptables-restore", "--noflush", stdin=text)
    assert done.returncode == 0, done.stderr
    assert verdict(network.friend, "198.18.1.1", 10250) == "open", "our rules admit it"
    assert verdict(network.stranger, "198.18.1.1", 9999) == "open", "ufw's rules admit it"
    assert verdict(network.stranger, "198.18.1.1", 10250) == "dropped", "nobody's rules admit it"


@pytest.mark.usefixtures("listening")
def test_a_rejection_is_heard_at_once(firewall: Module, network: Network) -> None:
    firewall.succeeds(plan=plan().to_output(), default_input="reject")
    assert verdict(network.stranger, "198.18.1.1", 10250).startswith("rejected")
    verdict(network.stranger, "2001:db8:1::1", 10250)
    heard = network.stranger.run("grep", "Icmp6InDestUnreachs", "/proc/net/snmp6").stdout.split()
    assert int(heard[1]) > 0, "an ICMPv6 error came back"


def test_state_matrix(firewall: Module, network: Network) -> None:
    network.node.run("nft", "-f", "-", stdin=FOREIGN_NFT)
    for program in ("iptables-nft-restore", "iptables-legacy-restore"):
        assert network.node.run(program, stdin=FOREIGN_IPTABLES).returncode == 0
    # The built-in chains that an iptables program makes with its first rule stay, empty; they are not ours to count.
    for name in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        for place in (("filter", "INPUT"), ("mangle", "PREROUTING")):
            for action in ("-A", "-D"):
                network.node.run(name, "-t", place[0], action, place[1], "-j", "ACCEPT")
    before = held(network)
    restricted = {"id": "nodeport-tcp", "peers": ["all_nodes"]}
    first = state_matrix(firewall, plan=plan(restricted).to_output(), log=True)
    assert first["backend"] == firewall.options["backend"]
    assert "kubelet            tcp       10250" in first["diff"]["after"]
    assert "everything else: dropped, logged" in first["diff"]["after"]
    assert "NodePorts tcp 30000-32767 only from: all_nodes" in first["diff"]["after"]
    others = [line for line in before.splitlines() if "NETOPS" not in line and "netops" not in line]
    now = [line for line in held(network).splitlines() if "NETOPS" not in line]
    following = iter(now)
    assert all(line in following for line in others), "foreign rules stay, in their order"
    assert firewall.succeeds(state="absent", check=True)["changed"] is True
    assert firewall.succeeds(state="absent")["changed"] is True
    assert held(network) == before
    assert firewall.succeeds(state="absent")["changed"] is False


@pytest.mark.usefixtures("listening")
def test_who_is_banned_stays_banned(network: Network, tmp_path: Path) -> None:
    firewall = firewall_of("iptables-nft", network, tmp_path)
    network.node.run("iptables-nft-restore", stdin=FOREIGN_IPTABLES)
    firewall.succeeds(plan=plan().to_output())
    assert verdict(network.stranger, "198.18.1.1", 22) == "dropped"
    assert verdict(network.friend, "198.18.1.1", 22) == "open"


def test_a_changed_plan_is_shown_as_rules(firewall: Module) -> None:
    firewall.succeeds(plan=plan().to_output())
    extra = {"id": "exporter", "ports": "9100", "peers": ["all_nodes"]}
    diff = firewall.succeeds(plan=plan(extra).to_output(), check=True, diff=True)["diff"]
    new = set(diff["after"].splitlines()) - set(diff["before"].splitlines())
    assert [line.split() for line in new] == [["exporter", "tcp", "9100", "all_nodes"]]


def test_a_change_by_hand_is_found_and_repaired(nft: Module, network: Network) -> None:
    options: dict[str, Any] = {"plan": plan().to_output()}
    nft.succeeds(**options)
    healthy = held(network)
    network.node.run("nft", "add", "rule", "inet", "netops_kubernetes", "input", "tcp", "dport", "9", "accept")
    found = nft.succeeds(check=True, diff=True, **options)
    assert found["changed"] is True
    network.node.run("nft", "add", "rule", "inet", "netops_kubernetes", "input", "ct", "mark", "9", "accept")
    assert "not of this collection: ct mark 0x00000009 accept" in nft.succeeds(check=True, **options)["diff"]["before"]
    nft.succeeds(**options)
    assert held(network) == healthy


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("-D INPUT -j NETOPS-INPUT", "no rule -A INPUT -j NETOPS-INPUT"),
        ("-A INPUT -j NETOPS-INPUT", "-A INPUT -j NETOPS-INPUT"),
        ("-I NETOPS-INPUT -p tcp --dport 9 -j ACCEPT", "tcp                9"),
        ("-I NETOPS-INPUT -m mark --mark 9 -j ACCEPT", "--mark 0x9"),
    ],
)
def test_a_change_of_chains_by_hand_is_found_and_repaired(
    network: Network, tmp_path: Path, command: str, shown: str
) -> None:
    firewall = firewall_of("iptables-nft", network, tmp_path)
    options: dict[str, Any] = {"plan": plan().to_output()}
    firewall.succeeds(**options)
    healthy = held(network)
    assert network.node.run("iptables-nft", *command.split()).returncode == 0
    found = firewall.succeeds(check=True, **options)
    assert found["changed"] is True
    assert " ".join(shown.split()) in " ".join(found["diff"]["before"].split())
    firewall.succeeds(**options)
    assert held(network) == healthy


def test_the_administrator_is_not_cut_off(nft: Module, network: Network) -> None:
    strict = plan(peers={"admins": ["192.0.2.0/24"]}).to_output()
    cut = Module("node_firewall", nft.options, ("env", "SSH_CONNECTION=198.18.1.3 1 198.18.1.1 22", *nft.prefix))
    before = held(network)
    assert "does not admit SSH from 198.18.1.3 to port 22" in cut.fails(plan=strict)
    assert held(network) == before
    assert cut.succeeds(plan=strict, refuse_lockout=False)["changed"] is True


@pytest.mark.usefixtures("listening")
def test_a_nodeport_reaches_a_backend_in_the_nodes_own_network(firewall: Module, network: Network) -> None:
    """kube-proxy's DNAT is done when the input chain sees the packet; the backend's own port stays closed."""
    redirect_port(network)
    firewall.succeeds(plan=plan().to_output())
    assert verdict(network.stranger, "198.18.1.1", 30090) == "open"
    assert verdict(network.stranger, "2001:db8:1::1", 30090) == "open"
    assert verdict(network.stranger, "198.18.1.1", 9999) == "dropped"


def redirect_port(network: Network) -> None:
    rule = "type nat hook prerouting priority dstnat; tcp dport 30090 redirect to :9999;"
    done = network.node.run("nft", "-f", "-", stdin=f"table inet proxy {{ chain nodeports {{ {rule} }}\n}}\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    "change", [{"id": "nodeport-tcp", "peers": ["all_nodes"]}, {"id": "nodeport-tcp", "state": "absent"}]
)
def test_a_nodeport_is_for_its_peers_alone(firewall: Module, network: Network, change: dict[str, Any]) -> None:
    redirect_port(network)
    firewall.succeeds(plan=plan(change).to_output())
    friend = "dropped" if change.get("state") else "open"
    for address in ("198.18.1.1", "2001:db8:1::1"):
        assert verdict(network.friend, address, 30090) == friend
        assert verdict(network.friend, address, 30080) == friend
        assert verdict(network.stranger, address, 30090) == "dropped"
        assert verdict(network.stranger, address, 30080) == "dropped"


# What IPVS sees, whose hooks have the priorities 98 and 99 (net/netfilter/ipvs/ip_vs_core.c: ip_vs_ops): it takes the
# packets of a Service off the stack there.
IPVS = """\
table inet ipvs {
    chain taken {
        type filter hook input priority 99; policy accept;
        ip daddr { 203.0.113.5, 10.96.0.10 } tcp dport 80 counter drop
        ip6 daddr 2001:db8:96::5 tcp dport 80 counter drop
    }
}
"""
VIRTUAL = ("203.0.113.0/28", "2001:db8:96::/112")


@pytest.fixture
def ipvs(network: Network) -> None:
    """The node has addresses of Services as its own, as in kube-proxy's mode ipvs; others have routes to them."""
    network.node.run("ip", "link", "add", "kube-ipvs0", "type", "bridge")
    network.node.run("ip", "link", "set", "kube-ipvs0", "up")
    for address in ("203.0.113.5/32", "10.96.0.10/32", "2001:db8:96::5/128"):
        network.node.run("ip", "address", "add", address, "dev", "kube-ipvs0", "nodad")
        for host in (network.friend, network.stranger):
            via = "2001:db8:1::1" if ":" in address else "198.18.1.1"
            assert host.run("ip", "route", "add", address, "via", via).returncode == 0
    done = network.node.run("nft", "-f", "-", stdin=IPVS)
    assert done.returncode == 0, done.stderr


def taken(network: Network, source: Namespace, address: str) -> bool:
    """Whether IPVS gets what somebody sends to port 80 of an address."""

    def count() -> int:
        listed = network.node.run("nft", "list", "table", "inet", "ipvs").stdout
        return sum(map(int, re.findall(r"counter packets (\d+)", listed)))

    before = count()
    assert verdict(source, address, 80) == "dropped"
    return count() > before


@pytest.mark.usefixtures("listening", "ipvs")
def test_addresses_of_load_balancers_come_to_ipvs(firewall: Module, network: Network) -> None:
    """From outside too; what is for another port than a Service's is kube-proxy's to refuse, and ours with nftables."""
    kind = str(firewall.options["backend"])
    virtual = () if kind == "nftables" else VIRTUAL
    state_matrix(firewall, plan=plan(load_balancer_cidrs=virtual).to_output())
    for address in ("203.0.113.5", "2001:db8:96::5"):
        assert taken(network, network.stranger, address), address
    if kind == "nftables":
        assert verdict(network.stranger, "203.0.113.5", 9999) == "dropped"
        assert verdict(network.stranger, "2001:db8:96::5", 9999) == "dropped"
    else:
        # As kube-proxy's chain KUBE-IPVS-FILTER does, wherever in INPUT it stands.
        other = ("INPUT", "-d", "203.0.113.5", "-p", "tcp", "--dport", "9999", "-j", "REJECT")
        program = (*firewall.prefix[: firewall.prefix.index("unshare")], "iptables")
        assert subprocess.run([*program, "-A", *other], check=False).returncode == 0
        assert verdict(network.stranger, "203.0.113.5", 9999) == "refused"
    assert verdict(network.stranger, "198.18.1.1", 9999) == "dropped"


@pytest.mark.usefixtures("listening", "ipvs")
def test_service_networks_are_for_nodes_and_pods(firewall: Module, network: Network) -> None:
    firewall.succeeds(plan=plan().to_output(), log=True)
    assert taken(network, network.friend, "10.96.0.10")
    assert not taken(network, network.stranger, "10.96.0.10")
    assert verdict(network.stranger, "10.96.0.10", 9999) == "dropped"


@pytest.mark.parametrize("command", ["flush chain inet netops_kubernetes services", "delete {} services", "add {} x"])
def test_a_changed_chain_of_services_is_found_and_repaired(nft: Module, network: Network, command: str) -> None:
    options: dict[str, Any] = {"plan": plan().to_output(), "default_input": "reject", "log": True}
    nft.succeeds(**options)
    healthy = held(network)
    assert network.node.run("nft", *command.format("chain inet netops_kubernetes").split()).returncode == 0
    assert nft.succeeds(check=True, **options)["changed"] is True
    nft.succeeds(**options)
    assert held(network) == healthy


def test_a_table_that_comes_before_ipvs_is_replaced(nft: Module, network: Network) -> None:
    """As this collection made it at first."""
    options: dict[str, Any] = {"plan": plan().to_output()}
    nft.succeeds(**options)
    healthy = network.node.run(*nftables.listing()).stdout
    load(network, nftables.transaction(healthy.replace("priority 120", "priority 0")))
    assert "priority filter" in nft.succeeds(check=True, **options)["diff"]["before"]
    nft.succeeds(**options)
    assert network.node.run(*nftables.listing()).stdout == healthy


@pytest.mark.parametrize(
    ("cni", "encapsulation", "add_ons"),
    [("calico", "ipip", ("typha",)), ("cilium", "geneve", ("hubble", "ipsec")), ("flannel", "ipip", ("nodelocaldns",))],
)
def test_every_kind_of_rule_settles(firewall: Module, cni: str, encapsulation: str, add_ons: tuple[str, ...]) -> None:
    state_matrix(firewall, plan=plan(cni=cni, encapsulations=(encapsulation,), add_ons=add_ons).to_output())


def test_an_etcd_group_apart_and_a_second_control_plane_settle(firewall: Module) -> None:
    groups = {"kube_control_plane": ["friend", "cp2"], "kube_node": ["node"], "etcd": ["node", "store"]}
    addresses = {
        "node": ["198.18.1.1", "2001:db8:1::1"],
        "friend": ["198.18.1.2", "2001:db8:1::2"],
        "cp2": ["198.18.1.4", "2001:db8:1::4"],
        "store": ["198.18.1.5", "2001:db8:1::5"],
    }
    made = plan(groups=groups, addresses=addresses)
    assert {"etcd-client", "etcd-peer"} <= {rule.id for rule in made.rules}
    state_matrix(firewall, plan=made.to_output())


# The namespace is made once for all examples: each applies over what the one before left, which is the harder case.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=plans())
@pytest.mark.parametrize("kind", ["nftables", "iptables"])
def test_what_the_kernel_reports_gives_the_plan_back(kind: str, made: Plan, network: Network) -> None:
    wanted = intended(made, Settings("drop", log=True), forwards=False)
    if kind == "nftables":
        done = network.node.run("nft", "-f", "-", stdin=nftables.transaction(nftables.render(wanted)))
        assert done.returncode == 0, done.stderr
        assert nftables.is_live(wanted, network.node.run(*nftables.listing()).stdout)
        return
    for version, program in ((4, "iptables"), (6, "ip6tables")):
        tables = xtables.split(reported(network))[version]
        text = xtables.transaction(wanted, iptables.LAYOUT, version, tables)
        done = network.node.run(f"{program}-restore", "--noflush", stdin=text)
        assert done.returncode == 0, (done.stderr, text)
    assert iptables.parse(reported(network)) == wanted


def reported(network: Network) -> str:
    return "\0".join(network.node.run(f"{program}-save").stdout for program in ("iptables", "ip6tables"))


@pytest.fixture
def served(network: Network) -> Iterator[None]:
    """A server at an admitted port of the node."""
    command = [*network.node.prefix, "python3", "-c", ACCEPT]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.terminate()


TWO_PLANS = (plan(), plan({"id": "x", "ports": "9100-9200", "peers": ["all_nodes"]}))


@pytest.mark.usefixtures("served")
def test_a_new_connection_is_never_lost(firewall: Module, network: Network) -> None:
    """An admitted port during 100 alternating applies: each connection is made at the first attempt."""
    firewall.succeeds(plan=TWO_PLANS[1].to_output())
    with knocking(network.friend.prefix, "198.18.1.1"):
        for number in range(100):
            assert firewall.succeeds(plan=TWO_PLANS[number % 2].to_output())["changed"] is True


@pytest.mark.usefixtures("served")
def test_rules_never_miss_their_sets(network: Network) -> None:
    """As fast as nft is: with rules and sets in one transaction, about one swap in two hundred loses a connection."""
    wanted = [intended(made, Settings("drop", log=True), forwards=False) for made in TWO_PLANS]
    with knocking(network.friend.prefix, "198.18.1.1"):
        for number in range(600):
            load(network, *nftables.transactions(wanted[number % 2], network.node.run(*nftables.listing()).stdout))


@pytest.mark.usefixtures("served")
def test_undoing_never_misses_its_sets_either(network: Network) -> None:
    """The undoing is programs' work, without this collection; it has as little of a moment between as the apply."""
    wanted = [intended(made, Settings("drop", log=True), forwards=False) for made in TWO_PLANS]
    load(network, *nftables.transactions(wanted[0], ""))
    before = network.node.run(*nftables.listing()).stdout
    with knocking(network.friend.prefix, "198.18.1.1"):
        for _number in range(300):
            load(network, *nftables.transactions(wanted[1], before))
            load(network, *nftables.transactions_back(wanted[1], before))
    assert network.node.run(*nftables.listing()).stdout == before


def load(network: Network, *texts: str) -> None:
    for text in texts:
        done = network.node.run("nft", "--file", "-", stdin=text)
        assert done.returncode == 0, (done.stderr, text)


# The namespace is made once for all examples: each begins with what the one before left.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=plans(), new=plans(), done=st.integers(0, 2))
def test_what_was_undone_is_what_was_there(old: Plan, new: Plan, done: int, network: Network) -> None:
    """However many of the apply's transactions came through."""
    was, wanted = (intended(one, Settings("drop", log=True), forwards=False) for one in (old, new))
    load(network, *nftables.transactions(was, network.node.run(*nftables.listing()).stdout))
    before = network.node.run(*nftables.listing()).stdout
    load(network, *nftables.transactions(wanted, before)[:done])
    load(network, *nftables.transactions_back(wanted, before))
    assert nftables.is_live(was, network.node.run(*nftables.listing()).stdout)


def test_an_interrupted_change_is_cleaned_up(nft: Module, network: Network) -> None:
    """Killed between its two transactions: the rules are the old ones, and sets that no rule uses are there."""
    old, new = TWO_PLANS
    nft.succeeds(plan=old.to_output())
    before = network.node.run(*nftables.listing()).stdout
    wanted = intended(new, Settings("drop", log=False), forwards=False)
    network.node.run("nft", "--file", "-", stdin=nftables.transactions(wanted, before)[0])
    assert network.node.run(*nftables.listing()).stdout != before
    assert "sets of an interrupted change" in nft.succeeds(plan=old.to_output())["diff"]["before"]
    assert network.node.run(*nftables.listing()).stdout == before


def test_a_rerun_starts_one_program(nft: Module) -> None:
    """Its only act on the system: nothing is written, and nft lists the table."""
    assert nft.programs(plan=plan().to_output()) == 2, "a transaction for the sets, one for the rules"
    assert nft.acts(plan=plan().to_output()) == 1


def test_no_program_is_asked_for_a_table_that_is_not_there(network: Network) -> None:
    asked = (
        "from ansible_collections.netops.kubernetes.plugins.module_utils._node.nfnetlink import is_absent\n"
        "print(is_absent('inet', 'netops_kubernetes'), is_absent('inet', 'netops'), is_absent('ip', 'netops'))"
    )
    words = (sys.executable, "-c", asked)
    assert network.node.run(*words).stdout == "True True True\n"
    load(network, "table inet netops_kubernetes { }\ntable ip netops { }\n")
    assert network.node.run(*words).stdout == "False True False\n"
    # Who may not ask gets no answer, which is not a "no".
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", *words)
    assert network.node.run(*drop).stdout == "False False False\n"


# ---- on probation -----------------------------------------------------------------------------------------------


def comes_back(network: Network, folder: Path, rules: str) -> None:
    """Wait until nothing is on probation; then the node has these rules."""
    # A machine that has much to do undoes late; how late is nothing that this test is about.
    for _attempt in range(600):
        if not list(folder.glob("run/netops-kubernetes/*.pending")) and held(network) == rules:
            return
        time.sleep(0.1)
    assert held(network) == rules


def test_rules_that_nobody_confirms_are_undone(firewall: Module, network: Network, tmp_path: Path) -> None:
    firewall.succeeds(plan=plan().to_output())
    before = held(network)
    strict = plan(peers={"admins": ["192.0.2.0/24"]}).to_output()
    applied = firewall.succeeds(plan=strict, confirm_timeout=5)
    assert applied["token"]
    assert held(network) != before
    message = firewall.fails(plan=strict, confirm_timeout=5)
    assert "rules of another run wait for their confirmation" in message
    comes_back(network, tmp_path, before)
    assert "no confirmation came in time" in firewall.fails(plan=strict, token=applied["token"])


def test_of_two_plays_at_once_one_is_refused(nft: Module, network: Network) -> None:
    """Each reads and changes while the other waits, so there is one probation and never two that undo one another."""
    for number in range(3):
        arguments = [
            nft.arguments(plan=TWO_PLANS[(number + one) % 2].to_output(), confirm_timeout=60) for one in (0, 1)
        ]
        running = [
            subprocess.Popen(nft.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _one in arguments
        ]
        for process, text in zip(running, arguments):
            assert process.stdin
            process.stdin.write(text)
            process.stdin.close()
        said = []
        for process in running:
            assert process.stdout
            said.append(json.loads(process.stdout.read()))
            process.stdout.close()
            process.wait()
        applied = [one for one in said if one.get("token")]
        assert len(applied) == 1, said
        refused = next(one for one in said if not one.get("token"))
        assert "rules of another run wait" in refused["msg"] or "another run is changing it" in refused["msg"]
        wanted = TWO_PLANS[number % 2 if said[0] is applied[0] else 1 - number % 2]
        nft.succeeds(plan=wanted.to_output(), token=applied[0]["token"])
        nft.succeeds(state="absent")
    assert "netops" not in held(network)


def test_rules_that_are_confirmed_stay(firewall: Module, network: Network) -> None:
    applied = firewall.succeeds(plan=plan().to_output(), confirm_timeout=5)
    firewall.succeeds(plan=plan().to_output(), token=applied["token"])
    confirmed = held(network)
    # Longer than the probation would have been.
    time.sleep(6)
    assert held(network) == confirmed
    assert firewall.succeeds(plan=plan().to_output())["changed"] is False


def test_killed_at_any_step_it_is_the_old_or_the_new(firewall: Module, network: Network, tmp_path: Path) -> None:
    old, new = plan().to_output(), plan(nodeport_range="31000-31999").to_output()
    firewall.succeeds(plan=new)
    listings = [held(network)]
    firewall.succeeds(plan=old)
    listings.append(held(network))
    steps = firewall.acts(plan=new, confirm_timeout=1)
    comes_back(network, tmp_path, listings[1])
    for step in range(1, steps + 1):
        firewall.dies_at(step, plan=new, confirm_timeout=1)
        comes_back(network, tmp_path, listings[1])
    applied = firewall.succeeds(plan=new, confirm_timeout=5)
    firewall.dies_at(1, plan=new, token=applied["token"])
    comes_back(network, tmp_path, listings[1])


# Others' rules that let nothing in but what belongs to what is there already.
CLOSED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n"


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("kind", ["iptables-nft", "iptables-legacy"])
def test_a_removal_that_would_lock_out_is_undone(kind: str, network: Network, tmp_path: Path) -> None:
    firewall = firewall_of(kind, network, tmp_path)
    assert network.node.run(f"{kind}-restore", stdin=CLOSED).returncode == 0
    firewall.succeeds(plan=plan().to_output())
    before = held(network)
    removing = firewall.succeeds(state="absent", confirm_timeout=20)
    assert verdict(network.friend, "198.18.1.1", 22) == "dropped", "nobody but us lets anybody in"
    assert "rules of another run wait" in firewall.fails(state="absent", confirm_timeout=20)
    comes_back(network, tmp_path, before)
    assert verdict(network.friend, "198.18.1.1", 22) == "open"
    assert "no confirmation came in time" in firewall.fails(state="absent", token=removing["token"])
    assert held(network) == before


def test_a_removal_that_is_confirmed_leaves_nothing(firewall: Module, network: Network) -> None:
    before = held(network)
    restricted = plan({"id": "nodeport-tcp", "peers": ["all_nodes"]}).to_output()
    firewall.succeeds(plan=restricted, log=True)
    removing = firewall.succeeds(state="absent", confirm_timeout=30)
    assert firewall.succeeds(state="absent", token=removing["token"], confirm_timeout=30)["changed"] is True
    assert "netops" not in held(network).lower()
    # The chains of iptables itself come with its first rule and stay, empty.
    assert {line for line in held(network).splitlines() if "-A" in line} <= set(before.splitlines())
    assert firewall.succeeds(state="absent", confirm_timeout=30)["changed"] is False


def test_a_removal_killed_at_any_step_is_undone(firewall: Module, network: Network, tmp_path: Path) -> None:
    firewall.succeeds(plan=plan({"id": "nodeport-tcp", "peers": ["all_nodes"]}).to_output(), log=True)
    before = held(network)
    steps = firewall.acts(state="absent", confirm_timeout=1)
    comes_back(network, tmp_path, before)
    for step in range(1, steps + 1):
        firewall.dies_at(step, state="absent", confirm_timeout=1)
        comes_back(network, tmp_path, before)


@pytest.mark.usefixtures("listening")
def test_the_former_backend_loses_its_say_on_probation(network: Network, tmp_path: Path) -> None:
    """What admits people may be the former one's rules alone; so it is known before anything of it is removed."""
    private = ("unshare", "--mount", "sh", "-c", PRIVATE, "sh", "/run/netops-kubernetes /etc/netops-kubernetes")
    former = firewall_of("iptables-nft", network, tmp_path)
    options = {"persist": True, "backend": "nftables", "plan": plan().to_output()}
    # The same private folders, and that of the boot too, where the back-end is on record.
    inner = former.prefix[former.prefix.index("unshare") :]
    outer = former.prefix[: -len(inner)]
    firewall = Module("node_firewall", options, (*outer, *private, str(tmp_path)))
    record = tmp_path / "etc/netops-kubernetes/firewall/backend"
    record.parent.mkdir(parents=True)
    record.write_text("iptables\n")
    network.node.run("iptables-nft-restore", stdin=CLOSED)
    former.succeeds(plan=plan().to_output())
    before = held(network)
    firewall.succeeds(confirm_timeout=20)
    assert "netops_kubernetes" in held(network)
    assert verdict(network.friend, "198.18.1.1", 22) == "dropped", "nftables' accept is not the last word"
    comes_back(network, tmp_path, before)
    assert verdict(network.friend, "198.18.1.1", 22) == "open"


def test_a_node_without_the_program_is_named(network: Network) -> None:
    """The module's own PATH additions are hidden behind an empty file system."""
    hide = 'for d in /usr/sbin /usr/local/sbin; do mount -t tmpfs none $d; done; exec "$@"'
    prefix = (*network.node.prefix, "unshare", "--mount", "sh", "-c", hide, "sh")
    module = Module("node_firewall", {"persist": False}, prefix)
    message = module.fails(plan=plan().to_output(), backend="nftables")
    assert "the program nft is not installed on this node" in message
    assert "Install the package nftables" in message
    assert "iptables-restore is not installed" in module.fails(plan=plan().to_output(), backend="iptables")
    assert "ufw is not installed" in module.fails(plan=plan().to_output(), backend="ufw")
    assert "firewalld does not run on this node" in module.fails(plan=plan().to_output(), backend="firewalld")


def test_persisting_needs_systemd(nft: Module) -> None:
    message = nft.fails(plan=plan().to_output(), persist=True)
    assert "systemd" in message


def test_a_plan_travels_unchanged(nft: Module) -> None:
    made = plan()
    assert from_output(made.to_output()) == made
    assert "lacks 'peers'" in nft.fails(plan={"node_name": "a"})
