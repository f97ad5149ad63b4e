# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module port_probe on a real kernel: every verdict made by what makes it in a cluster."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_listeners import port_probe_listeners
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_report import port_probe_report
from ansible_collections.netops.kubernetes.plugins.filter.port_probe_targets import port_probe_targets
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import nftables
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings, intended
from ansible_collections.netops.kubernetes.plugins.module_utils._probe import server
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import KIND_OF
from tests.bench.port_probe import TCP, UDP, measure
from tests.support.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Namespace, Network

V4, V6 = "198.18.1.1", "2001:db8:1::1"
BOTH = [V4, V6]
# The folder below /run is the test's own.
PRIVATE = 'mkdir -p "$1" /run/netops-kubernetes; mount --bind "$1" /run/netops-kubernetes; shift; exec "$@"'
SERVE = (
    "import socket,sys\n"
    "held=[socket.create_server(('198.18.1.1', 10250)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]\n"
    "held[1].bind(('198.18.1.1', 5353))\n"
    "print('ready', flush=True); sys.stdin.read()"
)


def probe_of(namespace: Namespace, name: str, folder: Path) -> Module:
    prefix = (*namespace.prefix, "unshare", "--mount", "sh", "-c", PRIVATE, "sh", str(folder / name))
    return Module("port_probe", {"node_name": name}, prefix)


@pytest.fixture
def node(network: Network, tmp_path: Path) -> Iterator[Module]:
    module = probe_of(network.node, "node", tmp_path)
    yield module
    module(state="stopped")


@pytest.fixture
def friend(network: Network, tmp_path: Path) -> Module:
    return probe_of(network.friend, "friend", tmp_path)


@pytest.fixture
def stranger(network: Network, tmp_path: Path) -> Module:
    return probe_of(network.stranger, "stranger", tmp_path)


def listen(node: Module, *ports: tuple[str, int], addresses: list[str] | None = None, **options: Any) -> dict[str, Any]:
    wanted = [{"protocol": one, "port": port, "addresses": addresses or BOTH} for one, port in ports]
    return node.succeeds(state="listening", listeners=wanted, **options)


def target(protocol: str, port: int, address: str = V4, **fields: Any) -> dict[str, Any]:
    return {"node_name": "node", "address": address, "protocol": protocol, "port": port, **fields}


def verdicts(module: Module, *targets: dict[str, Any], **options: Any) -> list[str]:
    options = {"timeout": 0.5, **options}
    return [one["verdict"] for one in results(module, *targets, **options)]


