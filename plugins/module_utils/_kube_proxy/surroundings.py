# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What surrounds kube-proxy: who else serves or announces Services on the cluster, and what a node offers."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.seen import replaces_kube_proxy
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.preflight import (
    ClusterFacts,
    NodeFacts,
    PreflightError,
    Wish,
    judge,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import Cluster
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, kernel
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

CILIUM = ObjectRef("v1", "ConfigMap", "cilium-config", "kube-system")
DNS = ObjectRef("v1", "Service", "kube-dns", "kube-system")
FELIX = ("crd.projectcalico.org/v1", "FelixConfiguration", "default")
# The first minor version of Calico 3 that uses nftables by itself where kube-proxy does.
CALICO_FOLLOWS = 32
KUBELET_CONFIGURATION = "/var/lib/kubelet/config.yaml"
FIREWALLD_CONFIGURATION = "/etc/firewalld/firewalld.conf"
STRICT = re.compile(r"^\s*StrictForwardPorts\s*=\s*yes\s*$", re.MULTILINE | re.IGNORECASE)
# MetalLB answers ARP for what such an object names; before it had these, its layer 2 was told nowhere so clearly.
LAYER_2 = ("metallb.io/v1beta1", "L2Advertisement")
MODULE_NAMES = re.compile(r"ip_vs(_[a-z]+)?|nf_conntrack|nf_tables")


def require(client: KubeClient, asked: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Require that nothing stands in the way of a mode.

    :param asked: the options of the module ``kube_proxy_preflight``.
    :returns: kube-proxy's version, and what is to be said besides.
    :raises PreflightError: something does; the text names all of it.
    """
    version = Cluster(client).version
    wish = Wish(
        asked["mode"],
        asked["scheduler"],
        asked["strict_arp"],
        asked["metrics_bind_address"],
        asked["healthz_bind_address"],
    )
    nodes = {told["name"]: read_node(told) for told in asked["nodes"]}
    troubles, notices = judge(wish, cluster_facts(client, version), nodes)
    if len(troubles) == 1:
        raise troubles[0]
    if troubles:
        said = " ".join(f"({number}) {trouble}" for number, trouble in enumerate(troubles, start=1))
        raise PreflightError(f"mode {asked['mode']}", f"{len(troubles)} things stand in its way. {said}")
    return version, notices


# ---- the cluster ----------------------------------------------------------------------------------------------------


def cluster_facts(client: KubeClient, version: str) -> ClusterFacts:
    """What the API says of kube-proxy's surroundings.

    :param version: kube-proxy's.
    """
    containers = tuple(_containers(client))
    images = {str(one["image"]) for one in containers}
    calico = _calico(images)
    spec = _felix(client, images)
    dns = client.get(DNS)
    return ClusterFacts(
        version=version,
        replacement=_replacement(client, images, spec),
        announcers=tuple(_announcers(client, containers)),
        calico_nftables=str(spec.get("nftablesMode") or default_nftables(calico)) if calico else None,
        has_node_local_dns=any("k8s-dns-node-cache" in image for image in images),
        dns_address=str(dns["spec"].get("clusterIP") or "") if dns else "",
    )


def default_nftables(image: str) -> str:
    """What an absent ``nftablesMode`` means, by the tag of Calico's image.

    The field's own description in Calico's definitions: Disabled up to 3.31, Auto from 3.32 on. A tag that tells
    nothing counts as Auto: nothing is refused that may work.
    """
    found = re.search(r":v3\.(\d+)\.", image)
    return "Disabled" if found and int(found[1]) < CALICO_FOLLOWS else "Auto"


def replacement(client: KubeClient) -> str:
    """Who serves Services instead of kube-proxy; empty when nobody does."""
    images = {str(one["image"]) for one in _containers(client)}
    return _replacement(client, images, _felix(client, images))


def _calico(images: Iterable[str]) -> str:
    return next((image for image in images if "calico/node" in image), "")


def _felix(client: KubeClient, images: Iterable[str]) -> Object:
    """What Calico's default FelixConfiguration says; empty without Calico."""
    live = client.get(ObjectRef(*FELIX)) if _calico(images) else None
    spec: Object = (live or {}).get("spec") or {}
    return spec


def _containers(client: KubeClient) -> Iterator[Mapping[str, Any]]:
    """Containers of what runs on nodes as such: DaemonSets, and kube-vip as a static pod of ``kube-system``."""
    for one in client.list("apps/v1", "DaemonSet"):
        yield from one["spec"]["template"]["spec"]["containers"]
    # kube-vip is a static pod where it carries the control plane's address.
    for one in client.list("v1", "Pod", "kube-system"):
        if "kube-vip" in one["metadata"]["name"]:
            yield from one["spec"]["containers"]


def _announcers(client: KubeClient, containers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Who answers ARP for Services' addresses; with BGP nobody does.

    kube-vip's settings: ``vip_arp`` and ``svc_enable`` (kube-vip.io/docs/installation/flags).
    """
    containers = tuple(containers)
    if any("metallb/speaker" in one["image"] for one in containers) and (
        not client.serves(*LAYER_2) or any(True for _one in client.list(*LAYER_2))
    ):
        yield "MetalLB"
    for one in containers:
        settings = {item["name"]: str(item.get("value") or "") for item in one.get("env") or []}
        if "kube-vip/kube-vip" in one["image"] and settings.get("vip_arp") == settings.get("svc_enable") == "true":
            yield "kube-vip"
            return


def _replacement(client: KubeClient, images: Iterable[str], felix: Mapping[str, Any]) -> str:
    if any("cilium/cilium" in image for image in images) and replaces_kube_proxy(client.get(CILIUM) or {}):
        return "Cilium (kube-proxy-replacement)"
    return "Calico (bpfEnabled)" if felix.get("bpfEnabled") else ""


# ---- a node ---------------------------------------------------------------------------------------------------------


def node_facts(name: str) -> dict[str, Any]:
    """What this node offers, in a form that travels; :func:`read_node` makes facts of it.

    :param name: how the node is called in messages.
    """
    return {
        "name": name,
        "kernel": platform.release(),
        "modules": modules(),
        "nft": _nft_version(),
        "kubelet_configuration": files.read(KUBELET_CONFIGURATION) or "",
        "strict_forward_ports": STRICT.search(files.read(FIREWALLD_CONFIGURATION) or "") is not None,
    }


def read_node(told: Mapping[str, Any]) -> NodeFacts:
    """The facts of a node, from what :func:`node_facts` told there."""
    import yaml

    kubelet = yaml.safe_load(told["kubelet_configuration"] or "{}") or {}
    return NodeFacts(
        kernel=told["kernel"],
        modules=told["modules"],
        nft=told["nft"],
        cluster_dns=tuple(kubelet.get("clusterDNS") or ()),
        strict_forward_ports=told["strict_forward_ports"],
    )


def modules() -> dict[str, str]:
    """What kube-proxy may need of this kernel: ``loadable``, ``built-in`` or ``loaded`` by a module's name."""
    listed = files.read(f"/lib/modules/{platform.release()}/modules.dep") or ""
    names = (Path(line.split(":")[0]).name.split(".")[0] for line in listed.splitlines() if line)
    found = {name: "loadable" for name in names if MODULE_NAMES.fullmatch(name)}
    found.update((name, "built-in") for name in kernel.built_in() if MODULE_NAMES.fullmatch(name))
    loaded = Path("/sys/module")
    if loaded.is_dir():
        found.update((one.name, "loaded") for one in loaded.iterdir() if MODULE_NAMES.fullmatch(one.name))
    if "nf_tables" not in found and exists("nft") and run(["nft", "list", "tables"]).returncode == 0:
        # A kernel without a list of what is built in; it answers, so it has it.
        found["nf_tables"] = "built-in"
    return found


def _nft_version() -> str:
    said = run(["nft", "--version"]).stdout if exists("nft") else ""
    found = re.search(r"v(\d+[\d.]*)", said)
    return found[1] if found else ""
