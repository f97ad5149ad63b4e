# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeadm cluster without any pod network: made once, kept as the nodes' switched-off disks, started in seconds."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import artefacts
from .bed import Bed, BedError
from .build import Artefact, Step, say
from .settings import (
    KUBERNETES,
    POD_CIDR,
    POD_CIDR_V6,
    SERVICE_CIDR,
    SERVICE_CIDR_V6,
    Node,
    cache_root,
)

# Of use inside a namespace that nothing leaves, for the minutes that a test cluster lives.
TOKEN = "abcdef.0123456789abcdef"  # noqa: S105 - kubeadm's documented example, a shape and not a secret
ADMIN = "/etc/kubernetes/admin.conf"
# A machine that builds beside it starts an API server in minutes; kubeadm's own patience for some calls is one.
PATIENCE = {
    "controlPlaneComponentHealthCheck": "10m0s",
    "kubeletHealthCheck": "10m0s",
    "kubernetesAPICall": "5m0s",
    "tlsBootstrap": "10m0s",
}
# There is one of each, so nobody is elected; one that cannot renew its lease within ten seconds would end itself.
ALONE = {"extraArgs": [{"name": "leader-elect", "value": "false"}]}


@dataclass(frozen=True)
class ClusterOptions:
    """What kind of cluster.

    :param nodes: how many; the first carries the control plane.
    :param kube_proxy_mode: ``iptables``, ``ipvs`` or ``nftables``, as it is before the collection acts.
    :param dual_stack: IPv6 pod and service networks as well.
    """

    nodes: int = 2
    kube_proxy_mode: str = "iptables"
    dual_stack: bool = False


def kubeadm_configuration(options: ClusterOptions) -> str:
    """kubeadm's configuration for the first node (kubeadm.k8s.io/v1beta4), as documents that are YAML and JSON."""
    first = Node(1)
    pods = f"{POD_CIDR},{POD_CIDR_V6}" if options.dual_stack else POD_CIDR
    services = f"{SERVICE_CIDR},{SERVICE_CIDR_V6}" if options.dual_stack else SERVICE_CIDR
    documents: list[dict[str, object]] = [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": first.address},
            "bootstrapTokens": [{"token": TOKEN, "ttl": "24h0m0s"}],
            "nodeRegistration": registration(first, options),
            "timeouts": PATIENCE,
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": KUBERNETES,
            "networking": {"podSubnet": pods, "serviceSubnet": services},
            # The way in for people and for Ansible is a loopback port of the machine outside.
            "apiServer": {"certSANs": ["127.0.0.1", "localhost", first.address, first.address_v6]},
            "controllerManager": ALONE,
            "scheduler": ALONE,
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "systemd",
            "failSwapOn": False,
            # The controllers end where the API server is not ready within ten seconds of their own start.
            "crashLoopBackOff": {"maxContainerRestartPeriod": "3s"},
        },
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": options.kube_proxy_mode,
            # The table of connections has its size from the disk (sysctl.d), before kube-proxy runs.
            "conntrack": {"maxPerCore": 0},
        },
    ]
    return "\n---\n".join(json.dumps(document, indent=2) for document in documents)


def join_configuration(node: Node, options: ClusterOptions) -> str:
    """kubeadm's configuration for a further node."""
    return json.dumps(
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "token": TOKEN,
                    "apiServerEndpoint": f"{Node(1).address}:6443",
                    "unsafeSkipCAVerification": True,
                }
            },
            "nodeRegistration": registration(node, options),
            "timeouts": PATIENCE,
        }
    )


def registration(node: Node, options: ClusterOptions) -> dict[str, object]:
    addresses = f"{node.address},{node.address_v6}" if options.dual_stack else node.address
    return {
        "criSocket": "unix:///run/containerd/containerd.sock",
        # kubeadm judges the kernel by files that a User Mode Linux lacks.
        "ignorePreflightErrors": ["all"],
        "kubeletExtraArgs": [{"name": "node-ip", "value": addresses}],
    }


