# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects applied by the module ``manifest`` and by its peers, in turns; prints ratios, and our requests an object.

The peers are one ``kubectl apply --server-side`` process for all objects, one ``kubectl apply`` process an object,
which is how kubespray applies its manifests, and one task of ``kubernetes.core.k8s`` for all objects. The time is that
of whole processes, from the interpreter's start. The environment variable NETOPS_COLLECTIONS names a virtual
environment with the packages ``ansible`` and ``kubernetes``: it has kubernetes.core.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import rendered
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from tests.support.modules import START, Module
from tests.testbed.api_ring import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[2] / ".." / "shared" / "mirror")))
COLLECTION = "netops.kubernetes"
# What the chart is rendered for; the server decides nothing of it.
KUBERNETES = "v1.36.3"
SMALL = 500
SINGLE = 100
ROUNDS = 3
START_UPS = 9
SERVER_SIDE = ("--server-side", "--field-manager=bench")


@dataclass(frozen=True)
class Run:
    """What one process took: seconds, and MiB of memory at its peak.

    :param requests: to the API server, of a module of ours, which tells them.
    """

    seconds: float
    peak: float
    requests: int = 0


@dataclass(frozen=True)
class Bench:
    """The server that both sides apply to.

    :param folder: for the files that kubectl reads.
    """

    programs: Path
    kubeconfig: Path
    folder: Path

    @property
    def module(self) -> Module:
        return Module("manifest", {"kubeconfig": str(self.kubeconfig)})

    def manifest(self, **options: Any) -> Run:
        module = self.module
        run = measured(module.command(), module.arguments(**options), self.folder / "output")
        told = json.loads((self.folder / "output").read_text().splitlines()[-1])
        return replace(run, requests=told["api_requests"])

    def kubectl(self, file: Path, *flags: str) -> Run:
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", "apply", *flags, "-f", str(file)]
        return measured(command, "", self.folder / "output")

    def kubernetes_core(self, objects: Sequence[dict[str, Any]], **options: Any) -> Run:
        return measured(kubernetes_core(), k8s_arguments(self.kubeconfig, objects, **options), self.folder / "output")

    def written(self, name: str, objects: Sequence[dict[str, Any]]) -> Path:
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        return file


def kubernetes_core() -> list[str]:
    """The process that Ansible makes of the task, with its collection and without ours."""
    python = f"{os.environ['NETOPS_COLLECTIONS']}/bin/python3"
    return ["env", "-u", "PYTHONPATH", python, "-c", START, "ansible_collections.kubernetes.core.plugins.modules.k8s"]


def k8s_options(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "resource_definition": list(objects),
        "apply": True,
        "server_side_apply": {"field_manager": "bench"},
    }


def k8s_arguments(kubeconfig: Path, objects: Sequence[dict[str, Any]], **options: Any) -> str:
    given = {**k8s_options(objects), **options, "kubeconfig": str(kubeconfig), "_ansible_remote_tmp": "/tmp"}
    return json.dumps({"ANSIBLE_MODULE_ARGS": given})


def measured(command: Sequence[str], stdin: str, output: Path) -> Run:
    """Run one process to its end.

    :raises SystemExit: it failed.
    """
    given = output.with_suffix(".in")
    given.touch(mode=0o600)
    given.write_text(stdin)
    begin = time.monotonic()
    with given.open() as source, output.open("w") as sink:
        child = subprocess.Popen(command, stdin=source, stdout=sink, stderr=subprocess.STDOUT)
        _pid, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with {child.returncode}: {output.read_text()[-2000:]}")
    return Run(time.monotonic() - begin, used.ru_maxrss / 1024)


def config_maps(namespace: str, value: str, number: int) -> list[dict[str, Any]]:
    places = [{"name": f"bench-{one}", "namespace": namespace} for one in range(number)]
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": {"key": value}} for place in places]


def compare(
    what: str, ours: Callable[[], Run], theirs: Callable[[], Run], rounds: int = 1, *, objects: int = 0
) -> None:
    """Both in turns; prints each pair, and the median ratio.

    :param objects: how many are applied, for our requests an object; 0: none are.
    """
    pairs = [(ours(), theirs()) for _round in range(rounds)]
    for our, their in pairs:
        print(
            f"{what}: {our.seconds:.2f} s {our.peak:.0f} MiB, {their.seconds:.2f} s {their.peak:.0f} MiB, "
            f"{their.seconds / our.seconds:.1f}"
        )
    ratio = statistics.median(their.seconds / our.seconds for our, their in pairs)
    print(f"{what}, median ratio: {ratio:.1f}")
    if objects:
        requests = statistics.median(our.requests for our, _their in pairs)
        print(f"{what}, our requests an object: {requests / objects:.3f}", flush=True)


