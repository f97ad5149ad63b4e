# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster from packages alone: builds it, starts it, stops it. ``python3 -m tests.testbed --help``."""
