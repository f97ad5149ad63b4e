# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose nodes are emulated machines, and whose control plane runs beside them, at this machine's own speed.

kubeadm makes certificates, kubeconfigs, what the cluster says of itself, and CoreDNS. There is no kube-proxy.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from . import artefacts, emulation
from .bed import Bed, BedError, system
from .build import say
from .cluster import write_kubeconfig
from .settings import BRIDGE_V4, KUBERNETES, POD_CIDR, SERVICE_CIDR, Node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONTROL_PLANE_NODE = "outside"
CLUSTER_DNS = "10.96.0.10"
WANTED = (emulation.guest_disk, emulation.guest_kernel, artefacts.kubernetes, artefacts.etcd, artefacts.coredns)
# A guest starts in 40 seconds where both processors are its own, and in ten minutes beside a dozen other machines.
BOOT_SECONDS = 900.0
# What starts at every boot of a Debian and does nothing for a node; emulated, each costs a second or more.
UNUSED_UNITS = (
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket"),
    *("systemd-udevd-kernel.socket", "systemd-logind.service", "systemd-journal-flush.service"),
    *("systemd-random-seed.service", "e2scrub_reap.service", "kmod-static-nodes.service"),
    *(f"modprobe@{module}.service" for module in ("configfs", "dm_mod", "drm", "efi_pstore", "fuse", "loop")),
)
SYSTEMD_WORDS = (
    *("systemd.condition_first_boot=no", "systemd.condition_needs_update=no"),
    *("systemd.service_watchdogs=no", "systemd.ssh_auto=no", *(f"systemd.mask={unit}" for unit in UNUSED_UNITS)),
)


