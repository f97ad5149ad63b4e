# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What each CNI makes at the API, by names that are its own: data alone, for whoever has to know one by them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Marks:
    """What a CNI makes at the API, by names that are its own.

    :param agents: names of its DaemonSets.
    :param groups: groups of the API that it adds.
    :param prefix: how the names of its definitions begin, where others define kinds in its groups too.
    :param node_keys: beginnings of annotations on nodes.
    :param taints: of nodes.
    :param finalizers: beginnings of finalizers that its own programs serve.
    :param source: where the names come from.
    """

    agents: re.Pattern[str]
    source: str
    groups: frozenset[str] = frozenset()
    prefix: str = ""
    node_keys: tuple[str, ...] = ()
    taints: frozenset[str] = frozenset()
    finalizers: tuple[str, ...] = ()

    def defines(self, definition: str) -> bool:
        """Whether a CustomResourceDefinition of this name is its own."""
        return definition.partition(".")[2] in self.groups and definition.startswith(self.prefix)


MARKS = {
    "flannel": Marks(
        agents=re.compile(r"kube-flannel(-ds)?(-[a-z0-9]+)?"),
        node_keys=("flannel.alpha.coreos.com/",),
        source="github.com/flannel-io/flannel, Documentation/kube-flannel.yml and pkg/subnet/kube",
    ),
    "calico": Marks(
        agents=re.compile(r"calico-node"),
        groups=frozenset(
            {"crd.projectcalico.org", "projectcalico.org", "operator.tigera.io", "policy.projectcalico.org"}
        ),
        node_keys=("projectcalico.org/",),
        finalizers=("tigera.io/", "operator.tigera.io/", "projectcalico.org/"),
        source="github.com/projectcalico/calico, manifests, and libcalico-go/lib/backend/k8s/resources",
    ),
    "cilium": Marks(
        agents=re.compile(r"cilium"),
        groups=frozenset({"cilium.io"}),
        # Tetragon's tracingpolicies are in this group (github.com/cilium/tetragon).
        prefix="cilium",
        node_keys=("network.cilium.io/", "io.cilium.network."),
        taints=frozenset({"node.cilium.io/agent-not-ready"}),
        finalizers=("cilium.io/",),
        source="github.com/cilium/cilium, install/kubernetes/cilium and pkg/annotation",
    ),
    "weave": Marks(agents=re.compile(r"weave-net"), source="github.com/weaveworks/weave, weave-daemonset-k8s.yaml"),
    "antrea": Marks(
        agents=re.compile(r"antrea-agent"), groups=frozenset({"crd.antrea.io"}), source="github.com/antrea-io/antrea"
    ),
    "canal": Marks(agents=re.compile(r"(rke2-)?canal"), source="github.com/projectcalico/calico, manifests/canal.yaml"),
    "kube-router": Marks(agents=re.compile(r"kube-router"), source="github.com/cloudnativelabs/kube-router"),
    "kindnet": Marks(agents=re.compile(r"kindnet"), source="github.com/kubernetes-sigs/kind"),
    "kube-ovn": Marks(
        agents=re.compile(r"kube-ovn-cni"), groups=frozenset({"kubeovn.io"}), source="github.com/kubeovn/kube-ovn"
    ),
    "ovn-kubernetes": Marks(
        agents=re.compile(r"ovnkube-node.*"),
        groups=frozenset({"k8s.ovn.org"}),
        source="github.com/ovn-org/ovn-kubernetes",
    ),
    "multus": Marks(
        agents=re.compile(r"(kube-)?multus(-ds)?.*"),
        groups=frozenset({"k8s.cni.cncf.io"}),
        source="github.com/k8snetworkplumbingwg/multus-cni, deployments",
    ),
    "amazon-vpc": Marks(agents=re.compile(r"aws-node"), source="github.com/aws/amazon-vpc-cni-k8s"),
    "azure": Marks(
        agents=re.compile(r"azure-(cni|cns|ip-masq-agent)"), source="github.com/Azure/azure-container-networking"
    ),
    "gke": Marks(agents=re.compile(r"(netd|anetd)"), source="cloud.google.com, Dataplane V2 and netd"),
}
# What calls the others, and runs beside the one that the cluster has (k8snetworkplumbingwg/multus-cni).
META = frozenset({"multus"})
# Canal is Flannel's network with Calico's policies, and leaves what both do.
PARTS = {"canal": {"calico", "flannel"}}
