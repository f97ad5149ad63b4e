# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Calico's settings: whether they go together, and the custom resources that say them.

The resources are those of the operator (``operator.tigera.io/v1``) and of Calico itself (``crd.projectcalico.org/v1``)
as their CustomResourceDefinitions of v3.28 to v3.32 have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import DIGEST
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import (
    Placement,
    override,
    require_placeable,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import merged
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.capacity import CUTS
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import (
    CALICO_NFTABLES,
    version_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.mtu import overhead_of
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import (
    ENDPOINT,
    Range,
    network,
    overlaps,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CALICO_API = "crd.projectcalico.org/v1"
OPERATOR_API = "operator.tigera.io/v1"
ENCAPSULATIONS = ("IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet", "None")
DATAPLANES = ("Iptables", "Nftables", "BPF")
DISABLED_POOLS_SINCE = (3, 31)
POOL_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# What the operator's own image is called among the digests: it is in no ImageSet that the operator would read.
OPERATOR_IMAGE = "operator"
NODE, CONTROLLERS, TYPHA = "calico-node", "calico-kube-controllers", "calico-typha"
# What the names of the settings begin with that are of one workload.
PREFIXES = {NODE: "", CONTROLLERS: "control_plane_", TYPHA: "typha_"}
LARGEST_AS = 2**32 - 1


class CalicoError(NetopsError):
    """Settings that Calico cannot work with."""


@dataclass(frozen=True)
class Pool:
    """An IPPool.

    :param block_size: prefix length of a node's blocks; 0 takes Calico's default of the family.
    :param disabled: whether no new pod gets an address of it; those that have one keep it.
    """

    name: str
    cidr: str
    encapsulation: str = "VXLAN"
    block_size: int = 0
    nat_outgoing: bool = True
    node_selector: str = "all()"
    disabled: bool = False

    @property
    def family(self) -> int:
        return network(f"pool '{self.name}'", self.cidr).version

    @property
    def blocks(self) -> int:
        return self.block_size or CUTS["calico"].lengths[self.family]


@dataclass(frozen=True)
class Calico:
    """What is wanted of Calico.

    :param mode: ``operator`` or ``manifest``.
    :param mtu: of the pods' links, in bytes; 0 lets Calico find out.
    :param api_endpoint: ``HOST:PORT`` of the API server, which pods of the eBPF data plane reach without a Service.
    :param registry: where the nodes get the images, in place of upstream's; empty keeps them.
    :param image_path: the folder of the images in that registry.
    :param installation: further fields of the Installation's spec.
    :param felix: further fields of the default FelixConfiguration's spec.
    :param digests: by the image's name; with the operator by ``FOLDER/NAME``, but its own.
    :param node: where calico-node runs, and what it may use.
    :param control_plane: the same of kube-controllers; in operator mode of what else the operator starts too.
    :param typha: the same of Typha.
    :param typha_replicas: how many of Typha; 0 leaves it to the manifests, or to the operator.
    """

    version: str
    pools: tuple[Pool, ...]
    mode: str = "operator"
    mtu: int = 0
    bgp: bool = False
    linux_dataplane: str = "Iptables"
    api_endpoint: str = ""
    autodetection: str = ""
    wireguard: bool = False
    vxlan_port: int = 4789
    vxlan_vni: int = 4096
    as_number: int = 64512
    node_mesh: bool = True
    bgp_peers: tuple[dict[str, Any], ...] = ()
    registry: str = ""
    image_path: str = ""
    pull_secrets: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    installation: dict[str, Any] = field(default_factory=dict)
    felix: dict[str, Any] = field(default_factory=dict)
    node: Placement = field(default_factory=Placement)
    control_plane: Placement = field(default_factory=Placement)
    typha: Placement = field(default_factory=Placement)
    typha_replicas: int = 0

    @property
    def placements(self) -> dict[str, Placement]:
        """What is said of each workload, by its name."""
        return {NODE: self.node, CONTROLLERS: self.control_plane, TYPHA: self.typha}

    @property
    def families(self) -> list[int]:
        return [family for family in (4, 6) if any(pool.family == family for pool in self.pools)]


def dataplane_for(kube_proxy_mode: str, version: str) -> str:
    """The data plane where nobody says it: that of kube-proxy, as far as the version of Calico has it.

    :param kube_proxy_mode: empty where nobody knows it.
    :raises NetopsError: the version is none.
    """
    has_nftables = version_of("calico_version", version) >= CALICO_NFTABLES
    return "Nftables" if kube_proxy_mode == "nftables" and has_nftables else "Iptables"


def pools_of(cidrs: Sequence[str], asked: Sequence[Mapping[str, Any]], encapsulation: str) -> tuple[Pool, ...]:
    """The pools that are asked for, else one for each pod network under the name that Calico itself gives it.

    :raises CalicoError: a pool lacks its name or network, or has a field that pools do not have.
    """
    if not asked:
        return tuple(
            Pool(f"default-ipv{network('pod network', cidr).version}-ippool", cidr, encapsulation) for cidr in cidrs
        )
    pools: list[Pool] = []
    for number, one in enumerate(asked, start=1):
        given = {key: value for key, value in one.items() if value is not None}
        lacking = [key for key in ("name", "cidr") if key not in given]
        if lacking:
            raise CalicoError(f"pool {one.get('name') or number!r}", f"no {' and no '.join(lacking)}", "name and cidr")
        try:
            pools.append(Pool(**{"encapsulation": encapsulation, **given}))
        except TypeError as error:
            raise CalicoError(
                f"pool {one.get('name') or number!r}", str(error), f"fields {', '.join(Pool.__annotations__)}"
            ) from error
    return tuple(pools)


def widest_pool(calico: Calico) -> Pool:
    """The pool whose packets get most added: the MTU is the same for all pods.

    Each family goes between nodes in packets of its own.
    """
    return max(
        calico.pools,
        key=lambda pool: overhead_of(
            "calico", pool.encapsulation, wireguard=calico.wireguard, underlay_family=pool.family
        ),
    )


# ---- whether the settings go together ------------------------------------------------------------------------------


def require_sound(calico: Calico) -> None:
    """Require settings that Calico works with.

    :raises NetopsError: they contradict each other, or the version lacks them.
    """
    version = version_of("calico_version", calico.version)
    _require_one("mode", calico.mode, ("operator", "manifest"))
    _require_one("linux_dataplane", calico.linux_dataplane, DATAPLANES)
    if calico.linux_dataplane == "Nftables" and version < CALICO_NFTABLES:
        raise CalicoError(
            "linux_dataplane 'Nftables'", f"Calico {calico.version} has none", "3.31 or later", "Choose Iptables"
        )
    if calico.linux_dataplane == "BPF" and not ENDPOINT.fullmatch(calico.api_endpoint):
        raise CalicoError(
            "linux_dataplane 'BPF'",
            f"api_endpoint is {calico.api_endpoint!r}",
            "HOST:PORT of the API server: the eBPF data plane must reach it before it serves any Service",
            "Set api_endpoint to an address that every node reaches",
        )
    for name, value, least, most in (
        ("mtu", calico.mtu, 0, 65535),
        ("vxlan_port", calico.vxlan_port, 1, 65535),
        ("vxlan_vni", calico.vxlan_vni, 1, 2**24 - 1),
        ("as_number", calico.as_number, 1, LARGEST_AS),
    ):
        if not least <= value <= most:
            raise CalicoError(name, str(value), f"a number from {least} to {most}")
    if calico.image_path and not calico.registry:
        raise CalicoError("image_path", repr(calico.image_path), "a registry beside it", "Set registry too")
    for workload, placement in calico.placements.items():
        require_placeable(PREFIXES[workload], placement, CalicoError)
    _require_typha(calico)
    _require_digests(calico)
    _require_pools(calico)
    _require_peers(calico)


def _require_one(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise CalicoError(name, repr(value), f"one of {', '.join(allowed)}")


def _require_typha(calico: Calico) -> None:
    if calico.typha_replicas < 0:
        raise CalicoError("typha_replicas", str(calico.typha_replicas), "a number from 0")
    if calico.typha_replicas and calico.mode == "operator":
        raise CalicoError(
            "typha_replicas",
            f"{calico.typha_replicas} in mode operator",
            "0: the operator has as many of Typha as the number of nodes asks for",
            "Leave it out, or install Calico in mode manifest",
        )


def _require_digests(calico: Calico) -> None:
    for name, digest in calico.digests.items():
        if not DIGEST.fullmatch(str(digest)):
            raise CalicoError(f"digest of image '{name}'", repr(digest), "sha256: and 64 hexadecimal digits")
        if calico.mode == "operator" and name != OPERATOR_IMAGE and "/" not in name:
            raise CalicoError(
                f"digest of image '{name}'",
                "in mode operator the operator finds an image by its folder and name",
                f"{OPERATOR_IMAGE} for its own image, and else FOLDER/NAME",
                f"Say calico/{name}, and give a digest for every image that the operator starts",
            )


def _require_pools(calico: Calico) -> None:
    if not calico.pools:
        raise CalicoError("pools", "there is none", "one pool, or one of each address family", "Name a pod network")
    seen: set[str] = set()
    for pool in calico.pools:
        _require_pool(calico, pool)
        if pool.name in seen:
            raise CalicoError(f"pool '{pool.name}'", "two pools have this name", "a name of its own for each")
        seen.add(pool.name)
    ranges = [Range(f"pool '{pool.name}'", network(f"pool '{pool.name}'", pool.cidr)) for pool in calico.pools]
    for wide, narrow in overlaps(ranges):
        raise CalicoError(str(narrow), f"it overlaps the {wide}", "pools that do not overlap")
    if all(pool.disabled for pool in calico.pools):
        raise CalicoError("pools", "all of them are disabled", "one that gives addresses to new pods")


def _require_pool(calico: Calico, pool: Pool) -> None:
    what = f"pool '{pool.name}'"
    if not isinstance(pool.name, str) or not POOL_NAME.fullmatch(pool.name):
        raise CalicoError(f"pool {pool.name!r}", "it is no name", "lower-case letters, digits, hyphens and dots")
    _require_one(f"encapsulation of {what}", pool.encapsulation, ENCAPSULATIONS)
    cidr = network(what, pool.cidr)
    shortest, longest = CUTS["calico"].allowed[cidr.version]
    if not shortest <= pool.blocks <= longest or pool.blocks < cidr.prefixlen:
        raise CalicoError(
            what,
            f"block_size {pool.blocks} in {cidr}",
            f"/{shortest} to /{longest}, and within the pool",
            "Choose another block size, or a wider pool",
        )
    if cidr.version == 6 and pool.encapsulation.startswith("IPIP"):
        raise CalicoError(what, f"encapsulation {pool.encapsulation} of IPv6", "VXLAN, VXLANCrossSubnet or None")
    if not calico.bgp and pool.encapsulation != "VXLAN":
        raise CalicoError(
            what,
            f"encapsulation {pool.encapsulation} without BGP",
            "VXLAN: without BGP nothing else brings routes to the other nodes",
            "Set bgp, or encapsulation VXLAN",
        )
    if (
        pool.disabled
        and calico.mode == "operator"
        and version_of("calico_version", calico.version) < DISABLED_POOLS_SINCE
    ):
        raise CalicoError(what, f"the operator of Calico {calico.version} cannot disable it", "3.31 or later")


def _require_peers(calico: Calico) -> None:
    if calico.bgp_peers and not calico.bgp:
        raise CalicoError("bgp_peers", "BGP is off", "bgp with peers", "Set bgp, or name no peer")
    if calico.bgp and not calico.node_mesh and not calico.bgp_peers:
        raise CalicoError("node_mesh", "off, and no peer is named", "the mesh, or peers", "Name the route reflectors")
    for peer in calico.bgp_peers:
        name = peer.get("name")
        if not isinstance(name, str) or not POOL_NAME.fullmatch(name) or not isinstance(peer.get("spec"), dict):
            raise CalicoError(f"BGP peer {name!r}", "name or spec is missing", "name, and the spec of a BGPPeer")


# ---- custom resources ----------------------------------------------------------------------------------------------


def installation(calico: Calico) -> dict[str, Any]:
    """What the operator installs."""
    detection = _detection(calico.autodetection)
    can_disable = version_of("calico_version", calico.version) >= DISABLED_POOLS_SINCE
    networking: dict[str, Any] = {
        "bgp": "Enabled" if calico.bgp else "Disabled",
        "linuxDataplane": calico.linux_dataplane,
        "ipPools": [_operator_pool(pool, can_disable=can_disable) for pool in calico.pools],
    }
    for family in calico.families:
        networking[f"nodeAddressAutodetectionV{family}"] = detection
    if calico.mtu:
        networking["mtu"] = calico.mtu
    spec: dict[str, Any] = {"calicoNetwork": networking}
    if calico.registry:
        # The operator appends to it what follows, so it ends in a slash.
        spec["registry"] = f"{calico.registry.rstrip('/')}/"
    if calico.image_path:
        spec["imagePath"] = calico.image_path
    if calico.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in calico.pull_secrets]
    spec |= _placements(calico)
    return {
        "apiVersion": OPERATOR_API,
        "kind": "Installation",
        "metadata": {"name": "default"},
        "spec": merged(spec, calico.installation),
    }


def _placements(calico: Calico) -> dict[str, Any]:
    """Where the operator's pods run and what they may use, in fields that all of its versions have.

    Its componentResources say part of the same, and are deprecated by their own description.
    """
    said = {
        "calicoNodeDaemonSet": override(NODE, calico.node),
        "calicoKubeControllersDeployment": override(CONTROLLERS, Placement(resources=calico.control_plane.resources)),
        "typhaDeployment": override(TYPHA, calico.typha),
        "controlPlaneTolerations": [dict(one) for one in calico.control_plane.tolerations],
        "controlPlaneNodeSelector": dict(calico.control_plane.node_selector),
    }
    return {name: value for name, value in said.items() if value}


def image_sets(calico: Calico) -> list[dict[str, Any]]:
    """The digests of the images that the operator starts, where they are said.

    The operator reads the ImageSet of its variant and version (docs.tigera.io, Install images by registry digest).
    """
    images = [
        {"image": name, "digest": digest} for name, digest in sorted(calico.digests.items()) if name != OPERATOR_IMAGE
    ]
    if not images:
        return []
    metadata = {"name": f"calico-{calico.version}"}
    return [{"apiVersion": OPERATOR_API, "kind": "ImageSet", "metadata": metadata, "spec": {"images": images}}]


def _operator_pool(pool: Pool, *, can_disable: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "name": pool.name,
        "cidr": pool.cidr,
        "blockSize": pool.blocks,
        "encapsulation": pool.encapsulation,
        "natOutgoing": "Enabled" if pool.nat_outgoing else "Disabled",
        "nodeSelector": pool.node_selector,
    }
    # Said in both ways where it can be: one that is enabled again must lose the field that disabled it.
    return {**spec, "disableNewAllocations": pool.disabled} if can_disable else spec


METHODS = {"interface": "interface", "skip-interface": "skipInterface", "can-reach": "canReach", "cidr": "cidrs"}


def _detection(method: str) -> dict[str, Any]:
    """The operator's form of ``calico/node``'s IP_AUTODETECTION_METHOD."""
    if not method:
        return {"firstFound": True}
    if method == "kubernetes-internal-ip":
        return {"kubernetes": "NodeInternalIP"}
    name, _unused, value = method.partition("=")
    if name not in METHODS or not value:
        raise CalicoError(
            f"autodetection {method!r}",
            "it is no way to find a node's address",
            f"kubernetes-internal-ip, or one of {', '.join(f'{one}=…' for one in METHODS)}",
        )
    return {METHODS[name]: value.split(",") if name == "cidr" else value}


def ip_pools(calico: Calico) -> list[dict[str, Any]]:
    """The IPPools themselves, where no operator makes them."""
    return [
        _resource(
            "IPPool",
            pool.name,
            {
                "cidr": pool.cidr,
                "blockSize": pool.blocks,
                "ipipMode": MODES[pool.encapsulation][0],
                "vxlanMode": MODES[pool.encapsulation][1],
                "natOutgoing": pool.nat_outgoing,
                "nodeSelector": pool.node_selector,
                "disabled": pool.disabled,
                "allowedUses": ["Workload", "Tunnel"],
            },
        )
        for pool in calico.pools
    ]


# ipipMode and vxlanMode by what the operator calls the encapsulation.
MODES = {
    "IPIP": ("Always", "Never"),
    "IPIPCrossSubnet": ("CrossSubnet", "Never"),
    "VXLAN": ("Never", "Always"),
    "VXLANCrossSubnet": ("Never", "CrossSubnet"),
    "None": ("Never", "Never"),
}


def configuration(calico: Calico) -> list[dict[str, Any]]:
    """FelixConfiguration, BGPConfiguration and BGPPeers: what the Installation does not say."""
    felix: dict[str, Any] = {"vxlanPort": calico.vxlan_port, "vxlanVNI": calico.vxlan_vni}
    for family, name in ((4, "wireguardEnabled"), (6, "wireguardEnabledV6")):
        if family in calico.families:
            felix[name] = calico.wireguard
    if calico.mode == "manifest":
        felix["bpfEnabled"] = calico.linux_dataplane == "BPF"
        if version_of("calico_version", calico.version) >= CALICO_NFTABLES:
            felix["nftablesMode"] = "Enabled" if calico.linux_dataplane == "Nftables" else "Disabled"
    found = [_resource("FelixConfiguration", "default", merged(felix, calico.felix))]
    if calico.bgp:
        bgp = {"asNumber": calico.as_number, "nodeToNodeMeshEnabled": calico.node_mesh}
        found.append(_resource("BGPConfiguration", "default", bgp))
        found += [_resource("BGPPeer", peer["name"], peer["spec"]) for peer in calico.bgp_peers]
    return found


def endpoint(calico: Calico, namespace: str) -> list[dict[str, Any]]:
    """The address of the API server for pods that cannot use its Service (docs.tigera.io, eBPF data plane)."""
    found = ENDPOINT.fullmatch(calico.api_endpoint)
    if not found:
        return []
    metadata = {"name": "kubernetes-services-endpoint", "namespace": namespace}
    entries = {"KUBERNETES_SERVICE_HOST": found["host"].strip("[]"), "KUBERNETES_SERVICE_PORT": found["port"]}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries}]


def _resource(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": CALICO_API, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def kept(wanted: dict[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The Installation with what the operator has filled into its pools.

    The list of pools is one field to the API server: what the operator adds to a pool makes the whole list its own. It
    names a pool that has no name, too (tigera/operator, pkg/controller/ippool/defaults.go).

    :param wanted: the Installation that would be applied.
    :param live: the one that is there.
    """
    filled = live["spec"].get("calicoNetwork", {}).get("ipPools") or []
    networking = wanted["spec"]["calicoNetwork"]
    pools = [{**_same_pool(pool, filled), **pool} for pool in networking["ipPools"]]
    return {**wanted, "spec": {**wanted["spec"], "calicoNetwork": {**networking, "ipPools": pools}}}


def _same_pool(pool: Mapping[str, Any], live: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    key = "name" if pool.get("name") else "cidr"
    return next((one for one in live if one.get(key) == pool.get(key)), {})


# ---- pools that are there already ----------------------------------------------------------------------------------


def require_kept(wanted: Iterable[Pool], live: Iterable[Mapping[str, Any]]) -> None:
    """Require that no pool that is there would be replaced or forgotten: pods have addresses of it.

    :param live: the cluster's IPPools.
    :raises CalicoError: a pool has another network or block size, or is not named any more.
    """
    by_name = {pool.name: pool for pool in wanted}
    for one in live:
        name, spec = one["metadata"]["name"], one["spec"]
        what = f"IPPool '{name}'"
        pool = by_name.get(name)
        if pool is None:
            raise CalicoError(
                what,
                f"it is there with {spec['cidr']}, and no pool of this name is wanted",
                "every pool that pods have addresses of",
                "Name it too, with disabled: true if no new pod is to get an address of it",
            )
        if network(what, spec["cidr"]) != network(what, pool.cidr):
            raise CalicoError(
                what,
                f"it has {spec['cidr']}, wanted is {pool.cidr}",
                "the network that it was made with",
                "Add a pool of another name with the new network, and disable this one",
            )
        if spec.get("blockSize") and spec["blockSize"] != pool.blocks:
            raise CalicoError(
                what,
                f"its blocks are /{spec['blockSize']}, wanted is /{pool.blocks}",
                "the block size that it was made with",
                "Add a pool of another name with the new size, and disable this one",
            )
