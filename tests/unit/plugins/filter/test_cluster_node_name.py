# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that tells under which name the cluster knows a machine."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.cluster_node_name import cluster_node_name

NODES = [
    {"name": "a", "addresses": ["192.0.2.1", "2001:db8::1"]},
    {"name": "b", "addresses": ["192.0.2.2"]},
]


@pytest.mark.parametrize(
    ("addresses", "name"),
    [(["10.244.0.1", "192.0.2.2"], "b"), (["2001:db8::1", "192.0.2.1"], "a")],
)
def test_the_node_that_has_an_address(addresses: list[str], name: str) -> None:
    assert cluster_node_name(addresses, NODES) == name


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        (["192.0.2.9"], "machine with the addresses 192.0.2.9: no node of the cluster has one of them"),
        ([], "machine with the addresses unknown: no node of the cluster has one of them"),
        (["192.0.2.1", "192.0.2.2"], "nodes a, b have some of them; expected the addresses of one node"),
    ],
)
def test_a_machine_that_is_no_node_is_named(addresses: list[str], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        cluster_node_name(addresses, NODES)
    assert message in str(error.value)
