# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What the planner raises."""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError


class NetworkError(NetopsError):
    """Networks that cannot work together."""
