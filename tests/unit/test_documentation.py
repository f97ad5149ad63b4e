# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in the documentation runs: as far as Ansible checks a play before it touches a host."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path for kind in ("modules", "filter") for path in (ROOT / "plugins" / kind).glob("*.py"))
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def syntax_check(play: str, folder: Path) -> None:
    """Let ansible-playbook parse a play: names of modules, roles and keywords must be right."""
    file = folder / "play.yml"
    file.write_text(play)
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def examples_of(plugin: Path) -> list[dict[str, object]]:
    found = re.search(r'EXAMPLES = r"""(.*?)"""', plugin.read_text(), re.DOTALL)
    assert found, f"{plugin.name} has no EXAMPLES"
    tasks: list[dict[str, object]] = yaml.safe_load(found[1])
    return tasks


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.stem)
def test_examples_of_plugins(plugin: Path, tmp_path: Path) -> None:
    tasks = examples_of(plugin)
    assert f"netops.kubernetes.{plugin.stem}" in str(tasks)
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    syntax_check(yaml.safe_dump(play, sort_keys=False), tmp_path)


@pytest.mark.parametrize(
    "plugin", [path for path in PLUGINS if path.parent.name == "modules"], ids=lambda path: path.stem
)
def test_examples_use_options_that_exist(plugin: Path) -> None:
    found = re.search(r'DOCUMENTATION = r"""(.*?)"""', plugin.read_text(), re.DOTALL)
    assert found
    options = set(yaml.safe_load(found[1]).get("options", {}))
    shared = {
        option
        for fragment in ("connection", "agnhost")
        if f"netops.kubernetes.{fragment}" in found[1]
        for option in yaml.safe_load(
            (ROOT / f"plugins/doc_fragments/{fragment}.py").read_text().split('r"""')[1].split('"""')[0]
        )["options"]
    }
    for task in examples_of(plugin):
        used = task.get(f"netops.kubernetes.{plugin.stem}")
        assert not isinstance(used, dict) or set(used) <= options | shared


def plays_of(guide: Path) -> list[str]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.startswith("- ")]


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if plays_of(guide)], ids=lambda path: path.name)
def test_plays_of_guides(guide: Path, tmp_path: Path) -> None:
    for block in plays_of(guide):
        entries = yaml.safe_load(block)
        is_play = all("hosts" in entry for entry in entries)
        play = block if is_play else yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": entries}])
        syntax_check(play, tmp_path)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_links_of_guides_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", guide.read_text()):
        assert (guide.parent / target).exists(), target
