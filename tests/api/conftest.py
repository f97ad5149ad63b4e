# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real API server for the whole session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, connect
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def programs() -> Path:
    folder = os.environ.get("NETOPS_TESTBED_BIN")
    if not folder or not Path(folder, "kube-apiserver").exists():
        pytest.fail("The programs of the test bed are missing; `make api` builds them and names their folder.")
    return Path(folder)


@pytest.fixture(scope="session")
def api(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of an administrator's kubeconfig."""
    with ApiRing(programs, tmp_path_factory.mktemp("api")) as ring:
        yield str(ring.kubeconfig)


@pytest.fixture(scope="session")
def client(api: str) -> KubeClient:
    return connect({"kubeconfig": api})
