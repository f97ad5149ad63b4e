# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role node_local_dns on a real cluster, under look-ups, in each mode of kube-proxy.

A double plays node-cache, whose program cannot be built from packages: ``tests/testbed/node_cache_double``.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.bypass import TABLE
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.nodes import pods
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.plays import ROLE, Played, run, succeeds
from tests.nodes.resolving import Resolving
from tests.testbed import artefacts
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("node_local_dns")

DNS, LOCAL = "10.96.0.10", "169.254.20.10"
NAMES = ["kubernetes.default.svc.cluster.local", "www.example.com"]
NAMESPACE = "resolving"
WISHES: dict[str, Any] = {"role_under_test": "node_local_dns", "node_local_dns_verify_names": ["www.example.com"]}
DAEMON_SET = ObjectRef("apps/v1", "DaemonSet", "node-local-dns", "kube-system")
KUBELET = "/var/lib/kubelet/config.yaml"


def api(bed: Bed) -> KubeClient:
    return connect({"kubeconfig": str(bed.folder / "kubeconfig")})


def play(bed: Bed, *words: str, **variables: Any) -> Played:
    return run(bed.folder / "inventory", ROLE, *words, **{**WISHES, **variables})


@pytest.fixture(scope="module")
def clients(serving: Bed) -> dict[str, pods.Running]:
    """A pod on each node whose network namespace questions come from."""
    assert not serving.store.missing([artefacts.node_cache_double]), "`make long` builds node-cache-double"
    serving.load_images(serving.store.path(artefacts.node_cache_double) / "images.tar")
    return pods.start(serving, api(serving), NAMESPACE, [pods.Wanted(f"on-{one.name}", one) for one in serving.nodes])


@contextmanager
def resolving(bed: Bed, clients: dict[str, pods.Running]) -> Iterator[None]:
    """Within: every pod and every node resolves all the time, at the DNS Service; nothing must be lost."""
    with ExitStack() as stack:
        inside = [Resolving(bed, one.node, DNS, NAMES, one.network_namespace) for one in clients.values()]
        everybody = [*inside, *(Resolving(bed, node, DNS, NAMES) for node in bed.nodes)]
        for one in everybody:
            stack.enter_context(one)
        yield
    for one in everybody:
        print(one.node.name, one.seen, *one.seen.failures, sep="\n  ")
        assert one.seen.count > 50
    assert not [one.seen for one in everybody if one.seen.failures]


def asked(bed: Bed, node: Node) -> int:
    """How many questions the cache of a node has answered."""
    said = bed.must(node, "curl -s localhost:9253/metrics")
    counts = re.findall(r"^coredns_dns_requests_total\{.*\} (\S+)$", said, re.MULTILINE)
    return int(sum(map(float, counts)))


def traces(bed: Bed) -> str:
    """What the cache or the bypass has left on any node."""
    look = f"ip -o link show nodelocaldns; iptables-save | grep -w {DNS} | grep -w 53; nft list table inet {TABLE}"
    saved = [bed.ssh(node, f"({look}) 2>/dev/null").stdout for node in bed.nodes]
    # kube-proxy's own rules name the address too.
    return "\n".join(line for text in saved for line in text.splitlines() if "KUBE-" not in line)


def dig(bed: Bed, node: Node, server: str) -> str:
    return bed.must(node, f"dig +short +time=2 +tries=2 @{server} intranet.corp.example.com || true").strip()


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_on_and_off_under_look_ups(serving: Bed, clients: dict[str, pods.Running], mode: str) -> None:
    inventory = serving.folder / "inventory"
    succeeds(inventory, PLAYBOOKS / "kube_proxy.yml", kube_proxy_mode=mode)
    predicted = play(serving, "--check", "--diff")
    assert predicted.status == 0, predicted.said
    assert api(serving).get(DAEMON_SET) is None
    with resolving(serving, clients):
        done = play(serving)
        assert done.status == 0, done.said
        for client in clients.values():
            before = asked(serving, client.node)
            inside = ["ip", "netns", "exec", client.network_namespace]
            for server in (DNS, LOCAL):
                answer = serving.must(client.node, " ".join([*inside, f"dig +short @{server} www.example.com"]))
                assert answer.strip() == "203.0.113.10"
            assert asked(serving, client.node) >= before + 2, "the questions did not come to the cache"
    again = play(serving)
    assert again.status == 0, again.said
    assert not any(again.changed.values()), again.said
    with resolving(serving, clients):
        gone = play(serving, entry_point="uninstall")
        assert gone.status == 0, gone.said
    assert traces(serving) == ""
    assert not any(play(serving, entry_point="uninstall").changed.values())


def test_a_cache_that_does_not_answer_is_taken_away(serving: Bed, clients: dict[str, pods.Running]) -> None:
    with resolving(serving, clients):
        done = play(serving, node_local_dns_verify_names=["nobody.example.invalid"], node_local_dns_verify_timeout=5)
    assert done.status != 0
    assert "nobody.example.invalid A at 169.254.20.10 over UDP" in done.said, done.said
    assert "was taken away again; pods ask CoreDNS itself" in done.said
    assert api(serving).get(DAEMON_SET) is None
    assert traces(serving) == ""


def name_server(bed: Bed, address: str) -> None:
    """Let the kubelets give this address to their pods."""
    for node in bed.nodes:
        bed.must(node, f"sed -i '/^clusterDNS:/,+1 s/- .*/- {address}/' {KUBELET} && systemctl restart kubelet")


def test_ipvs(serving: Bed, clients: dict[str, pods.Running]) -> None:
    inventory = serving.folder / "inventory"
    succeeds(inventory, PLAYBOOKS / "kube_proxy.yml", kube_proxy_mode="ipvs")
    with resolving(serving, clients):
        done = play(serving)
        assert done.status == 0, done.said
        said = " ".join(done.said.split())
        assert "kube-proxy keeps 10.96.0.10, so the cache gets no question from pods of node1, node2." in said
        for node in serving.nodes:
            assert dig(serving, node, LOCAL) == dig(serving, node, DNS)
            assert DNS not in serving.must(node, "ip -brief address show nodelocaldns")
    name_server(serving, LOCAL)
    new = pods.start(serving, api(serving), "renewed", [pods.Wanted("renewed", Node(2))])["renewed"]
    with Resolving(serving, new.node, LOCAL, NAMES, new.network_namespace) as client:
        done = play(serving)
    assert done.status == 0, done.said
    assert "In mode ipvs" not in done.said
    assert client.seen.count > 50
    assert client.seen.failures == (), client.seen
    refused = play(serving, entry_point="uninstall")
    assert refused.status != 0
    assert f"it is {LOCAL}; without the cache nobody would answer its pods" in refused.said
    name_server(serving, DNS)
    with resolving(serving, clients):
        gone = play(serving, entry_point="uninstall")
        assert gone.status == 0, gone.said
    assert traces(serving) == ""
