# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules about a Corefile do on a cluster, by one that keeps its objects in memory."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import notes
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.task import run_edit, run_info
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from tests.support.corefiles import KUBEADM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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

    def list(self, _version: str, kind: str, _namespace: str) -> Sequence[dict[str, Any]]:
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

    def edit(self, **params: Any) -> tuple[dict[str, Any], Sequence[str]]:
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


TAKEN = KUBEADM.replace("       disable success cluster.local\n       disable denial cluster.local\n", "")
# Of a time when kubernetes had an option more.
OLD = TAKEN.replace("       ttl 30\n", "       ttl 30\n       upstream\n")


def test_the_first_text_comes_back_if_coredns_takes_it() -> None:
    cluster = Cluster("coredns:v1.6.9", OLD)
    cluster.edit(cache={"ttl": 31})
    assert cluster.edit(state="absent")[0]["corefile"] == OLD == cluster.text
    assert cluster.live["metadata"]["annotations"] == {}
    # Somebody brings the cluster to another version meanwhile, Corefile and all.
    cluster.edit(cache={"ttl": 31})
    cluster.edit(content=TAKEN, version="1.14.2", cache={"ttl": 31})
    later = Cluster("coredns:v1.14.2")
    later.live = cluster.live
    with pytest.raises(CorefileError) as refused:
        later.edit(state="absent")
    assert "ConfigMap 'kube-system/coredns', as it was first:11: plugin kubernetes: option 'upstream' is gone" in str(
        refused.value
    )
    assert str(refused.value).endswith("Set migrate_from to the version that it was written for.")
    assert "cache 31" in later.text
    assert later.edit(state="absent", migrate_from="1.6.9")[0]["corefile"] == TAKEN == later.text
    # What comes back is for the version of the image that comes back with it.
    cluster = Cluster("coredns:v1.14.2", OLD)
    cluster.edit(content=KUBEADM, cache={"ttl": 31})
    result, _warnings = cluster.edit(state="absent", image="coredns:v1.6.9", version="1.14.2")
    assert (result["version"], result["corefile"], "migration" in result) == ("1.6.9", OLD, False)


def test_what_others_wrote_goes_with_consent_only() -> None:
    cluster = Cluster()
    cluster.edit(cache={"ttl": 31})
    cluster.edit(cache={"ttl": 32})
    foreign = cluster.text.replace("    loop\n", "    loop # ours\n")
    cluster.live["data"]["Corefile"] = foreign
    for number in (33, 34):
        with pytest.raises(CorefileError) as refused:
            cluster.edit(state="absent")
        assert "somebody else has changed it since it was edited first, and that would be lost" in str(refused.value)
        assert str(refused.value).endswith("Take out by hand what is not wanted, or set accept_loss.")
        # An edit of ours on top makes it no more ours.
        cluster.edit(cache={"ttl": number})
    assert cluster.edit(state="absent", accept_loss=True)[0]["corefile"] == KUBEADM == cluster.text
    assert cluster.live["metadata"]["annotations"] == {}


def test_the_way_back_has_a_way_back_until_it_is_proven() -> None:
    cluster = Cluster()
    cluster.edit(cache={"ttl": 31})
    edited = cluster.text
    result, _warnings = cluster.edit(state="absent", provisional=True)
    assert (result["changed"], cluster.text) == (True, KUBEADM)
    assert notes.read_pending(cluster.live, "Corefile") == notes.Pending(edited, (notes.digest(KUBEADM),))
    # Killed here, it goes on.
    assert cluster.edit(state="absent", provisional=True)[0]["changed"] is False
    unproven = copy.deepcopy(cluster.live)
    assert notes.take_back(unproven, "Corefile")
    assert unproven["data"]["Corefile"] == edited
    assert unproven["metadata"]["annotations"][notes.BACKUP] == KUBEADM
    assert notes.note_proof(cluster.live, "Corefile", KUBEADM)
    assert cluster.live["metadata"]["annotations"] == {}
    assert cluster.edit(state="absent", provisional=True)[0]["changed"] is False
    # What was taken back is ours as it was before.
    cluster.live = unproven
    assert cluster.edit(state="absent")[0]["corefile"] == KUBEADM


def test_a_file_comes_back_if_coredns_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    params = {**PARAMS, "path": str(file), "backup": True, "version": "1.6.9"}
    file.write_text(OLD)
    run_edit({**params, "cache": {"ttl": 31}}, client=None, path=file, check=False)
    with pytest.raises(CorefileError) as refused:
        run_edit({**params, "state": "absent", "version": "1.14.2"}, client=None, path=file, check=False)
    assert "option 'upstream' is gone" in str(refused.value)
    run_edit({**params, "state": "absent"}, client=None, path=file, check=False)
    assert (file.read_text(), list(tmp_path.iterdir())) == (OLD, [file])


def test_a_folder_that_a_pattern_names_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    (tmp_path / "deeper.conf").mkdir()
    file.write_text(". {\n    reload\n    import *.conf\n}\n")
    with pytest.raises(CorefileError) as refused:
        run_edit({**PARAMS, "path": str(file), "errors": True}, client=None, path=file, check=False)
    assert f"Corefile:3: Error during parsing: Could not import {tmp_path}/deeper.conf: is a directory" in str(
        refused.value
    )
