# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All nodes must use the same CNI; those that stand out are named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.agreement import DisagreementError, summary_of

CALICO = {
    "configurations": {"10-calico.conflist": "calico"},
    "active": "calico",
    "state": "one",
    "traces": {},
    "versions": {"calico": "v3.28.5"},
}


def test_nodes_that_agree() -> None:
    assert summary_of({}) == []
    left = {**CALICO, "state": "leftovers", "traces": {"calico": ["link cali"], "flannel": ["link cni0"]}}
    assert summary_of({"a": CALICO, "b": left}) == [
        "CNI: calico v3.28.5, by 10-calico.conflist, on 2 of 2 nodes",
        "CNI: leftovers of flannel on b",
    ]
    none = {"configurations": {}, "active": "", "state": "none", "traces": {}, "versions": {}}
    assert summary_of({"a": none}) == ["CNI: none, by none, on 1 of 1 nodes"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"active": "flannel"}, "CNI of the nodes: calico on a; flannel on b; expected the same on all nodes"),
        (
            {"configurations": {"05-calico.conflist": "calico"}},
            "first configuration of the nodes: 10-calico.conflist on a",
        ),
        ({"versions": {"calico": "v3.31.7"}}, "version of the CNI of the nodes: v3.28.5 on a; v3.31.7 on b"),
        (
            {"state": "mixed", "configurations": {"10-calico.conflist": "calico", "10-flannel.conflist": "flannel"}},
            "several are configured, in this order: calico (10-calico.conflist), flannel (10-flannel.conflist)",
        ),
    ],
)
def test_nodes_that_stand_out_are_named(other: dict[str, Any], message: str) -> None:
    with pytest.raises(DisagreementError) as refused:
        summary_of({"a": CALICO, "b": {**CALICO, **other}})
    assert message in str(refused.value)
