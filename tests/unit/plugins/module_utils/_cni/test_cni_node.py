# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is configured on a node, read from its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import (
    configurations,
    require_alone,
    require_plugins,
    state_of,
    traces_of,
    versions,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError


@pytest.mark.parametrize(
    ("content", "cni"),
    [
        ('{"plugins": [{"type": "calico"}]}', "calico"),
        ('{"plugins": [{"type": "cilium-cni"}]}', "cilium"),
        ('{"type": "weave-net"}', "weave"),
        ('{"plugins": [{"type": "newcomer"}]}', "newcomer"),
        ('{"plugins": []}', "unreadable"),
        ("{", "unreadable"),
        ("[]", "unreadable"),
    ],
)
def test_a_configuration_is_its_first_plugins(tmp_path: Path, content: str, cni: str) -> None:
    (tmp_path / "10-some.conflist").write_text(content)
    (tmp_path / "notes.txt").write_text("no configuration")
    assert configurations(str(tmp_path)) == {"10-some.conflist": cni}


@pytest.mark.parametrize(
    ("file", "cni"),
    [
        ("10-canal.conflist", "canal"),
        ("10-kuberouter.conflist", "kube-router"),
        ("10-kindnet.conflist", "kindnet"),
        ("10-gke-ptp.conflist", "gke"),
        ("10-bridge.conflist", "bridge"),
    ],
)
def test_who_uses_a_common_plugin_is_known_by_its_file(tmp_path: Path, file: str, cni: str) -> None:
    (tmp_path / file).write_text('{"plugins": [{"type": "bridge"}]}')
    assert configurations(str(tmp_path)) == {file: cni}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("200-loopback.conflist", '{"cniVersion": "1.0.0", "name": "loopback", "plugins": [{"type": "loopback"}]}'),
        ("99-loopback.conf", '{"cniVersion": "1.0.0", "name": "lo", "type": "loopback"}'),
    ],
)
def test_the_loopback_device_is_no_cni(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content)
    assert configurations(str(tmp_path)) == {}


def test_a_configuration_that_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "05-gone.conflist").symlink_to(tmp_path / "nowhere")
    (tmp_path / "06-folder.conf").mkdir()
    (tmp_path / "10-calico.conflist").write_text('{"plugins": [{"type": "calico"}]}')
    found = {"05-gone.conflist": "unreadable", "06-folder.conf": "unreadable", "10-calico.conflist": "calico"}
    assert configurations(str(tmp_path)) == found


def test_plugins_that_a_cni_calls_must_be_there(tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in ("bin", "libexec")]
    for folder, name in zip(folders, ("bridge", "portmap")):
        Path(folder).mkdir()
        Path(folder, name).write_text("")
    require_plugins(["bridge", "portmap"], folders)
    with pytest.raises(NetopsError) as refused:
        require_plugins(["bridge", "host-local", "loopback"], folders)
    assert f"CNI plugin host-local, loopback: not in {folders[0]}, {folders[1]}; expected the reference" in str(
        refused.value
    )


def test_another_cni_than_the_one_is_refused_with_the_way_out() -> None:
    require_alone({}, "flannel")
    require_alone({"00-multus.conf": "multus", "10-flannel.conflist": "flannel"}, "flannel")
    found = {"00-multus.conf": "multus", "05-cilium.conflist": "cilium", "10-weave.conflist": "weave"}
    with pytest.raises(NetopsError) as refused:
        require_alone(found, "flannel")
    told = str(refused.value)
    assert "cilium (/etc/cni/net.d/05-cilium.conflist), weave (/etc/cni/net.d/10-weave.conflist) is configured" in told
    assert "cilium by role netops.kubernetes.cilium, tasks_from uninstall; weave by its own objects" in told


@pytest.mark.parametrize(
    ("configured", "traces", "state"),
    [
        ([], [], "none"),
        (["flannel"], ["flannel"], "one"),
        (["flannel"], [], "one"),
        (["antrea"], [], "one"),
        (["flannel", "calico"], ["flannel", "calico"], "mixed"),
        (["calico"], ["calico", "flannel"], "leftovers"),
        ([], ["weave"], "leftovers"),
        (["canal"], ["calico", "flannel"], "one"),
        (["canal"], ["cilium"], "leftovers"),
        (["multus", "flannel"], ["flannel"], "one"),
        (["multus", "flannel", "calico"], ["flannel"], "mixed"),
    ],
)
def test_states(configured: list[str], traces: list[str], state: str) -> None:
    files = {f"{number}-some.conflist": cni for number, cni in enumerate(configured)}
    assert state_of(files, traces) == state


def test_traces_are_what_bears_a_name_of_its_own(tmp_path: Path) -> None:
    for path in ("run/flannel", "opt/cni/bin", "var/lib/weave"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("opt/cni/bin/flannel", "opt/cni/bin/bridge", "opt/cni/bin/weave-plugin-2.8.1"):
        (tmp_path / path).write_text("")
    chains = {"flannel": ["chain iptables filter FLANNEL-FWD"], "calico": []}
    assert traces_of({"flannel": ["cni0"], "calico": []}, str(tmp_path), netfilter=chains) == {
        "flannel": ["link cni0", "file /run/flannel", "chain iptables filter FLANNEL-FWD"],
        "weave": ["file /var/lib/weave"],
    }


def test_a_node_without_any_has_none(tmp_path: Path) -> None:
    assert configurations(str(tmp_path / "none")) == {}
    assert versions(str(tmp_path / "none")) == {}


@pytest.mark.parametrize(("said", "told"), [("v3.28.5", {"calico": "v3.28.5"}), ("unknown", {})])
def test_a_program_tells_its_version(tmp_path: Path, said: str, told: dict[str, str]) -> None:
    program = tmp_path / "calico"
    program.write_text(f"#!/bin/sh\n[ $1 = -v ] && echo {said}\n")
    program.chmod(0o755)
    assert versions(str(tmp_path)) == told
