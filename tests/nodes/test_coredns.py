# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role coredns on a real cluster: under look-ups, with a server that nobody answers at, killed, and twice at once."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.notes import PENDING
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.nodes import pods
from tests.nodes.resolving import Resolving
from tests.support.modules import Module
from tests.testbed import artefacts
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("coredns")

PLAYBOOK = Path(__file__).parent / "playbooks" / "coredns.yml"
REF = ObjectRef("v1", "ConfigMap", "coredns", "kube-system")
DNS = "10.96.0.10"
NAMES = ["kubernetes.default.svc.cluster.local", "www.example.com"]
SITE = "198.18.0.1"
# Nobody's address on the bridge.
NOBODY = "198.18.0.99"
QUICK_RELOAD = {"name": "reload", "arguments": ["2s", "1s"]}
VERIFIED = {"coredns_verify_names": ["www.example.com"]}
ROUNDS = 3
# Seconds; machines that share their processors with others replace a pod in minutes.
PATIENCE = 600


def kubeconfig(bed: Bed) -> str:
    return str(bed.folder / "kubeconfig")


def play(bed: Bed, **variables: Any) -> tuple[int, str]:
    """Run the playbook; its status and what it said."""
    wishes = json.dumps({"coredns_wait_timeout": PATIENCE, **variables})
    done = subprocess.run(
        ["ansible-playbook", "-i", str(bed.folder / "inventory"), str(PLAYBOOK), "-e", wishes],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_PIPELINING": "1"},
        timeout=2.0 * PATIENCE,
    )
    return done.returncode, done.stdout + done.stderr


def live(bed: Bed) -> dict[str, Any]:
    found = connect({"kubeconfig": kubeconfig(bed)}).get(REF)
    assert found
    return found


def pending(obj: Mapping[str, Any]) -> bool:
    return PENDING in (obj["metadata"].get("annotations") or {})


def probes_left(bed: Bed) -> list[str]:
    services = connect({"kubeconfig": kubeconfig(bed)}).list("v1", "Service", "kube-system")
    return [one["metadata"]["name"] for one in services if one["metadata"]["name"].startswith("netops-dns")]


def test_edit_under_look_ups(serving: Bed) -> None:
    with (
        Resolving(serving, Node(2), DNS, NAMES) as far,
        Resolving(serving, Node(1), DNS, NAMES) as near,
    ):
        status, said = play(
            serving,
            coredns_verify_names=["www.example.com", "intranet.corp.example.com"],
            coredns_upstreams={"servers": [SITE], "policy": "sequential"},
            coredns_stub_domains=[{"domain": "corp.example.com", "servers": [SITE]}],
            coredns_plugins=[QUICK_RELOAD],
        )
    assert status == 0, said
    for client in (far, near):
        print(client.seen)
        assert client.seen.count > 100
        assert client.seen.failures == (), client.seen
    assert "forward . 198.18.0.1 {" in live(serving)["data"]["Corefile"]
    assert not pending(live(serving))
    assert probes_left(serving) == []
    [answer] = serving.must(Node(2), f"dig +short @{DNS} intranet.corp.example.com").split()
    assert answer == "203.0.113.20"


def test_server_at_which_nobody_answers(serving: Bed) -> None:
    before = live(serving)["data"]
    status, said = play(serving, **VERIFIED, coredns_upstreams={"servers": [NOBODY]})
    assert status == 2
    for part in (
        "from node1, www.example.com A at 10.96.0.10 over UDP: SERVFAIL",
        "from node2, www.example.com A at 10.96.0.10 over TCP: SERVFAIL",
        "CoreDNS says: coredns-",
        f"->{NOBODY}:53: i/o timeout",
        "The Corefile from before is back, and every CoreDNS runs with it.",
    ):
        assert part in said
    assert live(serving)["data"] == before
    assert not pending(live(serving))
    assert probes_left(serving) == []
    assert "203.0.113.10" in serving.must(Node(2), f"dig +short @{DNS} www.example.com")


def test_a_server_named_in_the_general_form_is_asked_without_names(serving: Bed) -> None:
    before = live(serving)["data"]
    zone = {"zone": "dead.example.com:53", "plugins": [{"name": "forward", "arguments": [".", NOBODY]}]}
    status, said = play(serving, coredns_zones=[zone])
    assert status == 2
    assert f"from node2, dead.example.com SOA at {DNS} over TCP: SERVFAIL" in said
    assert live(serving)["data"] == before
    assert not pending(live(serving))


@pytest.mark.parametrize(("server", "status"), [(NOBODY, 2), (SITE, 0)])
def test_killed_between_write_and_proof(serving: Bed, server: str, status: int) -> None:
    before = live(serving)["data"]["Corefile"]
    written = Module("corefile", {"kubeconfig": kubeconfig(serving)})(
        upstreams={"servers": [server]}, cache={"ttl": 29}, provisional=True
    )
    assert written["changed"]
    assert pending(live(serving))
    ended, said = play(serving, **VERIFIED, coredns_upstreams={"servers": [server]}, coredns_cache={"ttl": 29})
    assert ended == status, said
    assert not pending(live(serving))
    assert (live(serving)["data"]["Corefile"] == before) is (status != 0)


