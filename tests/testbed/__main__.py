# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's command line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import artefacts, cluster, control_plane, emulation
from .api_ring import ApiRing, ApiRingError
from .bed import Bed, BedError
from .build import Artefact, BuildError, Store, say
from .cluster import ClusterOptions
from .control_plane import EmulatedBed
from .hostpackages import NEEDED, require_packages, require_root
from .inventory import inventory, write_inventory
from .settings import HERE, Node, cache_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


KNOWN = {**artefacts.ALL, **emulation.ALL}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.testbed", description=__doc__)
    parser.add_argument(
        "--bed",
        default=os.environ.get("NETOPS_TESTBED_NAME", "default"),
        metavar="NAME",
        help="which of several beds (default: $NETOPS_TESTBED_NAME, or default)",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    build = commands.add_parser("build", help="build what is missing, without starting anything")
    build.add_argument("names", nargs="*", help=f"cluster (the default), {', '.join(KNOWN)}")
    up = commands.add_parser("up", help="build what is missing, start the nodes, wait until they serve")
    up.add_argument(
        "--emulated", action="store_true", help="Debian's own kernel in QEMU, with Cilium's images, without kube-proxy"
    )
    up.add_argument("--bare", action="store_true", help="nodes alone, without Kubernetes running on them")
    up.add_argument("--mtu", type=int, default=1500, help="of the network between the nodes (default: %(default)s)")
    up.add_argument(
        "--memory", default="", metavar="SIZE", help="of each node (default: 2048M for the first, else 1024M)"
    )
    for command in (build, up):
        command.add_argument(
            "--nodes", type=int, default=2, choices=range(1, 5), help="how many (default: %(default)s)"
        )
        command.add_argument("--kube-proxy-mode", default="iptables", choices=("iptables", "ipvs", "nftables"))
        command.add_argument("--dual-stack", action="store_true", help="IPv6 pods and Services as well")
    api = commands.add_parser("api", help="a kube-apiserver with etcd on loopback, until interrupted")
    api.add_argument("--kwok-nodes", type=int, default=0, help="with a scheduler, controllers and so many played nodes")
    commands.add_parser("down", help="end every process of this bed and remove its network")
    commands.add_parser("status", help="what runs")
    commands.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    listed = commands.add_parser("inventory", help="print the path of the Ansible inventory")
    listed.add_argument("--list", action="store_true", help="print the inventory itself, as Ansible asks a script")
    commands.add_parser(
        "bin", help="build the programs that run on this machine, and print the folder of links to them"
    )
    loaded = commands.add_parser("load", help="build images and give them to every node's container runtime")
    loaded.add_argument("names", nargs="+", choices=sorted(artefacts.IMAGE_SETS), metavar="NAME", help="%(choices)s")
    ssh = commands.add_parser("ssh", help="a shell, or one command, on a node")
    ssh.add_argument("node", type=node)
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    outside = commands.add_parser("outside", help="run a program of this machine inside the bed's network")
    outside.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    for name, said in (
        ("reboot", "restart a node cleanly"),
        ("cut", "take a node's power away"),
        ("boot", "start a node that is off"),
        ("pause", "freeze a node"),
        ("resume", "let a frozen node go on"),
    ):
        commands.add_parser(name, help=said).add_argument("node", type=node)
    commands.add_parser("gc", help="remove artefacts that no input refers to any more")
    return parser.parse_args(words)


def node(name: str) -> Node:
    """A node by its name or number."""
    number = name.removeprefix("node")
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{name!r} is no node; expected node1, node2, …")
    return Node(int(number))


def options_of(asked: argparse.Namespace) -> ClusterOptions:
    return ClusterOptions(asked.nodes, asked.kube_proxy_mode, asked.dual_stack)


def command_build(bed: Bed, asked: argparse.Namespace) -> None:
    known: dict[str, Artefact] = {**KNOWN, "cluster": cluster.snapshot_artefact(options_of(asked))}
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        raise BuildError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    wanted = [known[name] for name in asked.names or ["cluster"]]
    prepare(bed.store, wanted, emulation.NEEDED if emulation.guest_disk in wanted else {})


def prepare(store: Store, wanted: Sequence[Artefact], packages: Mapping[str, str] | None = None) -> None:
    """Build what is missing; say nothing when nothing is.

    :param packages: what this machine must have besides what every build wants, and keep.
    """
    if packages:
        require_packages(packages)
    if store.missing(wanted):
        require_root()
        require_packages(NEEDED)
        begin = time.monotonic()
        store.build(wanted)
        say(f"built in {time.monotonic() - begin:.0f} s")


def command_up(bed: Bed, asked: argparse.Namespace) -> None:
    require_root()
    begin = time.monotonic()
    options = options_of(asked)
    if asked.emulated:
        prepare(bed.store, control_plane.WANTED, emulation.NEEDED)
        begin = time.monotonic()
        bed = EmulatedBed(bed.store, bed.name)
        control_plane.start(bed, options.nodes, asked.mtu, asked.memory)
    elif asked.bare:
        prepare(bed.store, [artefacts.disk, artefacts.kernel, artefacts.coredns])
        begin = time.monotonic()
        bed.create(options.nodes, asked.mtu, asked.memory)
        bed.boot_all()
    else:
        prepare(bed.store, [cluster.snapshot_artefact(options), artefacts.disk, artefacts.kernel, artefacts.coredns])
        begin = time.monotonic()
        cluster.start(bed, options, asked.mtu, asked.memory)
    bed.start_names(HERE / "names.Corefile")
    file = write_inventory(bed)
    say(f"up after {time.monotonic() - begin:.0f} s; inventory: {file}")


def command_api(bed: Bed, asked: argparse.Namespace) -> None:
    wanted = [artefacts.kubernetes, artefacts.etcd, *([artefacts.kwok] if asked.kwok_nodes else [])]
    prepare(bed.store, wanted)
    with tempfile.TemporaryDirectory() as work:
        programs = Path(work, "bin")
        programs.mkdir()
        for program in (path for artefact in wanted for path in bed.store.path(artefact).iterdir()):
            (programs / program.name).symlink_to(program)
        with ApiRing(programs, Path(work), asked.kwok_nodes) as ring:
            print(ring.kubeconfig, flush=True)
            say("serves until it is interrupted (Ctrl-C)")
            ends = {signal.SIGINT, signal.SIGTERM}
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)
            signal.sigwait(ends)


