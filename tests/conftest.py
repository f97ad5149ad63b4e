# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test shares."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples each time: a change is judged there, not luck. Elsewhere new ones are tried.
# No deadline: that a machine is slow is no defect.
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "new")
