# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of a chart: what is made of them, and what is refused, with every Python."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import CiliumError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import unpacked

# Debian 12's own, of 3.11.2, cannot filter what it extracts.
PYTHONS = sorted({sys.executable, *(name for name in ("/usr/bin/python3",) if Path(name).exists())})
READ = (
    "import sys\nfrom ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import unpacked\n"
    "with unpacked(sys.argv[1], '') as chart: print((chart / 'files' / 'a.txt').read_text())"
)


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname, entry.mode = len(content), kind, target, 0o4777
    return entry, content


CHART = [
    member("cilium", kind=tarfile.DIRTYPE),
    member("cilium/Chart.yaml", b"name: cilium\n"),
    member("cilium/files/a.txt", b"found"),
]


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "chart.tgz"
    with tarfile.open(path, "w:gz") as file:
        for entry, content in members:
            file.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("python", PYTHONS)
def test_an_archive_is_read_by_every_python(tmp_path: Path, python: str) -> None:
    command = [python, "-c", READ, str(archive(tmp_path, *CHART))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "found\n", done.stderr


def test_what_is_made_is_this_users_own(tmp_path: Path) -> None:
    with unpacked(str(archive(tmp_path, *CHART)), "") as chart:
        assert not (chart / "Chart.yaml").stat().st_mode & 0o4111
    assert not chart.exists()


@pytest.mark.parametrize(
    "hostile",
    [
        [member("../outside", b"x")],
        [member("cilium/../../outside", b"x")],
        [member("/tmp/outside", b"x")],
        [member("cilium/link", kind=tarfile.SYMTYPE, target="/etc/passwd")],
        [member("cilium/link", kind=tarfile.SYMTYPE, target="../.."), member("cilium/link/outside", b"x")],
        [member("cilium/link", kind=tarfile.LNKTYPE, target="../outside")],
        [member("cilium/device", kind=tarfile.CHRTYPE)],
        [member("cilium/pipe", kind=tarfile.FIFOTYPE)],
        [member("cilium/Chart.yaml/file", b"x")],
    ],
)
def test_what_is_no_file_or_folder_of_the_chart_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = archive(tmp_path, *CHART, *hostile)
    with pytest.raises(CiliumError, match="it cannot be unpacked"), unpacked(str(path), ""):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert not Path("/tmp/outside").exists()


def test_half_an_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, *CHART)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CiliumError, match="it cannot be unpacked"), unpacked(str(path), ""):
        pass


def test_a_chart_that_may_not_be_read_is_named(closed: Path) -> None:
    for reference in (closed, closed / "cilium.tgz"):
        with (
            pytest.raises(CiliumError, match=f"chart '{reference}': it cannot be read: Permission denied"),
            unpacked(str(reference), ""),
        ):
            pass