def command_down(bed: Bed, _unused: argparse.Namespace) -> None:
    bed.down()


def command_status(bed: Bed, _unused: argparse.Namespace) -> None:
    for name, alive in bed.alive().items():
        print(f"{name}: {'runs' if alive else 'ended'}")
    for name, port in bed.state["ports"].items():
        print(f"{name}: 127.0.0.1:{port}")


def command_kubeconfig(bed: Bed, _unused: argparse.Namespace) -> None:
    print(bed.folder / "kubeconfig")


def command_inventory(bed: Bed, asked: argparse.Namespace) -> None:
    print(json.dumps(inventory(bed)) if asked.list else bed.folder / "inventory")


def command_bin(bed: Bed, _unused: argparse.Namespace) -> None:
    wanted = [*artefacts.API_RING, artefacts.client]
    # Tests on this machine's own kernel call the same programs that a node has.
    require_packages(NEEDED)
    prepare(bed.store, wanted)
    folder = bed.store.root / "bin"
    folder.mkdir(exist_ok=True)
    for program in (path for artefact in wanted for path in bed.store.path(artefact).iterdir()):
        link = folder / f".{program.name}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(program)
        link.rename(folder / program.name)
    print(folder)


def command_load(bed: Bed, asked: argparse.Namespace) -> None:
    wanted = [artefacts.IMAGE_SETS[name] for name in asked.names]
    prepare(bed.store, wanted)
    begin = time.monotonic()
    for artefact in wanted:
        bed.load_images(bed.store.path(artefact) / "images.tar")
    say(f"images of {', '.join(asked.names)} loaded after {time.monotonic() - begin:.0f} s")


def command_ssh(bed: Bed, asked: argparse.Namespace) -> None:
    terminal = ["-t"] if not asked.words else []
    command = bed.ssh_command(asked.node, options=terminal)
    os.execvp(command[0], [*command, *asked.words])  # noqa: S606 - ssh takes this process' place on purpose


def command_outside(bed: Bed, asked: argparse.Namespace) -> None:
    # The test bed's own client is found without a path.
    os.environ["PATH"] += f":{bed.store.path(artefacts.client)}"
    os.execvp("ip", ["ip", "netns", "exec", bed.netns, *asked.words])  # noqa: S606 - as above


def command_boot(bed: Bed, asked: argparse.Namespace) -> None:
    bed.boot(asked.node)
    bed.wait_for_ssh(asked.node)


def command_gc(bed: Bed, _unused: argparse.Namespace) -> None:
    wanted = [*KNOWN.values(), *(cluster.snapshot_artefact(options) for options in known_clusters())]
    for name in bed.store.collect(wanted):
        print(f"removed {name}")


def known_clusters() -> list[ClusterOptions]:
    """Every kind of cluster that the command line can ask for."""
    return [
        ClusterOptions(nodes, mode, dual)
        for nodes in range(1, 5)
        for mode in ("iptables", "ipvs", "nftables")
        for dual in (False, True)
    ]


COMMANDS: dict[str, Callable[[Bed, argparse.Namespace], None]] = {
    "build": command_build,
    "up": command_up,
    "api": command_api,
    "down": command_down,
    "status": command_status,
    "kubeconfig": command_kubeconfig,
    "inventory": command_inventory,
    "bin": command_bin,
    "load": command_load,
    "ssh": command_ssh,
    "outside": command_outside,
    "boot": command_boot,
    "reboot": lambda bed, asked: bed.reboot(asked.node),
    "cut": lambda bed, asked: bed.cut(asked.node),
    "pause": lambda bed, asked: bed.pause(asked.node),
    "resume": lambda bed, asked: bed.resume(asked.node),
    "gc": command_gc,
}


def bed_named(name: str) -> Bed:
    """The bed of that name, of the kind that runs."""
    bed = Bed(Store(cache_root()), name)
    return EmulatedBed(bed.store, name) if bed.state.get("emulated") else bed


def main() -> int:
    asked = arguments(sys.argv[1:])
    try:
        COMMANDS[asked.command](bed_named(asked.bed), asked)
    except (BuildError, BedError, ApiRingError) as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
