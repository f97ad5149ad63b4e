# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role kube_proxy with each of IPVS' schedulers on a real cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import SCHEDULERS
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.plays import succeeds

if TYPE_CHECKING:
    from tests.testbed.bed import Bed


def test_every_scheduler_of_the_kernel(serving: Bed) -> None:
    for scheduler in SCHEDULERS:
        succeeds(
            serving.folder / "inventory",
            PLAYBOOKS / "kube_proxy.yml",
            kube_proxy_mode="ipvs",
            kube_proxy_ipvs_scheduler=scheduler,
            # Both nodes at once, for time.
            kube_proxy_batch_size=2,
        )
        for node in serving.nodes:
            listed = serving.must(node, "ipvsadm -Ln")
            assert set(re.findall(r"^(?:TCP|UDP)\s+\S+ (\S+)", listed, re.MULTILINE)) == {scheduler}, listed