class EmulatedBed(Bed):
    """A test bed whose nodes are machines that QEMU emulates, instruction by instruction."""

    answer_seconds = 60.0

    def create(self, count: int, mtu: int = 1500, memory: str = "") -> None:
        super().create(count, mtu, memory)
        self._record(emulated=True)

    @property
    def api_address(self) -> str:
        return BRIDGE_V4

    @property
    def disk(self) -> Path:
        return self.store.path(emulation.guest_disk)

    def boot(self, node: Node, *, copy_of: Path | None = None) -> None:
        cow = self.folder / f"{node.name}.cow"
        if not cow.exists():
            below = str(copy_of or self.disk / "disk.ext4")
            system("qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "raw", str(cow))
        super().boot(node)

    def machine(self, node: Node, cow: Path) -> list[str]:
        kernel = self.store.path(emulation.guest_kernel)
        # The processor's mitigations cost what they protect; a second processor has made a guest's kernel panic.
        words = (
            *("console=ttyS0", "quiet", "root=/dev/vda", "rw", "net.ifnames=0", "panic=1", "mitigations=off"),
            *("nokaslr", "random.trust_cpu=on", f"node.name={node.name}", f"node.ipv4={node.address}"),
            *(f"node.ipv6={node.address_v6}", f"node.mtu={self.state['mtu']}", *SYSTEMD_WORDS),
        )
        return [
            # A processor without AVX: programs that find none need less of QEMU.
            *("ip", "netns", "exec", self.netns, "qemu-system-x86_64", "-machine", "q35", "-cpu", "Nehalem"),
            # A machine that has /dev/kvm does not always have what is behind it.
            *("-accel", "tcg,thread=multi,tb-size=512", "-smp", "1"),
            *("-m", self.state["memory"] or "2048M", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-serial", "stdio", "-no-reboot", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(kernel / "initrd")),
            *("-append", " ".join(words)),
            *("-drive", f"if=none,id=disk,file={cow},cache=unsafe,aio=threads,discard=unmap"),
            *("-device", "virtio-blk-pci,drive=disk"),
            *("-netdev", f"tap,id=net,ifname={node.tap},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=net,mac={node.mac}"),
            *("-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random"),
        ]

    def wait_for_ssh(self, node: Node, patience: float = BOOT_SECONDS) -> None:
        super().wait_for_ssh(node, patience)

    # ---- control plane --------------------------------------------------------------------------------------

    def start_control_plane(self) -> None:
        """etcd, API server, controllers and scheduler in this bed's network namespace, and the nodes' certificates.

        :raises BedError: a part does not come up.
        """
        pki = self.folder / "pki"
        self._kubeadm("certs", "all")
        for node in self.nodes:
            self._kubeadm("kubeconfig", "kubelet", "--kubeconfig-dir", str(self.folder / node.name), node=node)
        for part in ("super-admin", "controller-manager", "scheduler"):
            self._kubeadm("kubeconfig", part, "--kubeconfig-dir", str(self.folder))
        self._start_program(
            *("etcd", "etcd", f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync"),
            *("--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379"),
            "--listen-peer-urls=http://127.0.0.1:2380",
        )
        self._start_program(
            *("kubernetes", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379"),
            *(f"--advertise-address={BRIDGE_V4}", "--secure-port=6443", f"--service-cluster-ip-range={SERVICE_CIDR}"),
            *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
            *("--allow-privileged=true", f"--client-ca-file={pki}/ca.crt"),
            *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            *("--kubelet-preferred-address-types=InternalIP", f"--service-account-key-file={pki}/sa.pub"),
            f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        )
        self._wait_for_api()
        # As kubeadm's phase for the tokens by which nodes join does, which join here without.
        binding = ("kubeadm:apiserver-kubelet-client", "--clusterrole=system:kubelet-api-admin")
        self.kubectl("create", "clusterrolebinding", *binding, "--user=kube-apiserver-kubelet-client")
        self._start_program(
            *("kubernetes", "kube-controller-manager", f"--kubeconfig={self.folder / 'controller-manager.conf'}"),
            *("--leader-elect=false", "--use-service-account-credentials=true", f"--root-ca-file={pki}/ca.crt"),
            f"--service-account-private-key-file={pki}/sa.key",
            # An emulated kubelet may be late by more than the usual 40 seconds.
            "--node-monitor-grace-period=120s",
        )
        self._start_program(
            *("kubernetes", "kube-scheduler", f"--kubeconfig={self.folder / 'scheduler.conf'}"),
            "--leader-elect=false",
        )

    def start_kubelets(self) -> None:
        """Let the nodes join, and install CoreDNS; without a pod network no node is ready.

        :raises BedError: a kubelet does not register its node.
        """
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(self._start_kubelet, self.nodes))
        administrator = ("--kubeconfig", str(self.folder / "super-admin.conf"))
        self._kubeadm("upload-config", "kubeadm", *administrator)
        self._kubeadm("addon", "coredns", *administrator)

    def _start_kubelet(self, node: Node) -> None:
        configuration = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}},
            "cgroupDriver": "systemd",
            "clusterDNS": [CLUSTER_DNS],
            "clusterDomain": "cluster.local",
            "failSwapOn": False,
        }
        arguments = f"KUBELET_KUBEADM_ARGS=--node-ip={node.address} --hostname-override={node.name}\n"
        files = {
            "/etc/kubernetes/kubelet.conf": (self.folder / node.name / "kubelet.conf").read_text(),
            "/etc/kubernetes/pki/ca.crt": (self.folder / "pki" / "ca.crt").read_text(),
            "/var/lib/kubelet/kubeadm-flags.env": arguments,
            "/var/lib/kubelet/config.yaml": json.dumps(configuration),
        }
        script = (
            "import json, pathlib, sys\n"
            "for name, text in json.load(sys.stdin).items():\n"
            "    path = pathlib.Path(name); path.parent.mkdir(parents=True, exist_ok=True)\n"
            "    path.touch(mode=0o600); path.write_text(text)\n"
        )
        self.must(
            node, f"python3 -c '{script}' && systemctl start kubelet", timeout=BOOT_SECONDS, stdin=json.dumps(files)
        )

    def kubectl(self, *words: str) -> str:
        """Ask the API server as an administrator.

        :raises BedError: it refuses.
        """
        program = str(self.store.path(artefacts.kubernetes) / "kubectl")
        return self.outside(program, f"--kubeconfig={self.folder / 'super-admin.conf'}", *words)

    def outside(self, *command: str, stdin: str | None = None) -> str:
        """Run a program of this machine inside the bed's network.

        :raises BedError: it failed.
        """
        return system("ip", "netns", "exec", self.netns, *command, stdin=stdin)

    def reach_pods(self, pod_cidrs: Mapping[str, Sequence[str]]) -> None:
        """Give the control plane, which is no node, a way to the pods, as the API server's proxy to them needs.

        :param pod_cidrs: what each node gives its pods addresses of, by the node's name.
        """
        for node in self.nodes:
            for cidr in pod_cidrs[node.name]:
                self.outside("ip", "route", "replace", cidr, "via", node.address)

    def _start_program(self, artefact: str, program: str, *words: str) -> None:
        folder = {"etcd": artefacts.etcd, "kubernetes": artefacts.kubernetes}[artefact]
        path = str(self.store.path(folder) / program)
        self._start(program, ["ip", "netns", "exec", self.netns, path, *words])

    def _kubeadm(self, phase: str, *words: str, node: Node | None = None) -> None:
        name = node.name if node else CONTROL_PLANE_NODE
        file = self.folder / f"{name}.json"
        file.write_text(self._configuration(name))
        program = str(self.store.path(artefacts.kubernetes) / "kubeadm")
        self.outside(program, "init", "phase", phase, *words, "--config", str(file))

    def _configuration(self, name: str) -> str:
        documents = [
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "InitConfiguration",
                "localAPIEndpoint": {"advertiseAddress": BRIDGE_V4},
                "nodeRegistration": {"name": name, "criSocket": "unix:///run/containerd/containerd.sock"},
            },
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "ClusterConfiguration",
                "kubernetesVersion": KUBERNETES,
                "certificatesDir": str(self.folder / "pki"),
                "controlPlaneEndpoint": f"{BRIDGE_V4}:6443",
                "networking": {"podSubnet": POD_CIDR, "serviceSubnet": SERVICE_CIDR},
                # The way in for people and for Ansible is a loopback port of the machine outside.
                "apiServer": {"certSANs": ["127.0.0.1", "localhost", BRIDGE_V4]},
            },
        ]
        return "\n---\n".join(json.dumps(document) for document in documents)

    def _wait_for_api(self, patience: float = BOOT_SECONDS) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                if self.kubectl("get", "--raw", "/readyz") == "ok":
                    return
            except BedError:
                if time.monotonic() > deadline or not all(self.alive().values()):
                    raise
            # It tells nobody when it is ready; every question is a process.
            time.sleep(0.2)


def start(bed: EmulatedBed, count: int = 2, mtu: int = 1500, memory: str = "") -> None:
    """Start the control plane and the nodes side by side, and wait until every kubelet has registered its node.

    :raises BedError: a part of it does not come up.
    """
    bed.create(count, mtu, memory)
    begin = time.monotonic()
    for node in bed.nodes:
        bed.boot(node)
    bed.start_control_plane()
    write_kubeconfig(bed, (bed.folder / "super-admin.conf").read_text())
    say(f"the API server is ready after {time.monotonic() - begin:.0f} s")
    with ThreadPoolExecutor(len(bed.nodes)) as pool:
        list(pool.map(bed.wait_for_ssh, bed.nodes))
    say(f"nodes answer after {time.monotonic() - begin:.0f} s")
    bed.start_kubelets()
    names = {node.name for node in bed.nodes}
    deadline = time.monotonic() + BOOT_SECONDS
    while names - set(bed.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()):
        if time.monotonic() > deadline:
            raise BedError(f"not every kubelet registered its node within {BOOT_SECONDS:.0f} s; expected {names}")
        # As above; what asks takes the processor from the guests.
        time.sleep(0.5)
    say(f"kubelets have registered their nodes after {time.monotonic() - begin:.0f} s")
