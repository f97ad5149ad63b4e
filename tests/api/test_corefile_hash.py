# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of a Corefile, beside the one that CoreDNS itself says."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.fingerprint import fingerprints

if TYPE_CHECKING:
    from pathlib import Path

SNIPPETS = """\
\ufeff(logs) {
  log . "{remote} \t<&>"
}
.:0 {
    errors   # kept
    import logs
    template IN A a.example {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
    }
    reload
}
b.example.:0, "c.example:0"
{
    import logs
    whoami
}
198.51.100.0/24:0 {
}
"""


@pytest.mark.parametrize(
    "text",
    [SNIPPETS, ".:0 {\r\n  whoami\r\n  reload 2s 1s\r\n}\r\n", ".:0\nwhoami\nreload\n"],
    ids=["snippets", "carriage-returns", "brace-less"],
)
def test_hash(programs: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "Corefile"
    file.write_bytes(text.encode())
    with subprocess.Popen(
        [programs / "coredns", "-conf", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as coredns:
        assert coredns.stdout
        try:
            said = ""
            while "Running configuration" not in said and (line := coredns.stdout.readline()):
                said += line
        finally:
            coredns.kill()
    found = re.search(r"SHA512 = ([0-9a-f]+)", said)
    assert found, said
    assert found[1] in fingerprints(text)
