# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module coredns_rollout against a real API server. Nothing runs pods here, so no CoreDNS says anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import Place, RolloutError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import notes
from tests.support.coredns_objects import DEPLOYMENT, REF, SERVICE
from tests.support.corefiles import KUBEADM
from tests.support.modules import Module
from tests.support.mortal import Killed, Mortal
from tests.support.workloads_double import WorkloadsDouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PLACE = Place(REF, "Corefile")


@pytest.fixture
def coredns(installed: str) -> Iterator[None]:
    """The same, with a Deployment that says that its pods are ready."""
    with WorkloadsDouble(installed):
        yield


@pytest.fixture
def corefile(api: str) -> Module:
    return Module("corefile", {"kubeconfig": api, "provisional": True})


@pytest.fixture
def coredns_rollout(api: str) -> Module:
    return Module("coredns_rollout", {"kubeconfig": api, "wait_timeout": 20})


def live(client: KubeClient) -> dict[str, Any]:
    found = client.get(REF)
    assert found
    return found


def probes_left(client: KubeClient) -> list[str]:
    listed = [*client.list("v1", "Service", "kube-system"), *client.list("discovery.k8s.io/v1", "EndpointSlice")]
    return [one["metadata"]["name"] for one in listed if one["metadata"]["name"].startswith("netops-dns")]


def ended(module: Module, edited: dict[str, Any], loaded: dict[str, Any], *problems: str) -> dict[str, Any]:
    return module(
        state="finished",
        digest=edited["digest"],
        run=loaded["run"],
        corefile=loaded["corefile"],
        problems=list(problems),
    )


@pytest.mark.usefixtures("coredns")
def test_proven(corefile: Module, coredns_rollout: Module, client: KubeClient) -> None:
    edited = corefile(cache={"ttl": 300})
    assert edited["changed"]
    loaded = coredns_rollout(state="loaded", digest=edited["digest"], names=["www.example.com"], zones=["."])
    assert loaded["changed"], loaded
    service = client.get(SERVICE)
    assert service
    assert loaded["servers"] == service["spec"]["clusterIPs"]
    names = [question["name"].partition(f"-{loaded['run']}")[0] for question in loaded["questions"]]
    assert names == [
        "kubernetes.default.svc.cluster.local",
        "netops-dns-headless",
        "netops-dns-external",
        "www.example.com",
    ]
    assert len(probes_left(client)) == 3
    assert ended(coredns_rollout, edited, loaded)["changed"]
    assert probes_left(client) == []
    assert notes.read_pending(live(client), "Corefile") is None
    # Again: nothing is pending, so nothing is waited for.
    again = corefile(cache={"ttl": 300})
    loaded = coredns_rollout(state="loaded", digest=again["digest"])
    assert not again["changed"]
    assert not loaded["changed"]
    assert not ended(coredns_rollout, again, loaded)["changed"]


@pytest.mark.usefixtures("coredns")
def test_problems_give_the_corefile_back(corefile: Module, coredns_rollout: Module, client: KubeClient) -> None:
    edited = corefile(upstreams={"servers": ["192.0.2.53"]})
    loaded = coredns_rollout(state="loaded", digest=edited["digest"])
    lines = [f"from node{number}, www.example.com A at 10.96.0.10 over UDP: SERVFAIL" for number in range(7)]
    done = ended(coredns_rollout, edited, loaded, *lines)
    assert done["failed"]
    assert done["msg"] == (
        f"ConfigMap 'kube-system/coredns', Corefile: {'; '.join(lines[:5])}; and 2 more. "
        "The Corefile from before is back, and every CoreDNS runs with it."
    )
    assert live(client)["data"]["Corefile"] == KUBEADM
    assert probes_left(client) == []


@pytest.mark.usefixtures("installed")
def test_a_corefile_that_nobody_takes_is_told_in_whole_sentences(corefile: Module, coredns_rollout: Module) -> None:
    edited = corefile(upstreams={"servers": ["192.0.2.53"]})
    message = coredns_rollout.fails(state="loaded", digest=edited["digest"], wait_timeout=2)
    assert (
        "; expected every CoreDNS with the Corefile. The Corefile from before is back, but not everywhere: " in message
    )
    assert message.endswith("; expected every CoreDNS with the Corefile.")


