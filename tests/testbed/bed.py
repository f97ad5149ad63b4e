# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running test bed: a network namespace with virtual machines, and the ways into it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import artefacts
from .build import say
from .processes import Process
from .settings import BRIDGE_V4, BRIDGE_V6, HERE, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .build import Store

SSH_PORT = 22
API_PORT = 6443


class BedError(Exception):
    """The test bed could not do what was asked; the text says what to look at."""


@dataclass(frozen=True)
class Completed:
    """What a command on a node gave back."""

    returncode: int
    stdout: str
    stderr: str


class Bed:
    """A test bed by name; everything that runs for it is recorded in its folder, so that any later command can end it.

    :param store: the artefact cache.
    :param name: separates beds that run side by side.
    """

    def __init__(self, store: Store, name: str = "default") -> None:
        self.store = store
        self.name = name
        self.folder = store.root / "run" / name
        self.netns = f"netops-{name}"
        self._state_file = self.folder / "state.json"

    # ---- what runs ------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return {"processes": {}, "ports": {}, "nodes": []}
        return state

    def _record(self, **changes: Any) -> None:
        state = {**self.state, **changes}
        temporary = self._state_file.with_suffix(".new")
        temporary.write_text(json.dumps(state, indent=2) + "\n")
        temporary.rename(self._state_file)

    def process(self, name: str) -> Process | None:
        recorded = self.state["processes"].get(name)
        return Process(**recorded) if recorded else None

    def _start(self, name: str, command: Sequence[str], **options: Any) -> None:
        process = Process.start(command, self.folder / f"{name}.log", **options)
        self._record(processes={**self.state["processes"], name: asdict(process)})

    @property
    def nodes(self) -> list[Node]:
        return [Node(number) for number in self.state["nodes"]]

    def alive(self) -> dict[str, bool]:
        """Each recorded process by name, and whether it lives."""
        return {name: Process(**recorded).alive for name, recorded in self.state["processes"].items()}

    # ---- up and down ----------------------------------------------------------------------------------------

    def create(self, count: int, mtu: int = 1500, memory: str = "") -> None:
        """An empty bed: namespace, bridge, taps, gateway; strays of an earlier run of this name end first."""
        self.down()
        self.folder.mkdir(parents=True)
        self._record(nodes=list(range(1, count + 1)), mtu=mtu, memory=memory, processes={}, ports={})
        self._make_network(mtu)
        self._start_gateway()

    def _make_network(self, mtu: int) -> None:
        system("ip", "netns", "add", self.netns)
        taps = "".join(
            f"tuntap add dev {node.tap} mode tap\nlink set {node.tap} mtu {mtu} master bridge up\n"
            for node in self.nodes
        )
        batch = textwrap.dedent(f"""\
            link set lo up
            link add bridge type bridge
            link set bridge mtu {mtu} up
            address add {BRIDGE_V4}/24 dev bridge
            address add {BRIDGE_V6}/64 dev bridge nodad
            """)
        system("ip", "-netns", self.netns, "-batch", "-", stdin=batch + taps)

    def _start_gateway(self) -> None:
        targets = {f"ssh-{node.name}": (node.address, SSH_PORT) for node in self.nodes}
        targets["api"] = (self.api_address, API_PORT)
        listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in targets}
        pairs = [f"{listeners[name].fileno()}={host}:{port}" for name, (host, port) in targets.items()]
        self._start(
            "gateway",
            ["ip", "netns", "exec", self.netns, sys.executable, str(HERE / "gateway.py"), *pairs],
            fds=[listener.fileno() for listener in listeners.values()],
        )
        self._record(ports={name: listener.getsockname()[1] for name, listener in listeners.items()})
        for listener in listeners.values():
            listener.close()

    def start_names(self, corefile: Path) -> None:
        """A name server outside the cluster, at the bridge's address: what a site's own resolver would be."""
        program = self.store.path(artefacts.coredns) / "coredns"
        self._start("names", ["ip", "netns", "exec", self.netns, str(program), "-conf", str(corefile)])

    def down(self) -> None:
        """End every process of this bed and remove its namespace and folder; fine when there is none."""
        for name, recorded in self.state["processes"].items():
            Process(**recorded).end(patience=0.0 if name.startswith("node") else 5.0)
        if Path("/run/netns", self.netns).exists():
            system("ip", "netns", "delete", self.netns)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    # ---- nodes ----------------------------------------------------------------------------------------------

    # What a node that has started needs for a connection and its shell.
    answer_seconds = 10.0

    @property
    def api_address(self) -> str:
        """Where the API server listens: the first node carries the control plane."""
        return Node(1).address

    @property
    def disk(self) -> Path:
        return self.store.path(artefacts.disk)

    def boot(self, node: Node, *, copy_of: Path | None = None) -> None:
        """Start a node on its own copy-on-write file: kept, empty, or a copy of a snapshot's."""
        cow = self.folder / f"{node.name}.cow"
        if copy_of:
            # The file records the modification time of the disk below it, and holes stay holes.
            system("cp", "--sparse=always", "--preserve=timestamps", str(copy_of), str(cow))
        # Guest memory is a file: in memory, not on the disk.
        self._start(node.name, self.machine(node, cow), temporary="/dev/shm")

    def machine(self, node: Node, cow: Path) -> list[str]:
        """The command that is a node, on its copy-on-write file."""
        card = f"vec0:transport=tap,ifname={node.tap},depth=128,gro=1,mac={node.mac}"
        return [
            *("ip", "netns", "exec", self.netns, str(self.store.path(artefacts.kernel) / "linux")),
            *(
                f"mem={self.state['memory'] or node.memory}",
                "seccomp=auto",
                f"ubd0={cow},{self.disk / 'disk.ext4'}",
                "root=/dev/ubda",
                "rw",
            ),
            *(card, f"node.name={node.name}", f"node.ipv4={node.address}", f"node.ipv6={node.address_v6}"),
            *(f"node.mtu={self.state['mtu']}", "con=null", "con0=null,fd:1", f"umid={self.name}-{node.name}", "quiet"),
        ]

    def boot_all(self, snapshot: Path | None = None) -> None:
        """Boot every node side by side and wait until each answers."""
        for node in self.nodes:
            self.boot(node, copy_of=snapshot / f"{node.name}.cow" if snapshot else None)
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(self.wait_for_ssh, self.nodes))

    def ssh_command(self, node: Node, *, options: Sequence[str] = ()) -> list[str]:
        """The ssh command line to a node, without what to run there."""
        return [
            *("ssh", "-q", "-i", str(self.disk / "id"), "-p", str(self.state["ports"][f"ssh-{node.name}"])),
            *("-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={self.known_hosts()}"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=30", "-o", "LogLevel=ERROR"),
            *(*options, "root@127.0.0.1"),
        ]

    def known_hosts(self) -> Path:
        """Every node has the golden disk's host key."""
        file = self.folder / "known_hosts"
        key = " ".join((self.disk / "host_key.pub").read_text().split()[:2])
        lines = [f"[127.0.0.1]:{port} {key}\n" for name, port in self.state["ports"].items() if name.startswith("ssh-")]
        if not file.exists():
            file.write_text("".join(lines))
        return file

    def ssh(self, node: Node, script: str, *, timeout: float = 60.0, stdin: str | None = None) -> Completed:
        """Run a shell script on a node; its status is the caller's to judge.

        :raises BedError: no end within ``timeout`` seconds.
        """
        try:
            done = subprocess.run(
                [*self.ssh_command(node), script],
                input="" if stdin is None else stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BedError(f"{node.name}: no end after {timeout:.0f} s: {script}") from error
        return Completed(done.returncode, done.stdout, done.stderr)

    def must(self, node: Node, script: str, *, timeout: float = 60.0, stdin: str | None = None) -> str:
        """Run a shell script on a node and return what it printed.

        :raises BedError: it failed.
        """
        done = self.ssh(node, script, timeout=timeout, stdin=stdin)
        if done.returncode != 0:
            raise BedError(f"{node.name}: {script!r} ended with {done.returncode}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def load_images(self, archive: Path) -> None:
        """Give images to the container runtime of every node, side by side.

        :raises BedError: a node does not take them.
        """

        def load(node: Node) -> None:
            command = self.ssh_command(node, options=["-c", "aes128-gcm@openssh.com"])
            with archive.open("rb") as images:
                done = subprocess.run(
                    [*command, "ctr --namespace k8s.io images import -"], stdin=images, capture_output=True, check=False
                )
            if done.returncode != 0:
                raise BedError(f"{node.name} does not take {archive}: {done.stderr.decode(errors='replace').strip()}")

        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(load, self.nodes))

    def wait_for_ssh(self, node: Node, patience: float = 300.0) -> None:
        """Wait until a node runs commands.

        :raises BedError: it ended, or did not answer in time; the text names its console's log.
        """
        deadline = time.monotonic() + patience
        console = self.folder / f"{node.name}.log"
        while True:
            process = self.process(node.name)
            if process is None or not process.alive:
                raise BedError(f"{node.name} ended while it started; its console: {console}")
            try:
                if self.ssh(node, "true", timeout=self.answer_seconds).returncode == 0:
                    return
            except BedError:
                # A node that is starting may accept a connection before it can serve it.
                say(f"{node.name} does not answer yet")
            if time.monotonic() > deadline:
                raise BedError(f"{node.name} does not answer after {patience:.0f} s; its console: {console}")
            time.sleep(0.2)

    def cut(self, node: Node) -> None:
        """Take away its power: what was not written is lost."""
        process = self.process(node.name)
        if process:
            process.signal(signal.SIGKILL)
            process.wait(10.0)

    def pause(self, node: Node) -> None:
        """Freeze a node: it answers nothing and loses nothing."""
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: Node) -> None:
        self._signal(node, signal.SIGCONT)

    def _signal(self, node: Node, number: signal.Signals) -> None:
        process = self.process(node.name)
        if process is None or not process.alive:
            raise BedError(f"{node.name} does not run")
        process.signal(number)

    def power_off(self, node: Node, patience: float = 90.0) -> None:
        """Shut a node down cleanly.

        :raises BedError: it still runs after ``patience`` seconds.
        """
        process = self.process(node.name)
        self.ssh(node, "systemctl poweroff")
        if process and not process.wait(patience):
            raise BedError(f"{node.name} still runs {patience:.0f} s after it was told to power off")

    def reboot(self, node: Node) -> None:
        """Restart a node cleanly and wait until it answers."""
        self.power_off(node)
        self.boot(node)
        self.wait_for_ssh(node)


def system(*command: str, stdin: str | None = None) -> str:
    """Run one program of this machine.

    :raises BedError: it failed.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
