# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way past NodeLocal DNSCache, on a real kernel: who answers, and that it is one step."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Namespace, Network

SERVICE, NODE, COREDNS = "10.96.0.10", "198.18.1.1", "198.18.1.3"
# Over UDP and TCP, says who it is.
ANSWER = """
import socket, sys, threading
address, word = sys.argv[1], sys.argv[2].encode()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((address, 53))
tcp = socket.create_server((address, 53))
def datagrams():
    while True:
        udp.sendto(word, udp.recvfrom(99)[1])
threading.Thread(target=datagrams, daemon=True).start()
print('ready', flush=True)
while True:
    one, _client = tcp.accept()
    one.sendall(word)
    one.close()
"""
ASK = """
import socket, sys
for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
    one = socket.socket(socket.AF_INET, kind)
    one.settimeout(2)
    one.connect((sys.argv[1], 53))
    one.sendall(b'?') if kind == socket.SOCK_DGRAM else None
    print(one.recv(99).decode())
"""


RULES = (
    *(f"PREROUTING -d {SERVICE} -p {one} --dport 53" for one in ("tcp", "udp")),
    *(f"OUTPUT -s {SERVICE} -p {one} --sport 53" for one in ("tcp", "udp")),
    *(f"OUTPUT -d {SERVICE} -p {one} --dport 53" for one in ("tcp", "udp")),
    f"OUTPUT -d {SERVICE} -p tcp --dport 8080",
    f"OUTPUT -s {SERVICE} -p tcp --sport 8080",
)


def asked(client: Namespace) -> list[str]:
    """Who answers at the Service's address, over UDP and TCP."""
    return client.run("python3", "-c", ASK, SERVICE).stdout.split()


@pytest.fixture
def cached(network: Network) -> Iterator[Network]:
    """A node on which a cache takes the Service's address, with rules in node-cache's manner."""
    node = network.node
    for words in (
        f"ip address add {SERVICE}/32 dev lo",
        f"iptables -t nat -A PREROUTING -d {SERVICE} -p udp --dport 53 -j DNAT --to {COREDNS}:53",
        f"iptables -t nat -A PREROUTING -d {SERVICE} -p tcp --dport 53 -j DNAT --to {COREDNS}:53",
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
        *(f"iptables -t raw -I PREROUTING -d {SERVICE} -p {one} --dport 53 -j NOTRACK" for one in ("udp", "tcp")),
        *(f"iptables -t raw -I OUTPUT -s {SERVICE} -p {one} --sport 53 -j NOTRACK" for one in ("udp", "tcp")),
        "sysctl -w net.ipv4.ip_forward=1",
    ):
        done = node.run(*words.split())
        assert done.returncode == 0, (words, done.stderr)
    assert network.friend.run("ip", "route", "add", SERVICE, "via", NODE).returncode == 0
    servers = [
        subprocess.Popen([*where.prefix, "python3", "-c", ANSWER, address, word], stdout=subprocess.PIPE, text=True)
        for where, address, word in ((node, SERVICE, "cache"), (network.stranger, COREDNS, "coredns"))
    ]
    try:
        for server in servers:
            assert server.stdout
            assert server.stdout.readline() == "ready\n"
        yield network
    finally:
        for server in servers:
            server.kill()
            server.communicate()


def test_questions_pass_the_cache_by_as_long_as_it_is_there(cached: Network) -> None:
    bypass = Module("node_local_dns_bypass", {"addresses": [SERVICE]}, prefix=cached.node.prefix)
    assert asked(cached.friend) == ["cache", "cache"]
    state_matrix(bypass)
    assert asked(cached.friend) == ["coredns", "coredns"]
    # The cache lays a rule anew, before all others.
    cached.node.run(*f"iptables -t raw -I PREROUTING -d {SERVICE} -p udp --dport 53 -j NOTRACK".split())
    assert asked(cached.friend) == ["coredns", "coredns"]
    predicted = bypass.succeeds(state="absent", check=True, diff=True)
    assert predicted["changed"]
    assert SERVICE in predicted["diff"]["before"]
    assert asked(cached.friend) == ["coredns", "coredns"]
    assert bypass.succeeds(state="absent", wait=1)["changed"]
    assert asked(cached.friend) == ["cache", "cache"]
    assert not bypass.succeeds(state="absent")["changed"]


def test_what_a_killed_cache_left_is_removed(cached: Network) -> None:
    bypass = Module("node_local_dns_bypass", {"addresses": [SERVICE]}, prefix=cached.node.prefix)
    cached.node.run(*f"iptables -I INPUT -p udp -d {SERVICE} --dport 53 -j ACCEPT".split())
    cached.node.run(*f"iptables -I INPUT -p udp -d {COREDNS} --dport 53 -j ACCEPT".split())
    bypass.succeeds()
    bypass.succeeds(state="absent")
    assert asked(cached.friend) == ["coredns", "coredns"]
    left = (
        cached.node.run("iptables-save", "-t", "raw").stdout + cached.node.run("iptables-save", "-t", "filter").stdout
    )
    assert SERVICE not in left
    assert COREDNS in left


