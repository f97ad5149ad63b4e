# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corefiles of growing size, read, edited, validated and migrated: ``python3 -m tests.bench.corefile``.

The peer of the migration is corefile-migration, a library in Go: the same text, the same versions, one process each;
and what either leaves of the text's comments.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import Wanted, put
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.migrate import migrate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse, render
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from tests.testbed import artefacts
from tests.testbed.build import Store
from tests.testbed.settings import cache_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLD, NEW = "1.6.9", "1.14.2"
PACKAGE = "ansible_collections/netops/kubernetes"
CORE = f"{PACKAGE.replace('/', '.')}.plugins.module_utils._corefile"
COLLECTION = Path(__file__).parents[2]
ROUNDS = 7


def corefile(lines: int) -> str:
    """Server blocks of ten lines each."""
    return "".join(
        f"""\
zone{number}.example.com:53 {{
    errors
    # why zone {number} is here
    kubernetes zone{number}.example.com {{
        upstream
        ttl 30
    }}
    cache 30
    forward . 192.0.2.1 192.0.2.2
}}
"""
        for number in range(lines // 10)
    )


def cpu() -> float:
    """Seconds of a processor that this process and those that it waited for have had; others' load is not in it."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def milliseconds(job: Callable[[], Any], clock: Callable[[], float] = cpu) -> float:
    """The least of some rounds."""
    taken = []
    for _round in range(ROUNDS):
        begin = clock()
        job()
        taken.append((clock() - begin) * 1000)
    return min(taken)


def edited(text: str) -> str:
    return render(put(parse(text), "zone5.example.com", Wanted("cache", ("31",))))


def of_import(module: str, root: Path, environment: Mapping[str, str]) -> float:
    """How much longer Python takes to start with a module of ours than with what it is made of.

    :param root: the folder, or the archive, that has our tree.
    """

    def started(names: str) -> float:
        words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); import {names}"]
        return milliseconds(lambda: subprocess.run(words, check=True, env=environment))

    shared = "dataclasses, difflib, functools, ipaddress, re, typing, ansible_collections.netops.kubernetes"
    return started(f"{shared}, {CORE}.{module}") - started(shared)


def of_imports(module: str) -> tuple[float, float]:
    """The same of an installed tree, whose bytecode Python keeps, and of an archive of sources, as Ansible sends it."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    folder = COLLECTION / "plugins"
    with tempfile.TemporaryDirectory() as name:
        archive, installed = Path(name, "sent.zip"), Path(name, "installed")
        files = {Path(PACKAGE, "plugins", file.relative_to(folder)): file for file in folder.rglob("*.py")}
        packages = {parent / "__init__.py" for path in files for parent in path.parents if parent.name}
        with zipfile.ZipFile(archive, "w") as sent:
            for path in sorted(packages - files.keys()):
                sent.writestr(str(path), "")
            for path, file in sorted(files.items()):
                sent.write(file, path)
        with zipfile.ZipFile(archive) as sent:
            sent.extractall(installed)
        return of_import(module, installed, environment), of_import(module, archive, environment)


def by_peer(program: Path, text: str) -> dict[str, Any]:
    done = subprocess.run([str(program), OLD, NEW, str(ROUNDS)], input=text, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> int:
    store = Store(cache_root())
    program = store.path(artefacts.corefile_migration) / "corefile-migration"
    print(f"milliseconds of a processor, while {os.getloadavg()[0]:.0f} processes want one")
    for module in ("tree", "validate"):
        installed, sent = of_imports(module)
        print(f"import of {module}: {installed:.1f} ms where it is installed, {sent:.1f} ms out of Ansible's archive")
    for lines in (1000, 10000, 100000):
        text = corefile(lines)
        edit = milliseconds(partial(edited, text))
        judged = milliseconds(partial(validate, text, version=OLD))
        print(f"{lines} lines: parse, edit and render {edit:.1f} ms; validate {judged:.1f} ms")
    text = corefile(1000)
    # As the peer measures itself.
    ours = milliseconds(lambda: migrate(text, OLD, NEW), time.perf_counter)
    theirs = by_peer(program, text)
    plan = migrate(text, OLD, NEW)
    ratio = ours / 1000 / theirs["seconds"]
    print(f"1000 lines migrated from {OLD} to {NEW}: corefile-migration's time to ours as 1 to {ratio:.1f}")
    print(f"comments kept: ours {plan.text.count('#')}, theirs {theirs['text'].count('#')} of {text.count('#')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
