# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flannel as somebody installed it with kubectl, and the objects of role ``flannel`` on top."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import Flannel, objects
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import MANAGED_BY, MANAGER, ObjectRef
from tests.support.definitions import MIRROR
from tests.support.modules import Module

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

AGENTS = ObjectRef("apps/v1", "DaemonSet", "kube-flannel-ds", "kube-flannel")
CONFIGURATION = ObjectRef("v1", "ConfigMap", "kube-flannel-cfg", "kube-flannel")


def test_one_that_kubectl_installed_is_taken_over(api: str, programs: Path, client: KubeClient) -> None:
    upstream = MIRROR / "flannel" / "v0.28.9" / "kube-flannel.yml"
    assert upstream.exists(), f"{upstream} is missing; set NETOPS_MIRROR to a folder with the upstream manifests"
    kubectl = [str(programs / "kubectl"), f"--kubeconfig={api}", "apply", "-f", str(upstream)]
    subprocess.run(kubectl, check=True, capture_output=True)
    wanted = objects(Flannel(("10.245.0.0/16",), backend="host-gw"))
    module = Module("manifest", {"kubeconfig": api, "definitions": wanted})
    try:
        for check in (True, False):
            message = module.fails(check=check)
            assert '.data.net-conf.json: conflict with "kubectl-client-side-apply"' in message
            assert "set force_conflicts" in message
        agents, configuration = client.get(AGENTS), client.get(CONFIGURATION)
        assert agents
        assert MANAGED_BY not in agents["metadata"].get("labels", {})
        assert configuration
        assert "host-gw" not in configuration["data"]["net-conf.json"]
        assert module.succeeds(force_conflicts=True)["changed"] is True
        assert module.succeeds()["changed"] is False
        agents, configuration = client.get(AGENTS), client.get(CONFIGURATION)
        assert agents
        assert agents["metadata"]["labels"][MANAGED_BY] == MANAGER
        assert configuration
        assert "host-gw" in configuration["data"]["net-conf.json"]
    finally:
        subprocess.run([*kubectl[:2], "delete", "--wait=true", "-f", str(upstream)], check=True, capture_output=True)
