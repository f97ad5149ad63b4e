# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What module ``node_local_dns`` does: read what decides about the cache, bring its objects, and say who asks it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import probes
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.node_local import (
    NAME,
    NAMESPACE,
    OWNER,
    NodeLocal,
    NodeLocalError,
    objects,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import Place
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import Question
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import converge
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import result_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import inventory_ref
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    MANAGER,
    ObjectRef,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import dissolve
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone, wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

DNS = ObjectRef("v1", "Service", "kube-dns", NAMESPACE)
COREFILE = Place(ObjectRef("v1", "ConfigMap", "coredns", NAMESPACE), "Corefile")
PROGRAM = "k8s-dns-node-cache"


def node_local_dns(
    asked: Mapping[str, Any], render: Callable[[Any], str], *, check: bool, diff: bool
) -> dict[str, Any]:
    """Bring the cache, or take it away.

    :param render: makes readable text of an object, for the diff.
    :raises NetopsError: it would not work here, does not come up, or somebody still depends on it.
    """
    client = connect(asked)
    is_wanted = asked["state"] == "present"
    pods = _pods(client)
    if not is_wanted and not pods and client.get(inventory_ref(OWNER)) is None:
        return _told(client, None, {}, [], render, diff=diff)
    wish = read_wish(client, asked)
    kubelets = read_kubelets(client)
    timeout = float(asked["wait_timeout"])
    if is_wanted:
        _require_no_other(client)
        wanted = objects(wish)
        changes = converge(client, wanted, owner=OWNER, prune=True, force=False, check=check, timeout=timeout)
        if not check:
            wait_ready(client, wanted, timeout)
    else:
        _require_nobody_left(wish, kubelets)
        changes = dissolve(client, owner=OWNER, check=check, timeout=timeout)
        if not check:
            # They take away their rules and their link when they end.
            wait_gone(client, map(ref_of, pods), time.monotonic() + timeout)
    told = _told(client, wish, kubelets if is_wanted else {}, changes, render, diff=diff)
    return {**told, "questions": [{"name": one.name, "type": one.type} for one in _questions(wish, asked["names"])]}


def _questions(wish: NodeLocal, names: Sequence[str]) -> list[Question]:
    """What proves the cache: the API's Service, and names that people want to resolve."""
    kind = "AAAA" if ":" in wish.address else "A"
    return [Question(f"kubernetes.default.svc.{wish.domain}", kind), *probes.about(names, ())]


def _told(
    client: KubeClient,
    wish: Optional[NodeLocal],
    kubelets: Mapping[str, Optional[Sequence[str]]],
    changes: Sequence[Change],
    render: Callable[[Any], str],
    *,
    diff: bool,
) -> dict[str, Any]:
    """The module's result."""
    done = result_of(client, changes, render, diff=diff)
    advice = advice_on(wish, kubelets) if wish else ""
    return {
        **done,
        "mode": wish.mode if wish else "",
        "servers": list(wish.listening) if wish else [],
        "taken": list(wish.taken) if wish else [],
        "bypass": list(wish.taken) if wish and done["changed"] else [],
        "questions": [],
        "kubelets": [{"node": node, "cluster_dns": list(named or ())} for node, named in sorted(kubelets.items())],
        "advice": advice,
        **({"warnings": [advice]} if advice else {}),
    }


# ---- what decides ----------------------------------------------------------------------------------------------------


def read_wish(client: KubeClient, asked: Mapping[str, Any]) -> NodeLocal:
    """What is wanted, on this cluster.

    :raises NetopsError: it has no DNS Service.
    """
    dns = client.get(DNS)
    if dns is None or not dns["spec"].get("selector"):
        raise NodeLocalError(str(DNS), "it is not there, or selects no pods", "the Service before CoreDNS")
    _live, text = COREFILE.read(client)
    return NodeLocal(
        mode=_mode(client),
        dns_address=str(dns["spec"]["clusterIP"]),
        selector=dns["spec"]["selector"],
        domain=probes.cluster_domain(text),
        address=asked["address"],
        outside=asked["outside"],
        image=asked["image"],
    )


def _mode(client: KubeClient) -> str:
    """kube-proxy's mode; empty where it is not there."""
    import yaml

    live = client.get(CONFIG_MAP)
    if live is None:
        return ""
    configuration = yaml.safe_load((live.get("data") or {}).get(KEY) or "{}") or {}
    # kube-proxy's own default on Linux.
    return str(configuration.get("mode") or "iptables")


def read_kubelets(client: KubeClient) -> dict[str, Optional[tuple[str, ...]]]:
    """What each node's kubelet tells its pods to ask; nothing where it cannot be asked itself."""
    names = [node["metadata"]["name"] for node in client.list("v1", "Node")]
    return dict(zip(names, each(names, partial(_cluster_dns, client))))


def _cluster_dns(client: KubeClient, node: str) -> Optional[tuple[str, ...]]:
    try:
        said = client.raw("GET", f"/api/v1/nodes/{node}/proxy/configz")
        return tuple(said["kubeletconfig"].get("clusterDNS") or ())
    except (KubeError, TypeError, KeyError):
        # It is down, or the caller may not ask it.
        return None


def _pods(client: KubeClient) -> list[Object]:
    return list(client.list("v1", "Pod", NAMESPACE, f"k8s-app={NAME}"))


# ---- what must hold --------------------------------------------------------------------------------------------------


def advice_on(wish: NodeLocal, kubelets: Mapping[str, Optional[Sequence[str]]]) -> str:
    """What people must do before pods ask the cache; empty when they do so already.

    :param kubelets: what each tells its pods to ask, by node.
    """
    if wish.taken:
        return ""
    others = sorted(node for node, named in kubelets.items() if named is None or wish.address not in named)
    if not others:
        return ""
    return (
        f"In mode {wish.mode} kube-proxy keeps {wish.dns_address}, so the cache gets no question from pods of "
        f"{listed(others)}. Set clusterDNS to {wish.address} in /var/lib/kubelet/config.yaml there, and in ConfigMap "
        "kube-system/kubelet-config for nodes to come, restart the kubelets, then the pods"
    )


def _require_nobody_left(wish: NodeLocal, kubelets: Mapping[str, Optional[Sequence[str]]]) -> None:
    naming = sorted(node for node, named in kubelets.items() if wish.address in (named or ()))
    if naming:
        raise NodeLocalError(
            f"kubelet's clusterDNS on {listed(naming)}",
            f"it is {wish.address}; without the cache nobody would answer its pods",
            wish.dns_address,
            "Set it in /var/lib/kubelet/config.yaml and in ConfigMap kube-system/kubelet-config, restart the kubelets, "
            "then the pods, and run this again",
        )


def _require_no_other(client: KubeClient) -> None:
    for live in client.list("apps/v1", "DaemonSet"):
        images = [one["image"] for one in live["spec"]["template"]["spec"]["containers"]]
        is_ours = (live["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER
        if not is_ours and any(PROGRAM in image for image in images):
            raise NodeLocalError(
                str(ref_of(live)),
                "a NodeLocal DNSCache of somebody else runs, and both want the nodes' port 53",
                "one of the two",
                "Remove it by what installed it",
            )
