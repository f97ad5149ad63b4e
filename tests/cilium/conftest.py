# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of two emulated machines beside its control plane, for Cilium, which needs a compiler for BPF."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from tests.cilium.traces import Traces, of_every_node
from tests.testbed import artefacts, control_plane
from tests.testbed.build import Store
from tests.testbed.control_plane import EmulatedBed
from tests.testbed.inventory import write_inventory
from tests.testbed.settings import BRIDGE_V4, CILIUM, HERE, cache_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

# What Ansible waits for a machine that emulates every step of a key exchange.
ANSIBLE_PATIENCE = {"ANSIBLE_TIMEOUT": "120"}
# Whatever is waited for, in seconds: where others use the processors too, everything takes many times as long.
PATIENCE = 1800


@dataclass(frozen=True)
class Lab:
    """The cluster before anything was installed on it.

    :param settings: variables of the roles, with which they install Cilium there.
    :param before: what was on each node, by its name.
    """

    bed: EmulatedBed
    client: KubeClient
    inventory: Path
    settings: dict[str, Any]
    before: Mapping[str, Traces]


def settings(store: Store) -> dict[str, Any]:
    """What the roles are told: no package brings Envoy or Hubble's relay, and no kube-proxy is there."""
    return {
        "cni_plugin": "cilium",
        "cilium_version": CILIUM.lstrip("v"),
        "cilium_chart_ref": str(store.path(artefacts.cilium_chart) / "cilium-chart"),
        "cilium_helm": str(store.path(artefacts.helm) / "helm"),
        "cilium_kube_proxy_replacement": True,
        "cilium_api_endpoint": f"{BRIDGE_V4}:6443",
        "cilium_hubble": False,
        "cilium_operator_replicas": 1,
        "cilium_values": {"envoy": {"enabled": False}, "l7Proxy": False},
        "cilium_wait_timeout": PATIENCE,
        "connectivity_timeout": PATIENCE,
    }


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Machines that have joined, without a pod network."""
    store = Store(cache_root())
    missing = store.missing([*control_plane.WANTED, artefacts.client, artefacts.helm, artefacts.cilium_chart])
    assert not missing, f"{missing[0].name} is not built; `make test-cilium` builds it"
    bed = EmulatedBed(store, f"cilium-{os.getpid()}")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ANSIBLE_PATIENCE.items():
            patched.setenv(name, value)
        try:
            control_plane.start(bed)
            bed.start_names(HERE / "names.Corefile")
            client = connect({"kubeconfig": str(bed.folder / "kubeconfig")})
            before = of_every_node(bed, settled=True)
            yield Lab(bed, client, write_inventory(bed), settings(store), before)
        finally:
            bed.down()
