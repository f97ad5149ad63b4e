# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the test bed that need no virtual machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest
from tests.testbed.artefacts import require_configuration
from tests.testbed.build import Artefact, BuildError, Step, Store
from tests.testbed.cluster import ClusterOptions, kubeadm_configuration
from tests.testbed.images import Image, write_image
from tests.testbed.processes import Process, start_time

if TYPE_CHECKING:
    from pathlib import Path


def artefact(name: str, text: str, *needs: Artefact, made: list[str] | None = None) -> Artefact:
    def make(step: Step) -> None:
        (step.folder / "text").write_text(text)
        if made is not None:
            made.append(name)

    return Artefact(name, (text,), needs, make)


def test_an_artefact_is_built_once_and_its_needs_first(tmp_path: Path) -> None:
    made: list[str] = []
    first = artefact("first", "1", made=made)
    second = artefact("second", "2", first, made=made)
    store = Store(tmp_path)
    assert set(store.build([second])) == {"first", "second"}
    assert made == ["first", "second"]
    assert store.build([second]) == {}
    assert artefact("second", "2", artefact("first", "changed")).digest != second.digest


def test_what_a_failure_leaves_is_never_taken_for_the_result(tmp_path: Path) -> None:
    def fail(step: Step) -> None:
        (step.folder / "half").touch()
        step.run(sys.executable, "-c", "print('why it failed'); raise SystemExit(3)")

    broken = Artefact("broken", (), (), fail)
    with pytest.raises(BuildError, match="ended with 3") as raised:
        Store(tmp_path).build([broken])
    assert "why it failed" in str(raised.value)
    assert not Store(tmp_path).path(broken).exists()


def test_two_builds_at_once_make_it_once(tmp_path: Path) -> None:
    made: list[str] = []
    wanted = artefact("one", "1", made=made)
    threads = [threading.Thread(target=Store(tmp_path).build, args=([wanted],)) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["one"]


def test_collection_keeps_what_is_referred_to(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = artefact("one", "old"), artefact("one", "new")
    store.build([old, new])
    assert store.collect([new]) == [store.path(old).name]
    assert store.path(new).exists()


def test_an_image_has_its_programs_and_its_name(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    write_image(Image("example.com/one:1", ((program, "bin/program"),), ("/bin/program",)), tmp_path / "one.tar")
    with tarfile.open(tmp_path / "one.tar") as archive:
        listed = archive.extractfile("manifest.json")
        assert listed
        (manifest,) = json.load(listed)
        assert manifest["RepoTags"] == ["example.com/one:1"]
        layer = archive.extractfile(manifest["Layers"][0])
        with tarfile.open(fileobj=layer) as inner:
            assert [(member.name, member.mode) for member in inner] == [("bin/program", 0o755)]


def test_a_process_is_known_by_its_start_and_ended_with_its_children(tmp_path: Path) -> None:
    process = Process.start(["sh", "-c", "sleep 60 & wait"], tmp_path / "log")
    assert process.alive
    assert not Process(process.pid, process.started + 1).alive
    process.signal(signal.SIGKILL)
    assert process.wait(10.0)
    assert start_time(process.pid) == 0
    assert start_time(os.getpid()) > 0


def test_a_kernel_that_lost_an_option_is_refused() -> None:
    require_configuration("CONFIG_A=y\n# CONFIG_B=m\nCONFIG_C=n\n", "\nCONFIG_A=y\n")
    with pytest.raises(BuildError, match="CONFIG_B=m"):
        require_configuration("CONFIG_B=m\n", "\nCONFIG_B=y\n")


@pytest.mark.parametrize(("dual", "networks"), [(False, 1), (True, 2)])
def test_kubeadms_configuration_is_json_documents(dual: bool, networks: int) -> None:
    text = kubeadm_configuration(ClusterOptions(dual_stack=dual, kube_proxy_mode="nftables"))
    documents = {one["kind"]: one for one in map(json.loads, text.split("\n---\n"))}
    assert len(documents["ClusterConfiguration"]["networking"]["podSubnet"].split(",")) == networks
    assert documents["KubeProxyConfiguration"]["mode"] == "nftables"
