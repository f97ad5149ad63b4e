# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Where kubeadm keeps kube-proxy's configuration, and the mode that it says.

Apart from what reads and edits all of it, so that whoever asks for the mode alone loads no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import default_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_MAP = ObjectRef("v1", "ConfigMap", "kube-proxy", "kube-system")
KEY = "config.conf"


def mode_of(content: Mapping[str, Any], minor: int) -> str:
    """The mode in which kube-proxy will serve.

    :param content: its configuration.
    :param minor: the minor version of Kubernetes, whose default it takes where nothing is said.
    """
    return str(content.get("mode") or default_mode(minor))