def test_what_somebody_wrote_a_moment_ago_is_waited_for(serving: Bed) -> None:
    """Its own module edits without a roll-out, and notes nothing."""
    entry = {"address": "192.0.2.77", "names": ["moment.example.com"]}
    written = Module("corefile", {"kubeconfig": kubeconfig(serving)})(hosts=[entry])
    assert written["changed"]
    assert not pending(live(serving))
    status, said = play(serving, **VERIFIED)
    assert status == 0, said
    assert set(serving.must(Node(2), f"for _ in $(seq 20); do dig +short @{DNS} moment.example.com; done").split()) == {
        "192.0.2.77"
    }


def test_two_at_once(serving: Bed) -> None:
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            one = {"coredns_hosts": [{"address": f"192.0.2.{number + 1}", "names": [f"host{number}.example.com"]}]}
            other = {"coredns_zones": [{"zone": f"zone{number}.example.com:53", "plugins": [{"name": "whoami"}]}]}
            ended = list(pool.map(lambda wishes: play(serving, **wishes), (one, other)))
            assert [status for status, _said in ended] == [0, 0], ended
    corefile = live(serving)["data"]["Corefile"]
    for number in range(ROUNDS):
        assert f"192.0.2.{number + 1} host{number}.example.com" in corefile
        assert f"zone{number}.example.com:53 {{" in corefile
    assert not pending(live(serving))


def test_without_reload_pods_are_replaced(serving: Bed) -> None:
    with Resolving(serving, Node(2), DNS, NAMES) as client:
        status, said = play(serving, **VERIFIED, coredns_plugins=[{"name": "reload", "state": "absent"}])
        assert status == 0, said
        status, said = play(serving, **VERIFIED, coredns_plugins=[QUICK_RELOAD], coredns_cache={"ttl": 31})
        assert status == 0, said
    print(client.seen)
    assert "cache 31" in live(serving)["data"]["Corefile"]
    assert not pending(live(serving))


def test_what_a_search_path_costs_is_measured(serving: Bed) -> None:
    client = connect({"kubeconfig": kubeconfig(serving)})
    pod = pods.start(serving, client, "searching", [pods.Wanted("searching", Node(2))])["searching"]
    # Programs that enter the namespace by its name see these files below /etc.
    folder = f"/etc/netns/{pod.network_namespace}"
    domains = "default.svc.cluster.local svc.cluster.local cluster.local"
    costs = {}
    for ndots in (5, 1):
        text = f"nameserver {DNS}\\nsearch {domains}\\noptions ndots:{ndots}\\n"
        serving.must(pod.node, f"mkdir -p {folder} && printf '{text}' > {folder}/resolv.conf")
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(Module("coredns_info", {"kubeconfig": kubeconfig(serving)}).succeeds, interval=6)
            while not told.done():
                look_up = f"ip netns exec {pod.network_namespace} getent ahosts www.example.com"
                assert "203.0.113.10" in serving.must(pod.node, look_up)
        costs[ndots] = told.result()["questions_per_answer"]
    print(costs)
    # Each of three domains and the name itself, instead of the name alone.
    assert costs[5] / costs[1] == pytest.approx(4, rel=0.1)


def images(bed: Bed) -> set[str]:
    """What runs CoreDNS."""
    pods = connect({"kubeconfig": kubeconfig(bed)}).list("v1", "Pod", "kube-system", "k8s-app=kube-dns")
    return {
        pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
    }


def bring(bed: Bed, archive: Path) -> None:
    """Put an image into every node's store, where a registry would be asked else."""
    for node in bed.nodes:
        words = [*bed.ssh_command(node), "ctr --namespace k8s.io images import --snapshotter overlayfs -"]
        with archive.open("rb") as content:
            subprocess.run(words, stdin=content, check=True, capture_output=True, timeout=PATIENCE)


def test_another_version_and_back(serving: Bed) -> None:
    assert not serving.store.missing([artefacts.older_coredns]), "`make nodes` builds CoreDNS 1.11.3"
    bring(serving, serving.store.path(artefacts.older_coredns) / "coredns.tar")
    with Resolving(serving, Node(2), DNS, NAMES) as client:
        status, said = play(serving, **VERIFIED, coredns_image=artefacts.OLDER_COREDNS)
        assert status == 0, said
        assert images(serving) == {"v1.11.3"}
        status, said = play(serving, **VERIFIED)
        assert status == 0, said
    print(client.seen)
    assert images(serving) == {"v1.14.2"}
    assert "203.0.113.10" in serving.must(Node(2), f"dig +short @{DNS} www.example.com")


def test_image_that_nobody_has(serving: Bed) -> None:
    before = live(serving)["data"]
    with Resolving(serving, Node(2), DNS, NAMES) as client:
        status, said = play(
            serving,
            **VERIFIED,
            coredns_image="registry.k8s.io/coredns/coredns:v1.13.1",
            coredns_cache={"ttl": 47},
            # The way back has as long, and a slow machine needs it.
            coredns_wait_timeout=100,
        )
    print(client.seen)
    assert status == 2
    assert "not all of its pods are new yet" in said
    assert "The Corefile and the Deployment from before are back, and every CoreDNS runs with them." in said
    assert images(serving) == {"v1.14.2"}
    assert live(serving)["data"] == before
