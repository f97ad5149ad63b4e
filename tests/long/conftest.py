# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same machines as those of the ring of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.nodes.conftest import PLAYBOOKS, backend, bare, cluster_that_serves, prepared, serving
from tests.testbed import artefacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.testbed.bed import Bed

__all__ = ["backend", "bare", "enforcing", "prepared", "serving"]
CALICO = PLAYBOOKS.parent / "molecule" / "shared" / "calico" / "vars.yml"


@pytest.fixture(scope="module")
def enforcing() -> Iterator[Bed]:
    """A cluster with a real Calico, which enforces policies, for all tests of a file."""
    with cluster_that_serves("enforcing", "-e", f"@{CALICO}", images=[artefacts.calico_images]) as bed:
        yield bed