def one_by_one(bench: Bench, objects: Sequence[dict[str, Any]]) -> Run:
    runs = [bench.kubectl(bench.written("single", [obj])) for obj in objects]
    return Run(sum(run.seconds for run in runs), max(run.peak for run in runs))


def small_objects(bench: Bench) -> None:
    """500 ConfigMaps, one process against one process."""
    rows = (("1", "first run", 1), ("1", "rerun", ROUNDS), *((value, "change", 1) for value in "234"))
    for value, what, rounds in rows:
        compare(
            f"{SMALL} ConfigMaps, kubectl --server-side, {what}",
            partial(bench.manifest, definitions=config_maps("ours", value, SMALL)),
            partial(bench.kubectl, bench.written("many", config_maps("theirs", value, SMALL)), *SERVER_SIDE),
            rounds,
            objects=SMALL,
        )


def single_objects(bench: Bench) -> None:
    """100 ConfigMaps, one process against one process an object."""
    for value, what in (("1", "first run"), ("1", "rerun"), ("2", "change")):
        compare(
            f"{SINGLE} ConfigMaps, one kubectl an object, {what}",
            partial(bench.manifest, definitions=config_maps("single-ours", value, SINGLE)),
            partial(one_by_one, bench, config_maps("single-theirs", value, SINGLE)),
            objects=SINGLE,
        )


def same_tasks(bench: Bench) -> None:
    """500 ConfigMaps, one task against one task."""
    for value, what in (("1", "first run"), ("1", "rerun"), ("2", "change")):
        same_task(bench, value, what)


def same_task(bench: Bench, value: str, what: str) -> None:
    """Each round in namespaces of its own: a first run is one there."""
    ours = iter([config_maps(f"task-ours-{number}", value, SMALL) for number in range(ROUNDS)])
    theirs = iter([config_maps(f"task-theirs-{number}", value, SMALL) for number in range(ROUNDS)])
    compare(
        f"{SMALL} ConfigMaps, kubernetes.core.k8s with a list, {what}",
        lambda: bench.manifest(definitions=next(ours)),
        lambda: bench.kubernetes_core(next(theirs)),
        ROUNDS,
        objects=SMALL,
    )


def start_up(bench: Bench) -> None:
    """From the start of the interpreter to the first byte of a request: from files, and as Ansible packs a module."""
    one = config_maps("ours", "1", 1)
    ours = packed(Path(sys.executable).parent, f"{COLLECTION}.manifest", bench, {"definitions": one})
    theirs = packed(
        Path(os.environ["NETOPS_COLLECTIONS"], "bin"),
        "kubernetes.core.k8s",
        bench,
        k8s_options(one),
        ANSIBLE_COLLECTIONS_PATH="",
        PYTHONPATH="",
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = kubeconfig_of(server.getsockname()[1], bench.folder)
        module = Module("manifest", {"kubeconfig": str(where)})
        compare(
            "start-up, kubernetes.core.k8s",
            partial(first_request, server, module.command(), module.arguments(definitions=one)),
            partial(first_request, server, kubernetes_core(), k8s_arguments(where, one)),
            START_UPS,
        )
        compare(
            "start-up, both packed by Ansible",
            partial(first_request, server, ours, ""),
            partial(first_request, server, theirs, ""),
            START_UPS,
        )


def packed(programs: Path, module: str, bench: Bench, options: Mapping[str, Any], **environment: str) -> list[str]:
    """The process that a host runs for a task: a file that holds all that the module imports, and compiles it anew.

    :param programs: where that environment's ``ansible`` and ``python3`` are.
    :raises SystemExit: Ansible made none.
    """
    folder = bench.folder / module
    # Nobody listens there: the file is all that is wanted.
    given = {"kubeconfig": str(kubeconfig_of(free_port(), bench.folder)), **options}
    command = [str(programs / "ansible"), "localhost", "-c", "local", "-m", module, "-a", json.dumps(given)]
    command += ["-e", f"ansible_python_interpreter={programs / 'python3'}"]
    kept = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TEMP": str(folder), "ANSIBLE_PIPELINING": "0"}
    done = subprocess.run(command, env=os.environ | kept | environment, capture_output=True, text=True, check=False)
    files = list(folder.glob("*/AnsiballZ_*.py"))
    if not files:
        sys.exit(f"{module} was not packed: {done.stdout}{done.stderr}")
    return [str(programs / "python3"), str(files[0])]


def kubeconfig_of(port: int, folder: Path) -> Path:
    file = folder / "start-up.json"
    named = {
        "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "users": [{"name": "bench", "user": {}}],
    }
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "bench", **named}))
    return file


