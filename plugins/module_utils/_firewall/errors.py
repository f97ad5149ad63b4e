# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a plan's makers raise."""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError


class PlanError(NetopsError):
    """A plan that cannot be made, or would lock the administrator out; the text names the rule, the set or the node."""
