# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bare virtual machines, each with one firewall back-end; and a cluster that serves."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.nodes.plays import succeeds
from tests.testbed import artefacts, cluster
from tests.testbed.bed import Bed
from tests.testbed.build import Store
from tests.testbed.cluster import ClusterOptions
from tests.testbed.inventory import write_inventory
from tests.testbed.settings import HERE, Node, cache_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.testbed.build import Artefact

NODE = Node(1)
# Refused at once while no CoreDNS is ready, so it waits between; what the last question got is told.
DNS_ANSWERS = (
    "end=$((SECONDS + 900)); until said=$(dig +time=1 +tries=1 @10.96.0.10 kubernetes.default); do "
    '[ $SECONDS -lt $end ] || { echo "$said"; exit 1; }; sleep 1; done'
)
PLAYBOOKS = HERE.parent.parent / "playbooks"
# What makes a node one of this back-end.
PREPARE = {
    "nftables": "true",
    # As the package iptables-services does it; its unit itself is not there.
    "iptables": "ln -s /dev/null /etc/systemd/system/multi-user.target.wants/iptables.service",
    "ufw": "ufw allow 22/tcp >/dev/null && ufw --force enable >/dev/null && systemctl enable --now ufw",
    "firewalld": "systemctl enable --quiet --now firewalld",
}


@contextmanager
def booted(name: str, count: int) -> Iterator[Bed]:
    """Within: a test bed of this process whose nodes answer."""
    store = Store(cache_root())
    missing = store.missing([artefacts.disk, artefacts.kernel])
    assert not missing, f"{missing[0].name} is not built; `make testbed` builds it"
    bed = Bed(store, f"{name}-{os.getpid()}")
    try:
        bed.create(count)
        bed.boot_all()
        yield bed
    finally:
        bed.down()


@pytest.fixture(params=sorted(PREPARE))
def backend(request: pytest.FixtureRequest) -> str:
    """Each of the back-ends in turn; a test may name fewer."""
    return str(request.param)


@pytest.fixture
def bare() -> Iterator[Bed]:
    """One node without a cluster."""
    with booted("firewall", 1) as bed:
        yield bed


@pytest.fixture
def prepared(bare: Bed, backend: str) -> Bed:
    """One node with the back-end on it."""
    bare.must(NODE, PREPARE[backend])
    return bare


@contextmanager
def cluster_that_serves(name: str, *words: str, images: Sequence[Artefact] = ()) -> Iterator[Bed]:
    """Within: a cluster of two nodes, whose DNS answers on both.

    :param words: more of the command line of playbook cni; without them the network is Flannel's.
    :param images: what the nodes are given beyond what their disk holds.
    """
    store, options = Store(cache_root()), ClusterOptions()
    missing = store.missing([cluster.snapshot_artefact(options), artefacts.kernel, artefacts.coredns, *images])
    assert not missing, f"{missing[0].name} is not built; `make testbed` or `make long` builds it"
    bed = Bed(store, f"{name}-{os.getpid()}")
    try:
        cluster.start(bed, options)
        bed.start_names(HERE / "names.Corefile")
        for one in images:
            bed.load_images(store.path(one) / "images.tar")
        succeeds(write_inventory(bed), PLAYBOOKS / "cni.yml", *words)
        for node in bed.nodes:
            bed.must(node, DNS_ANSWERS, timeout=960.0)
        yield bed
    finally:
        bed.down()


@pytest.fixture(scope="module")
def serving() -> Iterator[Bed]:
    """A cluster with Flannel for all tests of a file."""
    with cluster_that_serves("serving") as bed:
        yield bed