def provision(bed: Bed, options: ClusterOptions) -> None:
    """From booted nodes to a cluster whose kube-proxies serve; there is no pod network, so nodes are not Ready.

    :raises BedError: kubeadm failed; its words are in the text.
    """
    first, *others = bed.nodes
    say("kubeadm init")
    bed.must(first, "cat > /root/init.json", stdin=kubeadm_configuration(options))
    bed.must(first, "kubeadm init --config /root/init.json --skip-token-print", timeout=1200.0)
    for node in others:
        say(f"kubeadm join of {node.name}")
        bed.must(node, "cat > /root/join.json", stdin=join_configuration(node, options))
        bed.must(node, "kubeadm join --config /root/join.json", timeout=900.0)
    wait_for_kube_proxy(bed)


def wait_for_kube_proxy(bed: Bed, patience: float = 600.0) -> None:
    """Wait until kube-proxy serves on every node; a finished roll-out alone does not say so.

    :raises BedError: a kube-proxy does not answer.
    """
    poll = (
        f"for _ in $(seq {int(patience * 2)}); do "
        "curl -sf -m 2 localhost:10249/proxyMode && exit; sleep 0.5; done; exit 1"
    )
    with ThreadPoolExecutor(len(bed.nodes)) as pool:
        list(pool.map(lambda node: bed.must(node, poll, timeout=patience + 60.0), bed.nodes))


def wait_for_api(bed: Bed, patience: float = 600.0) -> None:
    """Wait until the API server says that it is ready.

    :raises BedError: it does not.
    """
    poll = (
        f"for _ in $(seq {int(patience * 4)}); do "
        "curl -sk -m 2 https://127.0.0.1:6443/readyz | grep -qx ok && exit; sleep 0.25; done; exit 1"
    )
    bed.must(bed.nodes[0], poll, timeout=patience + 60.0)


def wait_for_leases(bed: Bed, since: float, patience: float = 300.0) -> None:
    """Wait until every kubelet reported after ``since`` (seconds since the epoch): what the store says is older.

    :raises BedError: a kubelet does not report.
    """
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    names = " ".join(node.name for node in bed.nodes)
    script = (
        f"export KUBECONFIG={ADMIN}; for node in {names}; do for _ in $(seq {int(patience * 2)}); do "
        "renewed=$(kubectl -n kube-node-lease get lease $node -o jsonpath={.spec.renewTime} 2>/dev/null); "
        f'[[ "$renewed" > "{moment}" ]] && continue 2; sleep 0.5; done; echo "$node: $renewed"; exit 1; done'
    )
    bed.must(bed.nodes[0], script, timeout=patience * len(bed.nodes) + 60.0)


def snapshot_artefact(options: ClusterOptions) -> Artefact:
    """A cluster of this kind, switched off."""

    def make(step: Step) -> None:
        bed = Bed(step.store, f"making-{step.artefact.digest}")
        bed.create(options.nodes)
        try:
            bed.boot_all()
            provision(bed, options)
            for node in reversed(bed.nodes):
                bed.power_off(node)
                (bed.folder / f"{node.name}.cow").rename(step.folder / f"{node.name}.cow")
        except BedError:
            for log in bed.folder.glob("*.log"):
                step.log.open("a").write(f"==== {log.name}\n{log.read_text(errors='replace')}")
            raise
        finally:
            bed.down()

    configuration = kubeadm_configuration(options) + join_configuration(Node(2), options)
    # The copy-on-write files name the disk's place: another cache is another artefact.
    inputs = (configuration, repr(options), str(cache_root()), "1")
    return Artefact("cluster", inputs, (artefacts.disk,), make)


def start(bed: Bed, options: ClusterOptions, mtu: int = 1500, memory: str = "") -> None:
    """Start a cluster of this kind from its snapshot and wait until it serves.

    :raises BedError: a part of it does not come up.
    """
    snapshot = bed.store.path(snapshot_artefact(options))
    bed.create(options.nodes, mtu, memory)
    begin = time.time()
    bed.boot_all(snapshot)
    say(f"nodes answer after {time.time() - begin:.0f} s")
    wait_for_api(bed)
    say(f"the API server is ready after {time.time() - begin:.0f} s")
    wait_for_leases(bed, begin)
    wait_for_kube_proxy(bed)
    say(f"kubelets and kube-proxies answer after {time.time() - begin:.0f} s")
    write_kubeconfig(bed, bed.must(bed.nodes[0], f"cat {ADMIN}"))


def write_kubeconfig(bed: Bed, text: str) -> None:
    """Keep an administrator's kubeconfig, with the gateway's port as its server."""
    file = bed.folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(re.sub(r"server: \S+", f"server: https://127.0.0.1:{bed.state['ports']['api']}", text))
