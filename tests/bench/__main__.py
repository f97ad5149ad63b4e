# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures against the way in which others do it, side by side in one run; prints ratios.

The peer for objects is one ``kubectl apply`` process an object, which is how kubespray applies its manifests.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.modules import Module
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = 100


def objects(namespace: str, value: str) -> list[dict[str, Any]]:
    place = [{"name": f"bench-{number}", "namespace": namespace} for number in range(OBJECTS)]
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": one, "data": {"key": value}} for one in place]


def seconds(job: Callable[[], Any]) -> float:
    begin = time.monotonic()
    job()
    return time.monotonic() - begin


def by_kubectl(programs: Path, kubeconfig: Path, folder: Path, wanted: list[dict[str, Any]]) -> None:
    for number, obj in enumerate(wanted):
        file = folder / f"{number}.json"
        file.write_text(json.dumps(obj))
        command = [str(programs / "kubectl"), f"--kubeconfig={kubeconfig}", "apply", "-f", str(file)]
        subprocess.run(command, check=True, capture_output=True)


def measure(module: Module, programs: Path, kubeconfig: Path, folder: Path, value: str) -> tuple[float, float]:
    """Seconds of ours and of theirs, one after the other on the same server."""
    ours = seconds(lambda: module.succeeds(definitions=objects("ours", value)))
    theirs = seconds(lambda: by_kubectl(programs, kubeconfig, folder, objects("theirs", value)))
    return ours, theirs


def main() -> int:
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    with tempfile.TemporaryDirectory() as work, ApiRing(programs, Path(work)) as ring:
        folder = Path(work)
        module = Module("manifest", {"kubeconfig": str(ring.kubeconfig)})
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("ours", "theirs")]
        module.succeeds(definitions=spaces)
        print(f"{OBJECTS} ConfigMaps, seconds of manifest and of kubectl, one process an object; ratio theirs to ours")
        for what, value, rounds in (("first run", "1", 1), ("rerun", "1", 3), ("change", "2", 1)):
            pairs = [measure(module, programs, ring.kubeconfig, folder, value) for _round in range(rounds)]
            for ours, theirs in pairs:
                print(f"{what}: {ours:.2f} {theirs:.2f} {theirs / ours:.1f}")
            print(f"{what}, median ratio: {statistics.median(theirs / ours for ours, theirs in pairs):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
