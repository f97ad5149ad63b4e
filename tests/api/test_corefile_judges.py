# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validator against CoreDNS itself, of several versions, on thousands of Corefiles."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.corefiles import REAL, corefiles, directives
from tests.support.judge import VERSIONS, disagreements, judgements
from tests.support.refused import refused

if TYPE_CHECKING:
    from pathlib import Path

SEED, COUNT = 20261125, 5000
# The judge beside CoreDNS' own program of the test bed.
OF_PROGRAM = "1.14.7"


@pytest.mark.parametrize("version", VERSIONS)
def test_coredns_agrees_about_thousands(programs: Path, version: str) -> None:
    texts = list(corefiles(SEED, COUNT))
    theirs = judgements(programs, version, texts)
    refused = sum(bool(refusal) for refusal in theirs)
    # Both answers must come often, or the agreement says little.
    assert COUNT * 0.2 < refused < COUNT * 0.85
    assert "\n".join(str(one) for one in disagreements(version, texts, theirs)) == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_coredns_agrees_about_each_plugin_and_each_option(programs: Path, version: str) -> None:
    texts = [text for head, *options in directives() for text in _alone(head, options)]
    texts += REAL
    theirs = judgements(programs, version, texts)
    assert "\n".join(str(one) for one in disagreements(version, texts, theirs)) == ""


def test_coredns_refuses_what_the_table_of_refusals_has(programs: Path) -> None:
    texts = [text for text, _said in refused()]
    theirs = judgements(programs, VERSIONS[-1], texts)
    assert [text for text, refusal in zip(texts, theirs) if not refusal] == []
    assert "\n".join(str(one) for one in disagreements(VERSIONS[-1], texts, theirs)) == ""


# What random texts have shown; single lines in a server block.
FOUND = [
    "cache {$JUDGED_BRACE}",
    "metadata {%JUDGED_BRACE%}",
    "bind {$JUDGED_BRACE}",
    "dns64 {%JUDGED_BRACE%}",
    "hosts {\n192.0.2.1 }",
    "import [a",
    "import a\\[",
    "import \\[a",
    "import a\\",
    "nomad {\naddress 10%\n}",
    "nomad {\naddress http://a/%41?10% http://a#b\n}",
    "nomad {\naddress http://a#10%\n}",
    'kubernetes {\nnamespace_labels ""\n}',
    'kubernetes {\nlabels " "\n}',
    'kubernetes {\nlabels "a,"\n}',
    *(f"on startup {words}" for words in ("/bin/true é", "/bin/true 'é'", '"\\"é\\" x"', "a#b \\\\", "a `b`")),
    *(f"on startup {words}" for words in ("é#", "'a", "''")),
    *(f'on startup "{words}"' for words in ("# a", "#é\na", "a #é", "a \\\\#é", "a\\\\é", " ", "'a b' c")),
    *(
        'template IN A {\nanswer "{{ ' + words + ' }}"\n}'
        for words in "30s 30 0x1F -1.5e3 08 1_000 .Name3 '3s' '3' `3s` 3i 09.5 0b2".split()
    ),
    'dynupdate example.com {\nfile ""\ndatabase /tmp/none.bolt\nallow a.key. @ A\n}',
]


@pytest.mark.parametrize("version", VERSIONS)
def test_coredns_agrees_about_what_random_texts_have_shown(programs: Path, version: str) -> None:
    texts = [f"example.com {{\n{line}\n}}\n" for line in FOUND]
    theirs = judgements(programs, version, texts)
    assert "\n".join(str(one) for one in disagreements(version, texts, theirs)) == ""


def _alone(head: str, options: list[str]) -> list[str]:
    """A plugin without its options, with one of them, with one twice, with all."""
    blocks = ["", *options, *(f"{option}\n{option}" for option in options), "\n".join(options)]
    return [f"example.com {{\n{head}{f' {{{chr(10)}{block}{chr(10)}}}' if block else ''}\n}}\n" for block in blocks]


WORDS = st.sampled_from(
    [
        ".:0",
        "a.example.com:0",
        "{",
        "}",
        "\n",
        "\n",
        "whoami",
        "errors",
        "cache",
        "30",
        "#x",
        '"',
        ",",
        "import",
        "(s)",
        "s",
    ]
)


@given(st.lists(st.lists(WORDS, max_size=14).map(" ".join), min_size=40, max_size=40))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_coredns_agrees_about_random_words(programs: Path, texts: list[str]) -> None:
    for version in VERSIONS:
        theirs = judgements(programs, version, texts)
        assert "\n".join(str(one) for one in disagreements(version, texts, theirs)) == ""


def accepts(programs: Path, text: str, folder: Path) -> bool:
    """Whether CoreDNS' own program takes a Corefile.

    A text that it takes makes it start servers, on a port of the text's own choice, and run until it is ended.
    """
    file = folder / "Corefile"
    file.write_bytes(text.encode())
    process = subprocess.Popen(
        [str(programs / "coredns"), "-conf", str(file), "-dns.port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert process.stdout
    # It prints its version when everything has started, and ends after an error.
    for line in process.stdout:
        if line.startswith("CoreDNS-"):
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    return process.wait() == -signal.SIGKILL


TEXTS = [
    ".:0 {\n  whoami\n}\n",
    ".:0\nwhoami\n",
    '".:0" {\n  whoami # "{\n}\n',
    ".:0, a.example.com:0 {\n whoami\n}\n",
    "(s) {\n whoami\n}\n.:0 {\n import s\n}\n",
    ".:0 {\r\n whoami\r\n}\r\n",
    "\ufeff.:0 {\n whoami\n}\n",
    ".:0 { }\n",
    ".:0 { whoami }\n",
    ".:0 {\n nothing\n}\n",
    ".:0 {\n whoami\n",
    ".:0 {\n hosts {\n",
    "a:0, {\n}\n",
    ".:0 {\n import\n}\n",
    "(s) {\n}\n(s) {\n}\n.:0 {\n whoami\n}\n",
    ".:0 {\n whoami\n}\n}\n",
    ".:0 {\n forward . 192.0.2.1 {\n  policy best\n }\n}\n",
    ".:0 {\n cache 0\n}\n",
    ".:0 {\n errors\n errors\n}\n",
    ".:0 {\n whoami\n}\n.:0 {\n whoami\n}\n",
    "# nothing\n",
    ".:0 (s) { } (s)\n",
    "(s) {\n}\n(s)\n",
]


def test_the_judge_says_what_the_program_does(programs: Path, tmp_path: Path) -> None:
    theirs = judgements(programs, OF_PROGRAM, TEXTS)
    assert [accepts(programs, text, tmp_path) for text in TEXTS] == [not refusal for refusal in theirs]
    assert disagreements(OF_PROGRAM, TEXTS, theirs) == []
