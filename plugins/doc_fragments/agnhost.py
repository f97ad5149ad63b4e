# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """Where the pods of a proof in a namespace of their own get their image from."""

    DOCUMENTATION = r"""
options:
  image:
    description: Where the nodes get agnhost from, the Kubernetes project's own test image.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.63.0
  pull_secrets:
    description:
      - Secrets by which the nodes pull it, as V(NAMESPACE/NAME). The pods' namespace gets copies, which go with it.
      - Needs C(get) on them, and C(create) and C(patch) on Secrets in the pods' namespace.
    type: list
    elements: str
    default: []
"""
