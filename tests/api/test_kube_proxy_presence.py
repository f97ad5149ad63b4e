# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy removed and restored on a real API server; nothing is lost, whenever a run is killed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import comparable, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.presence import BACKUP, KUBEADM, remove
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.presence import restore as bring_back
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import DAEMON_SET, HELD
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.surroundings import CILIUM
from tests.support.kube_proxy_objects import objects
from tests.support.modules import Module, state_matrix
from tests.support.mortal import Killed, Mortal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CONFIGURATION = "kind: KubeProxyConfiguration # ours\n"
V1BETA4 = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nproxy: {} # the addon\n"
ALL = (BACKUP, KUBEADM, CONFIG_MAP, DAEMON_SET)


@pytest.fixture
def installed(client: KubeClient) -> Iterator[None]:
    for ref in ALL:
        client.delete(ref, propagation="Background")
    for obj in objects(CONFIGURATION):
        client.create(obj)
    kubeadm = {"name": KUBEADM.name, "namespace": KUBEADM.namespace}
    data = {"ClusterConfiguration": V1BETA4}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": kubeadm, "data": data})
    yield
    for ref in ALL:
        client.delete(ref, propagation="Background")


@pytest.fixture
def module(api: str) -> Module:
    return Module("kube_proxy", {"kubeconfig": api, "force": True})


def contents(client: KubeClient) -> list[dict[str, Any]]:
    found = [client.get(ref) for ref in (CONFIG_MAP, DAEMON_SET)]
    return [comparable(obj) for obj in found if obj]


def kubeadm(client: KubeClient) -> str:
    found = client.get(KUBEADM)
    assert found
    return str(found["data"]["ClusterConfiguration"])


@pytest.mark.usefixtures("installed")
def test_state_matrix_there_and_back(module: Module, client: KubeClient) -> None:
    before = contents(client)
    first = state_matrix(module, state="absent")
    assert first["changes"] == [
        f"{BACKUP} keeps ConfigMap, DaemonSet",
        f"{KUBEADM} proxy.disabled: true",
        f"{DAEMON_SET} deleted",
        f"{CONFIG_MAP} deleted",
    ]
    assert contents(client) == []
    assert yaml.safe_load(kubeadm(client))["proxy"] == {"disabled": True}
    assert "# the addon" in kubeadm(client)
    state_matrix(module, state="present")
    after = contents(client)
    for obj in (*before, *after):
        obj["metadata"].pop("annotations", None)
    assert after == before
    assert client.get(BACKUP) is None
    assert yaml.safe_load(kubeadm(client))["proxy"] == {"disabled": False}


@pytest.mark.usefixtures("installed")
def test_killed_before_every_write_and_run_again(client: KubeClient) -> None:
    before = contents(client)[0]["data"]
    away = partial(remove, force=True)
    for act, undo in ((away, bring_back), (bring_back, away)):
        step = 0
        while True:
            try:
                act(Mortal(client, step), check=False)  # type: ignore[arg-type]  # it stands in for a client
            except Killed:
                act(client, check=False)
            else:
                break
            assert bool(contents(client)) is (act is bring_back)
            assert (client.get(BACKUP) is None) is (act is bring_back)
            undo(client, check=False)
            step += 1
        assert step == 4
    assert contents(client)[0]["data"] == before


@pytest.mark.usefixtures("installed")
def test_what_stands_in_the_way_is_named(module: Module, client: KubeClient) -> None:
    client.patch(DAEMON_SET, {"metadata": {"annotations": {HELD: "{}"}}})
    assert "DaemonSet 'kube-system/kube-proxy': a roll-out is under way" in module.fails(state="absent")
    client.patch(DAEMON_SET, {"metadata": {"annotations": {HELD: None}}})
    place = {"name": BACKUP.name, "namespace": BACKUP.namespace}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place})
    assert "it is there, and not of this collection" in module.fails(state="absent")
    assert "it is there, and not of this collection" in module.fails(state="present")
    client.delete(BACKUP, propagation="Background")
    assert module.succeeds(state="present")["changed"] is False
    client.delete(DAEMON_SET, propagation="Background")
    assert "it is not there, and no backup of it is" in module.fails(state="present")
    assert "missing required arguments: state" in module.fails()


@pytest.mark.usefixtures("installed")
def test_only_what_somebody_replaces_is_removed(module: Module, client: KubeClient) -> None:
    message = module.fails(state="absent", force=False)
    assert "DaemonSet 'kube-system/kube-proxy': nobody serves Services in its place" in message
    assert contents(client)
    pod = {
        "containers": [{"name": "agent", "image": "quay.io/cilium/cilium:v1.18.0"}],
        "nodeSelector": {"nobody": "has"},
    }
    template = {"metadata": {"labels": {"app": "cilium"}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": "cilium"}}, "template": template}
    place = {"name": "cilium", "namespace": "default"}
    agents = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": place, "spec": spec}
    settings = {"name": CILIUM.name, "namespace": CILIUM.namespace}
    told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings, "data": {"kube-proxy-replacement": "true"}}
    client.patch(CONFIG_MAP, {"data": {"config.conf": CONFIGURATION + "ipvs: {excludeCIDRs: [192.0.2.0/24]}\n"}})
    try:
        client.create(agents)
        client.create(told)
        assert module.succeeds(state="absent", force=False)["exclude_cidrs"] == ["192.0.2.0/24"]
        # Again from the backup, for nodes that were not reached before.
        assert module.succeeds(state="absent", force=False)["exclude_cidrs"] == ["192.0.2.0/24"]
    finally:
        client.delete(CILIUM, propagation="Background")
        client.delete(ref_of(agents), propagation="Background")


@pytest.mark.usefixtures("installed")
def test_an_older_kubeadm_is_left_alone(module: Module, client: KubeClient) -> None:
    """Its configuration has no such field, and an unknown one would stop an upgrade."""
    text = V1BETA4.replace("v1beta4", "v1beta3").replace("proxy: {} # the addon\n", "")
    client.patch(KUBEADM, {"data": {"ClusterConfiguration": text}})
    module.succeeds(state="absent")
    assert kubeadm(client) == text
