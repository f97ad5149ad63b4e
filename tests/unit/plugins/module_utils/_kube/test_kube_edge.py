# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible logs and shows of a module that was called with secrets, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.modules import PACKAGE, START, Module

HUNTER = "hunter2"
# Ansible logs by the C library, whose socket few machines for tests have; what it is given goes to the standard error.
LOGGED = f"import sys, syslog; syslog.syslog = lambda level, text: print('logged:', text, file=sys.stderr); {START}"
OBJECT = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": {"password": HUNTER}}
TEXT = f"kind: Secret\nmetadata: {{name: mine, namespace: default}}\nstringData: {{a: b, c: {HUNTER}}}\n"
CHART = {"tls": {"ca": {"key": HUNTER, "cert": "shown"}}, "extraEnv": [{"name": "A_PASSWORD", "value": HUNTER}]}
SETTINGS = Path(__file__).parents[5] / "roles" / "cilium" / "tasks" / "settings.yml"
# No API server is there.
NOWHERE = {"kubeconfig": "/nonexistent"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("manifest", {**NOWHERE, "definitions": [OBJECT, {"kind": "SecretList", "items": [{"data": {"a": HUNTER}}]}]}),
    ("manifest", {**NOWHERE, "definitions": TEXT}),
    ("manifest", {**NOWHERE, "definitions": [OBJECT], "wait_timeout": -5}),
    ("cilium", {**NOWHERE, "version": "1.20.0", "chart_ref": "/nonexistent", "values": CHART}),
    ("cilium", {**NOWHERE, "version": "1.20.0", "chart_ref": "/nonexistent", "values": json.dumps(CHART)}),
    ("calico", {**NOWHERE, "version": "3.32.2", "installation": CHART, "felix": CHART}),
    ("cni_switch_plan", {**NOWHERE, "target": "cilium", "settings": CHART, "pod_cidrs": [], "hosts": {}}),
    ("network_policy_audit", {"definitions": [OBJECT], "before_definitions": [OBJECT]}),
    ("network_policy_baseline", {**NOWHERE, "policies": [], "egress": [CHART]}),
    # Ansible itself refuses these: an unknown option, a value that is none, one that is missing.
    ("manifest", {"definition": OBJECT}),
    ("manifest", {"definitions": [OBJECT], "wait_timeout": "long"}),
    ("manifest", {"definitions": [OBJECT], "prune": True}),
    ("cilium", {"value": CHART}),
    ("cilium", {"values": f"{{tls: {{ca: {{key: {HUNTER}}}}}}}"}),
    ("cilium", {"values": CHART}),
    ("coredns_workload", {"objects": [OBJECT]}),
    ("node_local_dns", {"objects": [OBJECT]}),
    ("network_policy_audit", {"objects": [OBJECT], "definitions": json.dumps(OBJECT)}),
]


def ran(name: str, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOGGED, f"{PACKAGE}.{name}"]
    arguments = Module(name).arguments(**options)
    return subprocess.run(command, input=arguments, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("name", "options"), CALLS)
def test_nothing_secret_is_logged_or_shown(name: str, options: dict[str, Any]) -> None:
    done = ran(name, options)
    assert HUNTER in json.dumps(options)
    assert HUNTER not in done.stdout + done.stderr
    # The rest is there for whoever looks for a mistake.
    given = json.loads(done.stdout)["invocation"]["module_args"]
    assert options.keys() <= given.keys()
    assert "Traceback" not in done.stderr


def test_what_is_not_secret_is_logged() -> None:
    logged = ran("cilium", {**NOWHERE, "version": "1.20.0", "values": CHART}).stderr
    assert "logged: Invoked with" in logged
    assert "'key': '(hidden)'" in logged
    assert "'cert': 'shown'" in logged
    assert "version=1.20.0" in logged


def test_a_play_that_is_asked_for_everything_shows_nothing_secret(tmp_path: Path) -> None:
    """Also by the fact that role cilium makes of its settings."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "cilium_values": CHART,
            "cilium_tunnel": "vxlan",
            "cilium_kube_proxy_replacement": False,
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": [
            {"ansible.builtin.include_tasks": str(SETTINGS)},
            {
                "netops.kubernetes.cni_switch_plan": {
                    **NOWHERE,
                    "target": "cilium",
                    "settings": "{{ cilium_settings }}",
                    "pod_cidrs": [],
                    "hosts": {},
                }
            },
        ],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    command = ["ansible-playbook", "-vvv", "-i", "localhost,", "play.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert '"cert": "shown"' in done.stdout
    assert HUNTER not in done.stdout + done.stderr
