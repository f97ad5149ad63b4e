# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CoreDNS' own judgement of Corefiles, and where ours may differ from it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import REFUSED, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.storage import files_beside
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from tests.support.corefiles import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS = ("1.7.0", "1.11.3", "1.14.7", "1.15.0")
# Files that can be imported stand beside it.
FOLDER = Path(__file__).absolute().parent / "imported"
FILE = str(FOLDER / "Corefile")
# A mount and a network of its own: the plugin kubernetes finds a token, and no question leaves.
ROOM = """
mount -t tmpfs tmpfs /run
# What is imported by a pattern must not be found.
mount -t tmpfs tmpfs /tmp
folder=/run/secrets/kubernetes.io/serviceaccount
mkdir -p $folder && echo token > $folder/token
exec env -i "$@" "$0"
"""
ENVIRONMENT = {**VARIABLES, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
# A language of its own, which we do not read: what comes behind it in CoreDNS' order may be refused by us first.
EXPRESSION = r"could not compile expression|variable name \".*\" is reserved"
# What CoreDNS refuses and we take, each with its reason.
KNOWN = (
    (r"plugin/bind: not a valid IP address or interface name", "only the node knows its network interfaces"),
    (r"plugin/view: ", "an expression is a language of its own"),
    (r"no nameservers found|no valid upstream addresses found", "a file with servers is the node's"),
    (r'not an IP address[, ].*"[/.][^"]*"', "likewise, where it is not there"),
    (r"failed to resolve|: lookup ", "a name of a server is resolved on the node"),
    (r"no such file or directory|certificate|unable to access", "files are the node's"),
    (r"plugin/(route53|azure|clouddns): ", "a provider is asked while it is set up"),
    (r"^panic: ", "a crash is no judgement"),
    (r"^no judgement within", "it waits for a server"),
)


@dataclass(frozen=True)
class Disagreement:
    """A text that one takes and the other does not, or that both refuse at different lines."""

    version: str
    text: str
    theirs: str
    ours: Finding | None

    def __str__(self) -> str:
        ours = self.ours.text if self.ours else "(takes it)"
        return f"CoreDNS {self.version}: {self.theirs or '(takes it)'}\nours: {ours}\n{self.text}\n"


def judgements(programs: Path, version: str, texts: Sequence[str]) -> list[str]:
    """Why CoreDNS refuses each text; empty where it takes it."""
    questions = "".join(json.dumps({"path": FILE, "text": text}) + "\n" for text in texts)
    variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-euc", ROOM, str(programs / f"corefile-judge-{version}"), *variables],
        input=questions,
        capture_output=True,
        text=True,
        check=False,
    )
    answers = [str(json.loads(line)["refusal"]) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts), f"the judge ended after {len(answers)} of {len(texts)}: {done.stderr[-2000:]}"
    return answers


def first_refusal(text: str, version: str) -> Finding | None:
    """The refusal that we would name first."""
    findings = validate(text, FILE, version, sources=files_beside, environment=ENVIRONMENT)
    return next((finding for finding in findings if finding.level == REFUSED), None)


def disagreements(version: str, texts: Sequence[str], theirs: Sequence[str]) -> list[Disagreement]:
    """Where CoreDNS and we differ without a known reason."""
    found = []
    for text, refusal in zip(texts, theirs):
        ours = first_refusal(text, version)
        if not differs(refusal, ours):
            continue
        found.append(Disagreement(version, text, refusal, ours))
    return found


def differs(refusal: str, ours: Finding | None) -> bool:
    """Whether two judgements of one text contradict each other."""
    if re.search(EXPRESSION, refusal):
        return False
    if refusal and ours is None:
        return not any(re.search(pattern, refusal) for pattern, _reason in KNOWN)
    if not refusal or ours is None:
        return bool(refusal) != (ours is not None)
    place = re.search(rf"({re.escape(str(FOLDER))}/\S+?):(\d+) - ", refusal)
    return place is not None and (place[1], int(place[2])) != (ours.file, ours.line)