def results(module: Module, *targets: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = module.succeeds(state="probed", targets=list(targets), **options)["results"]
    return found


def rules(namespace: Namespace, *lines: str, hook: str = "input") -> None:
    chain = f"type filter hook {hook} priority 0;\n" + "\n".join(lines)
    done = namespace.run("nft", "-f", "-", stdin=f"table inet test {{\nchain {hook} {{\n{chain}\n}}\n}}\n")
    assert done.returncode == 0, done.stderr


EVERY = [target(protocol, 30000, address) for protocol in ("tcp", "udp") for address in BOTH]


def test_what_is_open_is_proven_by_an_echo_and_counted(node: Module, friend: Module) -> None:
    started = listen(node, ("tcp", 30000), ("udp", 30000))
    assert started["changed"] is False
    assert {one["status"] for one in started["listeners"]} == {"bound"}
    found = friend.succeeds(state="probed", targets=EVERY, check=True)
    assert found["verdicts"] == {"open": 4}
    assert found["results"][0]["source_address"] == "198.18.1.2"
    ended = node.succeeds(state="stopped")
    assert (ended["ended"], [one["answered"] for one in ended["answered"]]) == ("stopped", [1, 1, 1, 1])
    assert verdicts(friend, *EVERY) == ["refused"] * 4
    assert node.succeeds(state="stopped")["ended"] == "absent"


@pytest.mark.parametrize(
    ("rule", "tcp", "udp"),
    [
        ("drop", "dropped", "dropped"),
        ("reject with icmpx admin-prohibited", "rejected", "rejected"),
        ("reject with icmpx host-unreachable", "rejected", "rejected"),
        ("reject with icmpx port-unreachable", "rejected", "refused"),
    ],
)
def test_what_a_rule_of_the_target_does(
    node: Module, friend: Module, stranger: Module, network: Network, rule: str, tcp: str, udp: str
) -> None:
    listen(node, ("tcp", 30000), ("udp", 30000))
    sources = ("ip saddr 198.18.1.3", "ip6 saddr 2001:db8:1::3")
    rules(network.node, *(f"{source} th dport 30000 {rule}" for source in sources))
    assert verdicts(stranger, *EVERY) == [tcp, tcp, udp, udp]
    assert verdicts(friend, *EVERY) == ["open"] * 4


# IP in IP, IPv6 in IP, GRE, ESP, AH, VRRP, and a number without a name.
WITHOUT_PORTS = ("ipip", "ipv6", "gre", "esp", "ah", "vrrp", "ip:97")
RAW = [target(protocol, 0, address) for protocol in WITHOUT_PORTS for address in BOTH]


def test_what_has_no_ports_is_proven_by_an_echo_too(node: Module, friend: Module) -> None:
    assert verdicts(friend, *RAW[:4]) == ["refused"] * 4, "the stack says that it has no such protocol"
    started = listen(node, *((protocol, 0) for protocol in WITHOUT_PORTS))
    assert {(one["port"], one["status"]) for one in started["listeners"]} == {(0, "bound")}
    found = {(one["protocol"], one["address"]): one for one in results(friend, *RAW, timeout=2)}
    assert "AH in IPv6" in found.pop(("ah", V6))["detail"]
    assert {one["verdict"] for one in found.values()} == {"open"}, found
    answered = node.succeeds(state="stopped")["answered"]
    assert [one["answered"] for one in answered] == [
        0 if one["protocol"] == "ah" and one["address"] == V6 else 1 for one in answered
    ]


@pytest.mark.parametrize(
    ("rule", "expected"), [("drop", "dropped"), ("reject with icmpx admin-prohibited", "rejected")]
)
def test_what_a_rule_does_to_what_has_no_ports(
    node: Module, stranger: Module, network: Network, rule: str, expected: str
) -> None:
    listen(node, ("esp", 0), ("vrrp", 0))
    rules(network.node, f"meta l4proto esp {rule}")
    wanted = [target(protocol, 0, address) for protocol in ("esp", "vrrp") for address in BOTH]
    assert verdicts(stranger, *wanted) == [expected, expected, "open", "open"]


def test_two_nodes_that_probe_each_other_do_not_mistake_requests_for_answers(node: Module, friend: Module) -> None:
    """A raw socket sees all that comes from its peer: while one probes, the other's probes come in too."""
    listen(node, ("esp", 0))
    friend.succeeds(
        state="listening", listeners=[{"protocol": "esp", "port": 0, "addresses": ["198.18.1.2", "2001:db8:1::2"]}]
    )
    back = [{**target("esp", 0, address), "node_name": "friend"} for address in ("198.18.1.2", "2001:db8:1::2")]
    with ThreadPoolExecutor() as both:
        there = both.submit(verdicts, friend, *([target("esp", 0, address) for address in BOTH] * 20), timeout=3)
        here = both.submit(verdicts, node, *(back * 20), timeout=3)
        assert set(there.result()) == set(here.result()) == {"open"}
    friend.succeeds(state="stopped")


def test_sctp_is_probed_where_the_kernel_has_it(node: Module, friend: Module) -> None:
    [one, other] = listen(node, ("sctp", 30000))["listeners"]
    assert one["status"] == other["status"]
    found = results(friend, target("sctp", 30000, kind=KIND_OF[one["status"]]), timeout=3)[0]
    if one["status"] == "bound":
        assert found["verdict"] == "open"
    else:
        assert (one["status"], found["verdict"]) == ("unsupported", "unknown")
        assert found["detail"] == "not probed: the kernel of node has no SCTP"
        assert "the kernel of friend has no SCTP" in results(friend, target("sctp", 30000))[0]["detail"]


def test_the_controller_reaches_what_administrators_may_and_no_more(
    node: Module, stranger: Module, network: Network
) -> None:
    """From the plan to the report, with the rules that the plan makes."""
    peers = {"admins": ["198.18.1.3"]}
    groups = {"kube_control_plane": ["node"], "kube_node": ["node"]}
    made = plan_for("node", Cluster(groups, {"node": [V4]}, cni="flannel", encapsulations=("ipip",), peers=peers))
    plans, hostvars = {"node": made.to_output()}, {"node": {"ip": V4}}
    listened = node.succeeds(state="listening", listeners=port_probe_listeners(plans, hostvars, "node"))
    targets = port_probe_targets(
        plans, hostvars, "controller", {"node": listened}, source_addresses=["198.18.1.3", "2001:db8:1::3"]
    )

    def report() -> dict[str, Any]:
        probed = stranger.succeeds(state="probed", node_name="controller", targets=targets, timeout=1)
        found: dict[str, Any] = port_probe_report([probed], plans)
        return found

    open_to_all = {one["rule"] for one in report()["failures"]}
    assert {"etcd-client", "kubelet", "flannel-ipip", ""} <= open_to_all
    rules = nftables.render(intended(made, Settings(), forwards=False))
    assert network.node.run("nft", "-f", "-", stdin=rules).returncode == 0
    judged = report()
    assert judged["failures"] == [], judged["text"]
    assert judged["matrix"]["controller"]["node"][f"tcp {V4} 22"] == "open"


def test_a_reset_is_a_refusal(node: Module, friend: Module, network: Network) -> None:
    listen(node, ("tcp", 30000))
    rules(network.node, "tcp dport 30000 reject with tcp reset")
    assert verdicts(friend, *EVERY[:2]) == ["refused"] * 2


def test_no_route_and_no_neighbour(friend: Module, network: Network) -> None:
    nowhere = [target("tcp", 1, "203.0.113.1"), target("udp", 1, "203.0.113.1"), target("tcp", 1, "2001:db8:9::1")]
    assert verdicts(friend, *nowhere) == ["no_route"] * 3
    silent = [target(protocol, 1, address) for protocol in ("tcp", "udp") for address in ("198.18.1.99", f"{V6}99")]
    found = results(friend, *silent, timeout=5)
    assert [(one["verdict"], one["detail"]) for one in found] == [("no_route", "no neighbour answers for it")] * 4
    network.friend.run("ip", "route", "add", "prohibit", "203.0.113.0/24")
    assert verdicts(friend, nowhere[0]) == ["no_route"]


def test_a_rule_of_the_probing_node_is_named(node: Module, friend: Module, network: Network) -> None:
    listen(node, ("tcp", 30000), ("udp", 30000))
    rules(network.friend, "udp dport 30000 drop", "tcp dport 30000 reject", hook="output")
    found = results(friend, *EVERY, timeout=0.5)
    assert {(one["verdict"], one["detail"]) for one in found} == {
        ("rejected", "this node's own rules do not let it out")
    }


def test_a_negative_probe_from_an_address_that_must_not_get_in(node: Module, friend: Module, network: Network) -> None:
    network.friend.run("ip", "address", "add", "198.18.1.77/24", "dev", "eth0")
    listen(node, ("tcp", 30000))
    rules(network.node, "ip saddr 198.18.1.77 drop")
    wanted = [target("tcp", 30000), target("tcp", 30000, source_address="198.18.1.77", expected="closed")]
    found = results(friend, *wanted, timeout=0.5)
    assert [(one["source_address"], one["verdict"]) for one in found] == [
        ("198.18.1.2", "open"),
        ("198.18.1.77", "dropped"),
    ]


def test_a_real_service_keeps_its_port(node: Module, friend: Module, network: Network) -> None:
    command = [*network.node.prefix, "python3", "-c", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"ready\n"
        started = listen(node, ("tcp", 10250), ("udp", 5353), addresses=[V4])
        assert [one["status"] for one in started["listeners"]] == ["in_use", "in_use"]
        wanted = [target("tcp", 10250, kind="service"), target("udp", 5353, kind="service"), target("tcp", 10250)]
        assert verdicts(friend, *wanted) == ["open", "unknown", "unknown"]
        process.stdin.close()
    assert verdicts(friend, *wanted) == ["refused"] * 3


def test_another_node_that_answers_is_named(node: Module, friend: Module) -> None:
    listen(node, ("tcp", 30000), ("udp", 30000))
    found = results(friend, *({**one, "node_name": "other"} for one in EVERY))
    assert {(one["verdict"], one["detail"]) for one in found} == {("unknown", "node 'node' answers there")}


def wait_for_the_end(token: str) -> None:
    """Until it holds no port; who reaps it, and when, is the machine's affair."""
    process = Path(f"/proc/{token.partition('-')[0]}/cmdline")
    end = time.monotonic() + 5
    while process.exists() and process.read_bytes() and time.monotonic() < end:
        time.sleep(0.05)
    assert not process.exists() or not process.read_bytes()


def test_a_second_listener_takes_the_place_of_the_first(node: Module) -> None:
    first = listen(node, ("tcp", 30000))
    second = listen(node, ("tcp", 30000))
    assert {one["status"] for one in second["listeners"]} == {"bound"}
    assert first["token"] != second["token"]
    wait_for_the_end(first["token"])


def test_it_ends_at_its_deadline(node: Module, friend: Module) -> None:
    started = listen(node, ("tcp", 30000), deadline=2)
    assert verdicts(friend, EVERY[0]) == ["open"]
    wait_for_the_end(started["token"])
    assert verdicts(friend, EVERY[0]) == ["refused"]
    ended = node.succeeds(state="stopped")
    assert (ended["ended"], ended["answered"][0]["answered"]) == ("deadline", 1)


def test_killed_it_leaves_its_ports_and_one_file(node: Module, friend: Module, tmp_path: Path) -> None:
    started = listen(node, ("tcp", 30000))
    os.kill(int(started["token"].partition("-")[0]), signal.SIGKILL)
    wait_for_the_end(started["token"])
    assert verdicts(friend, EVERY[0]) == ["refused"]
    assert [file.name for file in (tmp_path / "node").iterdir()] == ["probe.json"]
    assert node.succeeds(state="stopped")["ended"] == "killed"
    assert list((tmp_path / "node").iterdir()) == []


def tunnel(network: Network, kind: str) -> int:
    """A device of the kernel on the node; its port. Kinds that not every kernel has are tried on nodes."""
    devices = {
        "vxlan": (8472, ("id", "1", "dstport", "8472", "local", V4, "dev", "eth0")),
        "vxlan6": (8472, ("id", "1", "dstport", "8472", "local", V6, "dev", "eth0")),
    }
    port, words = devices[kind]
    made = network.node.run("ip", "link", "add", "tunnel0", "type", kind.rstrip("6"), *words)
    assert made.returncode == 0, made.stderr
    assert network.node.run("ip", "link", "set", "tunnel0", "up").returncode == 0
    return port


NOISE = (
    "import socket,sys,time\n"
    "s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "while True:\n"
    "  s.sendto(b'x', ('198.18.1.1', int(sys.argv[1]))); time.sleep(0.0005)"
)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("kind", ["vxlan", "vxlan6"])
def test_ports_of_the_kernel_are_judged_by_what_it_counted(
    node: Module, friend: Module, stranger: Module, network: Network, kind: str, noisy: bool
) -> None:
    port, address = tunnel(network, kind), V6 if kind == "vxlan6" else V4
    started = listen(node, ("udp", port), ("tcp", 30000), addresses=[address])
    assert [one["status"] for one in started["listeners"]] == ["kernel", "bound"]
    rules(network.node, f"ip saddr 198.18.1.3 udp dport {port} drop", f"ip6 saddr 2001:db8:1::3 udp dport {port} drop")
    wanted = target("udp", port, address, kind="kernel", control_port=30000)
    noise = [*network.friend.prefix, "python3", "-c", NOISE, str(port)] if noisy else ["true"]
    with subprocess.Popen(noise) as process:
        admitted, dropped = results(friend, wanted)[0], results(stranger, wanted)[0]
        process.kill()
    assert (admitted["verdict"], dropped["verdict"]) == ("open", "dropped"), (admitted, dropped)
    if not noisy:
        assert admitted["detail"] == "40 of 40 datagrams were counted"
        assert dropped["detail"] == "0 of 40 datagrams were counted"


def test_ports_of_the_kernel_that_are_rejected_or_cannot_be_asked_about(
    node: Module, friend: Module, network: Network
) -> None:
    port = tunnel(network, "vxlan")
    listen(node, ("udp", port), ("tcp", 30000), addresses=[V4])
    rules(network.node, f"udp dport {port} reject with icmpx admin-prohibited")
    wanted = target("udp", port, kind="kernel", control_port=30000)
    assert verdicts(friend, wanted) == ["rejected"]
    unasked = results(friend, {**wanted, "control_port": 30001}, {**wanted, "control_port": 0})
    assert [one["verdict"] for one in unasked] == ["unknown", "unknown"]
    assert "TCP port 30001 of our listener: refused" in unasked[0]["detail"]


def test_who_waits_long_for_a_turn_still_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = server.Server([listening], "node")
        thread = threading.Thread(daemon=True, target=serving.serve, args=(time.monotonic() + 20,))
        thread.start()
        try:
            clients = [socket.create_connection(listening.getsockname(), timeout=10) for _number in range(6)]
            files = [client.makefile("rw") for client in clients]
            for file in files:
                print("netops-count 4 40", file=file, flush=True)
            answers = []
            for client, file in zip(clients, files):
                while not (line := file.readline()).startswith("netops-counted"):
                    assert line, "the connection was closed before its turn"
                    if line.startswith("netops-burst"):
                        print("netops-sent 40", file=file, flush=True)
                answers.append(line)
                file.close()
                client.close()
        finally:
            serving.end()
            thread.join(10)
            serving.close()
    assert len(answers) == 6


def test_ten_nodes_probe_each_other_at_once() -> None:
    """The time is printed; ``python3 -m tests.bench.port_probe`` does it with fifty."""
    pairs = 10 * 9
    found = measure(10)
    assert found["echo"] == {"open": pairs * (len(TCP) + len(UDP))}
    assert found["kernel"] == {"open": pairs}
    assert found["stop"] == {"stopped": 10}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "listening", "listeners": [{"protocol": "tcp", "port": 0, "addresses": [V4]}]}, "port 0; expected"),
        (
            {"state": "listening", "listeners": [{"protocol": "tcp", "port": 1, "addresses": ["192.0.2.1"]}]},
            "listener tcp 192.0.2.1 port 1: this node does not have the address",
        ),
        ({"state": "listening", "listeners": [{"protocol": "tcp", "port": 1, "addresses": []}]}, "it has no addresses"),
        ({"state": "listening", "listeners": [], "deadline": 0}, "deadline 0"),
        ({"state": "listening"}, "missing: listeners"),
        ({"state": "probed", "targets": [target("tcp", 70000)]}, "port 70000"),
        ({"state": "probed", "targets": [target("tcp", 1, "worker")]}, "address 'worker'"),
        ({"state": "probed", "targets": [target("icmp", 0)]}, "protocol 'icmp'; expected one of tcp, udp, sctp, ipip"),
        ({"state": "probed", "targets": [target("quic", 443)]}, "protocol 'quic'"),
        ({"state": "probed", "targets": [target("esp", 50)]}, "port 50; expected none, which is 0: esp has no ports"),
        ({"state": "probed", "targets": [target("tcp", 1, kind="kernel")]}, "are UDP"),
        ({"state": "probed", "targets": [target("tcp", 1, source_address=V6)]}, "the other address family"),
        (
            {"state": "probed", "targets": [target("tcp", 1, source_address="192.0.2.9")]},
            "source_address 192.0.2.9: this node does not have it",
        ),
        ({"state": "probed", "targets": [], "timeout": 0}, "timeout 0.0: out of range"),
        ({"state": "probed", "targets": [], "node_name": "two words"}, "it cannot be sent as one word"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(node: Module, options: dict[str, Any], message: str) -> None:
    assert re.search(re.escape(message), node.fails(**options))