def test_another_address_renews_it(network: Network) -> None:
    bypass = Module("node_local_dns_bypass", prefix=network.node.prefix)
    assert bypass.succeeds(addresses=[SERVICE])["changed"]
    assert bypass.succeeds(addresses=["10.96.0.11", "fd00:96::a"])["changed"]
    said = network.node.run("nft", "list", "table", "inet", "netops_dns_bypass").stdout
    assert "ip daddr 10.96.0.11 " in said
    assert "ip6 daddr fd00:96::a " in said
    assert f"{SERVICE} " not in said
    assert not bypass.succeeds(addresses=["fd00:96::a"])["changed"]


def test_without_addresses_nothing_is_touched(network: Network) -> None:
    bypass = Module("node_local_dns_bypass", {"addresses": []}, prefix=network.node.prefix)
    assert not bypass.succeeds()["changed"]
    assert not bypass.succeeds(state="absent")["changed"]
    assert "netops" not in network.node.run("nft", "list", "tables").stdout


def test_it_waits_for_the_rules_of_the_cache(network: Network) -> None:
    bypass = Module("node_local_dns_bypass", {"addresses": [SERVICE]}, prefix=network.node.prefix)
    bypass.succeeds()
    done = bypass.succeeds(state="absent", wait=1)
    assert done["changed"]
    assert done["reason"] == f"after 1 s the cache has no rules for {SERVICE}"
    assert done["reason"] in str(done["warnings"])

    bypass.succeeds()
    with subprocess.Popen(bypass.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdin
        assert waiting.stdout
        waiting.stdin.write(bypass.arguments(state="absent", wait=60))
        waiting.stdin.close()
        time.sleep(2)
        assert waiting.poll() is None, "it did not wait"
        for rule in RULES:
            assert waiting.poll() is None, f"it did not wait for {rule}"
            network.node.run(*f"iptables -t raw -I {rule} -j NOTRACK".split())
        assert '"reason": ""' in waiting.stdout.read()
    assert waiting.returncode == 0


def test_what_is_no_address_is_refused(network: Network) -> None:
    bypass = Module("node_local_dns_bypass", {"addresses": ["kube-dns"]}, prefix=network.node.prefix)
    assert "'kube-dns' does not appear to be an IPv4 or IPv6 address" in bypass.fails()
    assert "netops" not in network.node.run("nft", "list", "tables").stdout


@pytest.mark.parametrize("is_first", [False, True], ids=["behind the cache", "before it, and again"])
def test_the_nodes_own_questions_have_a_source_that_stays(network: Network, *, is_first: bool) -> None:
    node = network.node
    bypass = Module("node_local_dns_bypass", {"addresses": [SERVICE]}, prefix=node.prefix)
    if is_first:
        bypass.succeeds()
    # A link with the address that is asked, as the cache makes it; a bridge, since not every kernel has dummies.
    for words in (
        "link add name nodelocaldns type bridge",
        f"address add {SERVICE}/32 dev nodelocaldns",
        f"route add default via {COREDNS}",
    ):
        assert node.run("ip", *words.split()).returncode == 0, words
    assert f" src {SERVICE} " in node.run("ip", "route", "get", SERVICE).stdout
    assert bypass.succeeds()["changed"] is not is_first
    said = node.run("ip", "route", "get", SERVICE).stdout
    # Its own link has it still; what is asked comes from the node's own address.
    assert said.startswith(f"local {SERVICE} ")
    assert f" src {NODE} " in said
    assert node.run("ip", "link", "delete", "nodelocaldns").returncode == 0
    assert node.run("ip", "route", "show", "table", "local", SERVICE).stdout == ""


# Answers one question, late.
LATE = """
import socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind((sys.argv[1], 53))
print('ready', flush=True)
word, client = one.recvfrom(99)
time.sleep(1.5)
one.sendto(b'late', client)
"""
ASK_ONCE = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.settimeout(4)
one.connect((sys.argv[1], 53))
one.sendall(b'?')
print('asked', flush=True)
try:
    print(one.recv(99).decode())
except OSError:
    print('lost')
"""


@pytest.mark.parametrize(("renewed", "said"), [(False, "lost"), (True, "late")])
def test_a_nodes_question_outlives_the_link_of_a_cache_that_came_behind_the_bypass(
    network: Network, *, renewed: bool, said: str
) -> None:
    node = network.node
    bypass = Module("node_local_dns_bypass", {"addresses": [SERVICE]}, prefix=node.prefix)
    bypass.succeeds()
    for words in (
        "ip link add name nodelocaldns type bridge",
        f"ip address add {SERVICE}/32 dev nodelocaldns",
        f"ip route add default via {COREDNS}",
        f"iptables -t nat -A OUTPUT -d {SERVICE} -p udp --dport 53 -j DNAT --to {COREDNS}:53",
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
    ):
        assert node.run(*words.split()).returncode == 0, words
    if renewed:
        bypass.succeeds()
    with subprocess.Popen([*network.stranger.prefix, "python3", "-c", LATE, COREDNS], stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"
        with subprocess.Popen([*node.prefix, "python3", "-c", ASK_ONCE, SERVICE], stdout=subprocess.PIPE) as client:
            assert client.stdout
            assert client.stdout.readline() == b"asked\n"
            assert node.run("ip", "link", "delete", "nodelocaldns").returncode == 0
            assert client.stdout.read().decode().strip() == said
        server.kill()
