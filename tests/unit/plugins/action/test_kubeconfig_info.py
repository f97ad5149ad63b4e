# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig is read from a node where the controller has none, told to nobody, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.netops.kubernetes.plugins.action.kubeconfig_info import is_there
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.access import (
    AccessError,
    elsewhere,
    read_kubeconfig,
)

SECRET = "-".join(["not", "to", "be", "told"])
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "one",
    "clusters": [{"name": "one", "cluster": {"server": "https://192.0.2.1:6443"}}],
    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
    "users": [{"name": "one", "user": {"token": SECRET}}],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "admin.conf").write_text(yaml.safe_dump(KUBECONFIG))
    return tmp_path


def play(home: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The task on a node, and a copy of what it made as it was while Ansible ran."""
    kept = home / "kept"
    tasks = [
        {
            "netops.kubernetes.kubeconfig_info": {"node_path": str(home / "admin.conf"), **options},
            "register": "access",
        },
        {"ansible.builtin.debug": {"msg": "path={{ access.path }}={{ access.read_from_node }}="}},
        {
            "ansible.builtin.command": f"cp --preserve=mode {{{{ access.path }}}} {kept}",
            "when": "access.read_from_node",
            "check_mode": False,
        },
    ]
    file = home / "play.yml"
    file.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    command = ["ansible-playbook", "-i", "node-a,", "-c", "local", str(file), *words]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    environment = {**os.environ, "HOME": str(home), "ANSIBLE_LOCAL_TEMP": str(home / "tmp")}
    environment.pop("K8S_AUTH_KUBECONFIG", None)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=200)


def told(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    _before, path, is_read, _after = done.stdout[done.stdout.index("path=") :].split("=", 3)
    return path, is_read


@pytest.mark.parametrize("words", [("-vvvv",), ("--check",)])
def test_a_nodes_kubeconfig_is_the_users_alone_and_gone_afterwards(home: Path, words: tuple[str, ...]) -> None:
    done = play(home, *words, server="https://127.0.0.1:7443")
    assert done.returncode == 0, done.stdout + done.stderr
    path, is_read = told(done)
    assert is_read == "True"
    assert Path(path).is_relative_to(home / "tmp")
    assert not list((home / "tmp").rglob("netops-kubeconfig*")), "Ansible removes it when it ends"
    assert (home / "kept").stat().st_mode & 0o777 == 0o600
    assert SECRET not in done.stdout + done.stderr
    access = read_kubeconfig(str(home / "kept"))
    assert access
    assert (access.server, access.server_name) == ("https://127.0.0.1:7443", "192.0.2.1")
    assert access.authorization == f"Bearer {SECRET}"


def test_one_that_is_there_is_used(home: Path) -> None:
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text("{}")
    assert told(play(home)) == (str(home / ".kube" / "config"), "False")


def test_another_one_is_never_replaced(home: Path) -> None:
    assert told(play(home, path=str(home / "named"))) == (str(home / "named"), "False")


def test_where_there_is_none_at_all_both_places_are_named(home: Path) -> None:
    done = play(home, node_path=str(home / "absent"))
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert f"kubeconfig of node 'node-a': '{home}/absent' cannot be read" in said
    assert "There is none on the controller either: set kubernetes_kubeconfig" in said


@pytest.mark.parametrize("text", ["", "{}", "clusters: [{name: a}]", "clusters: [{cluster: {}}]"])
def test_what_is_no_kubeconfig_is_named(text: str) -> None:
    with pytest.raises(AccessError, match=r"kubeconfig 'admin\.conf': no server is named in it"):
        elsewhere(text, "https://192.0.2.9", "admin.conf")


def test_a_file_in_a_closed_folder_is_named(closed: Path) -> None:
    """Where HOME is another user's, such as root's."""
    with pytest.raises(AnsibleActionFail, match=r"config': it cannot be read: Permission denied\. Set kubernetes_kube"):
        is_there(closed / "config")
