# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules about a Corefile do on a cluster, by one that keeps its objects in memory."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.task import run_edit, run_info
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from tests.support.corefiles import KUBEADM

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PARAMS: dict[str, Any] = {
    **dict.fromkeys(("path", "version", "image", "migrate_from", "content")),
    **dict.fromkeys(("target_version", "target_kubernetes_version")),
    **dict.fromkeys(("backup", "accept_loss", "provisional"), False),
    "name": "coredns",
    "namespace": "kube-system",
    "key": "Corefile",
    "state": "present",
    "external_plugins": [],
}
NODE_CACHE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4"


class Cluster:
    """A ConfigMap, and a Deployment of CoreDNS.

    :param image: empty where nothing mounts the ConfigMap, nothing where nobody may look.
    """

    requests = 0

    def __init__(self, image: str | None = "coredns:v1.14.2", text: str = KUBEADM) -> None:
        self._image = image
        self.live: dict[str, Any] = {"metadata": {"name": "coredns"}, "data": {"Corefile": text}}

    def get(self, _ref: object) -> dict[str, Any]:
        return copy.deepcopy(self.live)

    def replace(self, live: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        if not dry_run:
            self.live = copy.deepcopy(live)
        return live

    def list(self, _version: str, kind: str, _namespace: str) -> list[dict[str, Any]]:
        if self._image is None:
            raise KubeError("deployments", "they are forbidden")
        pod = {
            "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
            "containers": [{"name": "coredns", "image": self._image}],
        }
        return [{"spec": {"template": {"spec": pod}}}] if self._image and kind == "Deployment" else []

    @property
    def text(self) -> str:
        return str(self.live["data"]["Corefile"])

    def edit(self, **params: Any) -> tuple[dict[str, Any], list[str]]:
        return run_edit({**PARAMS, **params}, client=cast("KubeClient", self), path=None, check=False)

    def info(self, **params: Any) -> dict[str, Any]:
        return run_info({**PARAMS, **params}, client=cast("KubeClient", self), path=None)


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (
            "registry.example.com/coredns/coredns:latest",
            "image registry.example.com/coredns/coredns:latest does not tell",
        ),
        ("coredns@sha256:0a1b", "image coredns@sha256:0a1b does not tell which CoreDNS is inside"),
        (NODE_CACHE, f"image {NODE_CACHE} does not tell which CoreDNS is inside"),
        ("", "no Deployment and no DaemonSet of namespace kube-system mounts it"),
        (None, "the workload that mounts it cannot be read (deployments: they are forbidden); it is"),
    ],
)
def test_a_version_that_is_not_known_is_no_secret(image: str | None, doubt: str) -> None:
    result, warnings = Cluster(image).edit(cache={"ttl": 31})
    assert result["version"] == "1.15.0"
    [warning] = warnings
    assert warning.startswith("ConfigMap 'kube-system/coredns': the version of CoreDNS is not known, since ")
    assert doubt in warning
    assert warning.endswith("it is held against 1.15.0, the newest that is known. Set version.")
    [finding] = [one for one in Cluster(image).info()["findings"] if one["id"] == "version-unknown"]
    assert (finding["level"], finding["text"]) == ("note", warning)
    # Named, it is known.
    assert Cluster(image).edit(cache={"ttl": 31}, version="1.12.0")[1] == []


def test_a_version_that_the_image_tells() -> None:
    result, warnings = Cluster().edit(cache={"ttl": 31})
    assert (result["version"], warnings) == ("1.14.2", [])
    assert Cluster().info()["findings"] == []


def test_an_image_whose_tag_tells_no_version_goes_with_the_version() -> None:
    image = "registry.example.com/dns:ours"
    with pytest.raises(CorefileError) as refused:
        Cluster("coredns:v1.7.0").edit(image=image)
    assert str(refused.value).endswith("Set version.")
    result, _warnings = Cluster("coredns:v1.13.1").edit(image=image, version="1.14.2")
    assert (result["version"], "migration" in result) == ("1.14.2", True)
    with pytest.raises(CorefileError) as unknown:
        Cluster(NODE_CACHE).edit(image=image, version="1.14.2")
    assert "which version the Corefile is written for is not known, since image" in str(unknown.value)
    assert str(unknown.value).endswith("Set migrate_from.")
    assert Cluster(NODE_CACHE).edit(image=image, version="1.14.2", migrate_from="1.14.2")[0]["migration"] == []
    # It runs already.
    assert Cluster(image).edit(image=image, version="1.14.2")[0]["migration"] == []