@pytest.mark.usefixtures("coredns")
def test_problems_without_a_change(corefile: Module, coredns_rollout: Module, client: KubeClient) -> None:
    unchanged = corefile(cache={"ttl": 30})
    assert not unchanged["changed"]
    loaded = coredns_rollout(state="loaded", digest=unchanged["digest"])
    done = ended(coredns_rollout, unchanged, loaded, "from node1, a A at 10.96.0.10 over UDP: no answer in time")
    assert done["msg"].endswith("No change of the Corefile was pending, so it stays as it is.")
    assert live(client)["data"]["Corefile"] == KUBEADM


@pytest.mark.usefixtures("coredns")
def test_whose_edit_went_with_another_is_told(corefile: Module, coredns_rollout: Module, client: KubeClient) -> None:
    first, second = corefile(cache={"ttl": 300}), corefile(upstreams={"servers": ["192.0.2.53"]})
    loaded = coredns_rollout(state="loaded", digest=second["digest"])
    assert ended(coredns_rollout, second, loaded, "nothing answers")["failed"]
    done = coredns_rollout(state="loaded", digest=first["digest"])
    assert done["msg"] == (
        "ConfigMap 'kube-system/coredns', Corefile: another run found that DNS does not answer with what was written "
        "here and later, and took both back. Run it again."
    )
    assert corefile(cache={"ttl": 300})["digest"] == first["digest"]
    loaded = coredns_rollout(state="loaded", digest=first["digest"])
    assert not ended(coredns_rollout, first, loaded).get("failed")
    assert "cache 300" in live(client)["data"]["Corefile"]


@pytest.mark.usefixtures("coredns")
def test_proof_of_the_first_of_two(corefile: Module, coredns_rollout: Module, client: KubeClient) -> None:
    first = corefile(cache={"ttl": 300})
    loaded = coredns_rollout(state="loaded", digest=first["digest"])
    second = corefile(upstreams={"servers": ["192.0.2.53"]})
    assert ended(coredns_rollout, first, loaded)["changed"]
    loaded = coredns_rollout(state="loaded", digest=second["digest"])
    assert ended(coredns_rollout, second, loaded, "nothing answers")["failed"]
    assert live(client)["data"]["Corefile"] == first["corefile"]


@pytest.mark.usefixtures("coredns")
def test_killed_anywhere_and_run_again(corefile: Module, client: KubeClient) -> None:
    """Before each of its writes; the next run ends what the first began, whichever way."""
    wishes: list[dict[str, Any]] = [{"cache": {"ttl": 301}}, {"cache": {"ttl": 302}}]
    for wish, problems in zip(wishes, ([], ["nothing answers"])):
        before = live(client)["data"]["Corefile"]
        edited = corefile(**wish)
        step = 0
        while True:
            mortal: Any = Mortal(client, step)
            try:
                proof = rollout.load(mortal, PLACE, written=edited["digest"], names=(), zones=(), timeout=20.0)
                rollout.finish(
                    mortal,
                    PLACE,
                    run=proof.run,
                    corefile=proof.corefile,
                    written=edited["digest"],
                    problems=problems,
                    timeout=20.0,
                )
            except Killed:
                step += 1
                assert step < 20
                continue
            except RolloutError:
                assert problems
            break
        assert step > 2
        assert (live(client)["data"]["Corefile"] == before) is bool(problems)
        assert notes.read_pending(live(client), "Corefile") is None


@pytest.mark.usefixtures("installed")
def test_bad_input(api: str, client: KubeClient) -> None:
    client.delete(DEPLOYMENT, propagation="Background")
    module = Module("coredns_rollout", {"kubeconfig": api})
    assert module(state="finished", digest="x")["msg"] == (
        "state is finished but all of the following are missing: run, corefile"
    )
    assert module(state="loaded", digest="x", name="nobody")["msg"] == (
        "ConfigMap 'kube-system/nobody': it is not there, or has no key Corefile; expected the ConfigMap that CoreDNS "
        "reads."
    )
    assert module(state="loaded", digest="x")["msg"] == (
        "ConfigMap 'kube-system/coredns': no Deployment and no DaemonSet mounts it; expected the one that runs CoreDNS"
        ". Name its ConfigMap."
    )
    assert not module(check=True, state="loaded", digest="x")["changed"]


@pytest.mark.usefixtures("coredns")
def test_uninstalled_while_something_is_pending(corefile: Module, client: KubeClient) -> None:
    corefile(cache={"ttl": 300})
    # Proven or not, it is there until somebody says that it needs no proof.
    assert corefile(state="absent")["changed"]
    assert not corefile(state="absent")["changed"]
    assert notes.PENDING in live(client)["metadata"]["annotations"]
    corefile(state="absent", provisional=False)
    assert live(client)["data"]["Corefile"] == KUBEADM
    assert not live(client)["metadata"].get("annotations")
