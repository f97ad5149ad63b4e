# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """What every module promises."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Tells what would change without changing it, before a first installation too.
  diff_mode:
    support: full
    description: Shows what changes, readably.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
"""

    # For modules that only read or prove.
    READING = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: The module changes nothing, so check mode makes no difference.
  diff_mode:
    support: N/A
    description: There is nothing to show.
  idempotent:
    support: full
    description: The module changes nothing.
"""
