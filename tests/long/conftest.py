# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same machines as those of the ring of nodes."""

from __future__ import annotations

from tests.nodes.conftest import serving

__all__ = ["serving"]