def first_request(server: socket.socket, command: Sequence[str], stdin: str) -> Run:
    begin = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin is not None
        child.stdin.write(stdin)
        child.stdin.close()
        connection, _peer = server.accept()
        with connection:
            connection.recv(1)
            seconds = time.monotonic() - begin
            peak = int(Path(f"/proc/{child.pid}/status").read_text().partition("VmHWM:")[2].split()[0])
            child.kill()
    return Run(seconds, peak / 1024)


def served_by_kubectl(bench: Bench, file: Path) -> Run:
    """Applied, and established: what the module waits for too."""
    applied = bench.kubectl(file, *SERVER_SIDE)
    waiting = [str(bench.programs / "kubectl"), f"--kubeconfig={bench.kubeconfig}", "wait", "-f", str(file)]
    waited = measured([*waiting, "--for=condition=Established", "--timeout=60s"], "", bench.folder / "output")
    return Run(applied.seconds + waited.seconds, max(applied.peak, waited.peak))


def calicos_definitions() -> Path:
    """Calico's CustomResourceDefinitions, 3 MB; each side has a server of its own: their names are the cluster's."""
    files = sorted(MIRROR.glob("calico/*/operator-crds.yaml"))
    if not files:
        sys.exit(f"no operator-crds.yaml below {MIRROR}; set NETOPS_MIRROR to a folder with the upstream manifests")
    return files[-1]


def definitions(ours: Bench, theirs: Bench) -> None:
    """One file, read by both."""
    file = calicos_definitions()
    number = len(load([], [str(file)]))
    compare(
        "Calico's CRDs, kubectl --server-side and wait, first run",
        partial(ours.manifest, src=[str(file)]),
        partial(served_by_kubectl, theirs, file),
        objects=number,
    )
    compare(
        "Calico's CRDs, kubectl --server-side, rerun",
        partial(ours.manifest, src=[str(file)]),
        partial(theirs.kubectl, file, *SERVER_SIDE),
        ROUNDS,
        objects=number,
    )


def definitions_in_a_task(ours: Bench, theirs: Bench) -> None:
    """One list, given to both; ours waits for new definitions by itself, so the other one is told to at first."""
    objects = load([], [str(calicos_definitions())])
    condition = {"type": "Established", "status": "True"}
    # It looks again every five seconds where nobody says otherwise; a second is the least that it takes.
    established = {"wait": True, "wait_condition": condition, "wait_timeout": 60, "wait_sleep": 1}
    compare(
        "Calico's CRDs, kubernetes.core.k8s with a list and wait, first run",
        partial(ours.manifest, definitions=objects),
        partial(theirs.kubernetes_core, objects, **established),
        objects=len(objects),
    )
    compare(
        "Calico's CRDs, kubernetes.core.k8s with a list, rerun",
        partial(ours.manifest, definitions=objects),
        partial(theirs.kubernetes_core, objects),
        ROUNDS,
        objects=len(objects),
    )


def kubectl_with_a_list(bench: Bench, objects: Sequence[dict[str, Any]]) -> Run:
    return bench.kubectl(bench.written("list", objects), *SERVER_SIDE)


def chart(ours: Bench, theirs: Bench, peer: str, by_peer: Callable[[Bench, Sequence[dict[str, Any]]], Run]) -> None:
    """What Cilium's chart renders; its pods do not run, and nobody waits for them."""
    objects = rendered(ours.programs / "cilium-chart", {}, KUBERNETES, str(ours.programs / "helm"))
    for what, rounds in (("first run", 1), ("rerun", ROUNDS)):
        compare(
            f"Cilium's chart, {len(objects)} objects, {peer}, {what}",
            partial(ours.manifest, definitions=objects),
            partial(by_peer, theirs, objects),
            rounds,
            objects=len(objects),
        )
