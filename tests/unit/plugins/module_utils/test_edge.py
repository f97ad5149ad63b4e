# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a module does anything, whichever it is."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = Path(__file__).parents[4] / "plugins" / "modules"
# Options that count seconds; whoever gives such an option this name is covered.
SECONDS = re.compile(r'^ {12}"(\w*timeout)": \{"type": "(?:int|float)"', re.MULTILINE)
WAITING = [(path.stem, name) for path in sorted(MODULES.glob("*.py")) for name in SECONDS.findall(path.read_text())]
# What a module demands besides.
DEMANDED: dict[str, dict[str, object]] = {
    **{module: {"state": "absent"} for module in ("calico", "cilium", "node_firewall", "node_local_dns")},
    "cni_cluster_cleanup": {"cni": "cilium"},
    "cni_switch": {"state": "ended"},
    "coredns_rollout": {"state": "loaded", "digest": "0"},
    "dns_check": {"servers": [], "questions": []},
    "kube_proxy_rollout": {"state": "finished"},
    "node_drain": {"state": "released"},
    "node_port_range_manifest": {"state": "absent"},
    "port_probe": {"state": "probed", "node_name": "node1", "targets": []},
}


@pytest.mark.parametrize(("module", "option"), WAITING)
def test_nobody_waits_for_less_than_no_time(module: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = import_module(f"ansible_collections.netops.kubernetes.plugins.modules.{module}").main
    with patch_module_args({**DEMANDED.get(module, {}), option: -5}), pytest.raises(SystemExit):
        main()
    said = json.loads(capsys.readouterr().out)
    assert re.match(rf"{option} -5(\.0)?: it is negative; expected seconds, 0 or more\.$", said["msg"])


def test_every_module_that_waits_is_looked_at() -> None:
    assert len(WAITING) > 15
