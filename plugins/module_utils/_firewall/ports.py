# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which ports the parts of a Kubernetes node listen on, and who has to reach them.

Each row names its source: files of the program, each as ``REPOSITORY@VERSION PATH: WHAT``, the version a tag or a
commit; RFCs; manual pages. ``tests/long/test_port_sources.py`` looks the numbers up there.

Only what a node itself receives is here. Ports of pods in the pod network (CoreDNS, Hubble Relay, the API server of a
Cilium cluster mesh) are forwarded, which the back-ends never judge; so are connections that exist, and loopback.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PortRow:
    """One row of the matrix.

    :param id: by which users change it.
    :param component: who listens.
    :param protocol: ``tcp``, ``udp`` or ``sctp``; ``icmp`` or ``icmpv6``; or an IP protocol of ``IP_PROTOCOLS``, which
        has no ports.
    :param port: a number, or ``low-high``; ``nodeport`` stands for the cluster's range, ``ssh`` for the SSH port. For
        ICMP the types, comma-separated, as nft(8) names them.
    :param nodes: on which nodes: ``all``, ``control_plane`` or ``etcd``.
    :param peers: the sets that may connect.
    :param source: where this is from.
    :param when: which CNI must be there, and with which encapsulations: ``calico``, ``flannel/vxlan``,
        ``calico/ipip|ipip-crosssubnet``; empty for always.
    :param add_on: what else must be there, one of ``ADD_ONS``; empty for nothing.
    :param need: ``required``: a plan is refused when all of its peer sets are empty; ``optional``: it is left out then;
        ``local``: only the node itself asks there, so it is never opened, and has no peers.
    """

    id: str
    component: str
    protocol: str
    port: str
    nodes: str
    peers: tuple[str, ...]
    source: str
    when: str = ""
    add_on: str = ""
    need: str = "required"


# Numbers of IP protocols without ports, as the IANA registry "Protocol Numbers" has them.
IP_PROTOCOLS = {"ipip": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "vrrp": 112}

# What each CNI whose ports are known can carry packets between nodes with; nothing where it chooses by itself.
ENCAPSULATIONS: dict[str, tuple[str, ...]] = {
    "flannel": ("vxlan", "host-gw", "udp", "wireguard", "ipip", "ipsec"),
    "canal": ("vxlan", "host-gw"),
    "calico": ("vxlan", "vxlan-crosssubnet", "ipip", "ipip-crosssubnet", "none"),
    "cilium": ("vxlan", "geneve", "native"),
    "kube-router": ("ipip", "fou", "none"),
    "antrea": ("geneve", "vxlan", "gre", "stt", "none"),
    "weave": (),
}

# What else a cluster may have, and what it is.
ADD_ONS = {
    "bgp": "BGP sessions with routers, where the CNI does not need BGP itself",
    "calico-ebpf": "Calico's eBPF data plane",
    "cilium-metrics": "metrics of Cilium's agent, operator and Envoy",
    "cloud-controller-manager": "a cloud provider's controller manager",
    "coredns-host": "CoreDNS in the nodes' own network (hostNetwork)",
    "dsr-geneve": "Cilium's direct server return, dispatched with Geneve",
    "etcd-datastore": "Calico's datastore, or Cilium's key-value store, in the cluster's etcd",
    "felix-metrics": "metrics of Calico's Felix",
    "hubble": "Cilium's Hubble server and relay",
    "hubble-metrics": "metrics of Cilium's Hubble",
    "ingress": "an ingress controller on ports of the nodes",
    "ingress-http3": "HTTP/3 of that ingress controller",
    "ipsec": "encryption between nodes with IPsec, for a CNI that can",
    "keepalived": "virtual addresses by VRRP",
    "konnectivity": "the Konnectivity server beside the API server",
    "metallb": "MetalLB's speakers",
    "mutual-auth": "Cilium's mutual authentication",
    "node-exporter": "Prometheus node exporter",
    "nodelocaldns": "NodeLocal DNSCache",
    "sctp": "Services with SCTP ports",
    "typha": "Calico's Typha",
    "typha-metrics": "metrics of Calico's Typha",
    "wireguard": "encryption between nodes with WireGuard, for a CNI that can",
}

# DNAT comes before the input hook, so these also look at the port that the client asked for.
NODEPORT_RULES = ("nodeport-tcp", "nodeport-udp", "nodeport-sctp")

# A row by the row that it stands in for when it applies: the same port, for more peers.
REPLACES = {
    "etcd-client-nodes": "etcd-client",
    # On the control plane, say, with NodeLocal DNSCache on all nodes.
    "nodelocaldns-udp": "coredns-udp",
    "nodelocaldns-tcp": "coredns-tcp",
    # Of a Calico with pools of several encapsulations.
    "calico-bgp": "calico-vxlan-bgp",
    "calico-vxlan": "calico-ebpf-vxlan",
}

K8S = "k8s.io/kubernetes@v1.36.3"
K = "kubernetes/website@31a8f95 content/en/docs/reference/networking/ports-and-protocols.md"
PORTS = f"{K8S} pkg/cluster/ports/ports.go"
KUBEADM = f"{K8S} cmd/kubeadm/app/constants/constants.go"
NODE_PORT = f"{K8S} pkg/apis/core/validation/validation.go: supportedPortProtocols"
COREDNS = f"{K8S} cluster/addons/dns/coredns/coredns.yaml.base: containerPort"
NODE_LOCAL = f"{K8S} cluster/addons/dns/nodelocaldns/nodelocaldns.yaml"
KUBESPRAY = "kubernetes-sigs/kubespray@73b3e9b roles/kubespray_defaults/defaults/main/main.yml"
KONNECTIVITY = "kubernetes/website@4d9111a content/en/examples/admin/konnectivity/konnectivity-server.yaml"
INGRESS = "kubernetes/ingress-nginx@017fcde deploy/static/provider/baremetal/deploy.yaml: containerPort"
METALLB = "metallb/metallb@v0.16.2 speaker/main.go: HTTPS metrics listening port"
METALLB_BEFORE = "metallb/metallb@v0.15.2 speaker/main.go: HTTP listening port"
METALLB_LAYER2 = "metallb/metallb@v0.16.2 website/content/_index.md: Requirements"
NODE_EXPORTER = "prometheus/node_exporter@v1.12.1 node_exporter.go: kingpinflag.AddFlags"
FLANNEL = "flannel-io/flannel@v0.28.9 Documentation/backends.md"
CANAL = "projectcalico/calico@v3.28.5 manifests/canal.yaml: canal-config"
FELIX = "projectcalico/calico@v3.28.5 felix/config/config_params.go"
TYPHA = "projectcalico/calico@v3.28.5 typha/pkg/config/config_params.go"
CALICO_EBPF = "projectcalico/calico@v3.28.5 felix/bpf-gpl/nat4.h: VXLAN_PORT"
CILIUM_DOCUMENTS = "cilium/cilium@v1.20.2 Documentation"
CILIUM = f"{CILIUM_DOCUMENTS}/operations/system_requirements.rst: Firewall Rules"
CILIUM_VALUES = "cilium/cilium@v1.20.2 install/kubernetes/cilium/values.yaml"
KUBE_ROUTER = "cloudnativelabs/kube-router@v2.1.0 pkg/options/options.go"
TUNNELS = "cloudnativelabs/kube-router@v2.1.0 pkg/controllers/routing/network_routes_controller.go: setupOverlayTunnel"
ANTREA = "antrea-io/antrea@011f602 docs/network-requirements.md"
WEAVE = "weaveworks/weave@10333b0 site/faq.md: Which ports does Weave Net use"


MATRIX = (
    # What every node needs; nobody may lock himself out.
    PortRow("ssh", "sshd", "tcp", "ssh", "all", ("admins",), "sshd_config(5): Port"),
    PortRow("dhcp4-client", "DHCP client", "udp", "68", "all", ("anywhere",), "RFC 2131 section 4.1"),
    PortRow("dhcp6-client", "DHCPv6 client", "udp", "546", "all", ("anywhere",), "RFC 8415 section 7.2"),
    # Path MTU discovery lives on these; without it overlays lose large packets only.
    PortRow(
        "icmp-errors",
        "kernel",
        "icmp",
        "destination-unreachable,time-exceeded,parameter-problem",
        "all",
        ("anywhere",),
        "RFC 792; RFC 1191 section 3",
    ),
    PortRow("icmp-echo", "kernel", "icmp", "echo-request", "all", ("all_nodes",), CILIUM),
    PortRow(
        "icmpv6-errors",
        "kernel",
        "icmpv6",
        "destination-unreachable,packet-too-big,time-exceeded,parameter-problem",
        "all",
        ("anywhere",),
        "RFC 4890 section 4.4.1",
    ),
    PortRow(
        "icmpv6-nd",
        "kernel",
        "icmpv6",
        "nd-router-solicit,nd-router-advert,nd-neighbor-solicit,nd-neighbor-advert,mld-listener-query",
        "all",
        ("anywhere",),
        "RFC 4890 section 4.4.1",
    ),
    PortRow("icmpv6-echo", "kernel", "icmpv6", "echo-request", "all", ("all_nodes",), "RFC 4890 section 4.4.1"),
    # Kubernetes
    PortRow(
        "kube-apiserver",
        "kube-apiserver",
        "tcp",
        "6443",
        "control_plane",
        ("all_nodes", "admins", "pods", "load_balancers"),
        f"{K}; {KUBEADM}: KubeAPIServerPort",
    ),
    PortRow(
        "etcd-client", "etcd", "tcp", "2379", "etcd", ("control_plane", "etcd"), f"{K}; {KUBEADM}: EtcdListenClientPort"
    ),
    PortRow(
        "etcd-client-nodes",
        "etcd",
        "tcp",
        "2379",
        "etcd",
        ("all_nodes",),
        f"{FELIX}: EtcdEndpoints; {CILIUM}",
        add_on="etcd-datastore",
    ),
    PortRow("etcd-peer", "etcd", "tcp", "2380", "etcd", ("etcd",), f"{K}; {KUBEADM}: EtcdListenPeerPort"),
    PortRow("etcd-metrics", "etcd", "tcp", "2381", "etcd", (), f"{KUBEADM}: EtcdMetricsPort", need="local"),
    # K names the control plane. Pods such as metrics-server (cluster/addons/metrics-server/resource-reader.yaml) read
    # every kubelet; others than their own node's masqueraded as their node (flannel
    # pkg/trafficmngr/iptables/iptables.go: flanneld masq).
    PortRow(
        "kubelet", "kubelet", "tcp", "10250", "all", ("all_nodes", "pods", "monitoring"), f"{K}; {PORTS}: KubeletPort"
    ),
    # Off by default; without authentication, so it is not to be opened although it binds the node's address.
    PortRow("kubelet-readonly", "kubelet", "tcp", "10255", "all", (), f"{PORTS}: KubeletReadOnlyPort", need="local"),
    PortRow("kubelet-health", "kubelet", "tcp", "10248", "all", (), f"{PORTS}: KubeletHealthzPort", need="local"),
    # kubeadm binds these two to loopback (cmd/kubeadm/app/phases/controlplane/manifests.go: bind-address); K: used by
    # themselves only. So they matter to monitoring, once somebody lets them listen elsewhere.
    PortRow(
        "kube-controller-manager",
        "kube-controller-manager",
        "tcp",
        "10257",
        "control_plane",
        ("monitoring",),
        f"{K}; {PORTS}: KubeControllerManagerPort",
        need="optional",
    ),
    PortRow(
        "kube-scheduler",
        "kube-scheduler",
        "tcp",
        "10259",
        "control_plane",
        ("monitoring",),
        f"{K}; {KUBEADM}: KubeSchedulerPort",
        need="optional",
    ),
    PortRow(
        "cloud-controller-manager",
        "cloud-controller-manager",
        "tcp",
        "10258",
        "control_plane",
        ("monitoring",),
        f"{PORTS}: CloudControllerManagerPort",
        add_on="cloud-controller-manager",
        need="optional",
    ),
    PortRow(
        "kube-proxy-health",
        "kube-proxy",
        "tcp",
        "10256",
        "all",
        ("all_nodes", "load_balancers"),
        f"{K}; {PORTS}: ProxyHealthzPort",
    ),
    # Loopback by default.
    PortRow(
        "kube-proxy-metrics",
        "kube-proxy",
        "tcp",
        "10249",
        "all",
        ("monitoring",),
        f"{PORTS}: ProxyStatusPort",
        need="optional",
    ),
    PortRow("nodeport-tcp", "Services of type NodePort", "tcp", "nodeport", "all", ("anywhere",), f"{K}; {NODE_PORT}"),
    PortRow("nodeport-udp", "Services of type NodePort", "udp", "nodeport", "all", ("anywhere",), NODE_PORT),
    PortRow(
        "nodeport-sctp", "Services of type NodePort", "sctp", "nodeport", "all", ("anywhere",), NODE_PORT, add_on="sctp"
    ),
    # The program's own default is 8091 (cmd/server/app/options/options.go: AgentPort); what installs it sets 8132, also
    # k8s.io/kubernetes cluster/gce/addons/konnectivity-agent.
    PortRow(
        "konnectivity",
        "konnectivity-server",
        "tcp",
        "8132",
        "control_plane",
        ("all_nodes", "pods"),
        f"{KONNECTIVITY}: agent-port",
        add_on="konnectivity",
    ),
    PortRow(
        "konnectivity-local",
        "konnectivity-server",
        "tcp",
        "8133-8134",
        "control_plane",
        (),
        f"{KONNECTIVITY}: admin-port, health-port",
        add_on="konnectivity",
        need="local",
    ),
    # DNS, load balancers, ingress, monitoring
    PortRow("coredns-udp", "CoreDNS", "udp", "53", "all", ("pods", "all_nodes"), COREDNS, add_on="coredns-host"),
    PortRow("coredns-tcp", "CoreDNS", "tcp", "53", "all", ("pods", "all_nodes"), COREDNS, add_on="coredns-host"),
    PortRow(
        "coredns-metrics",
        "CoreDNS",
        "tcp",
        "9153",
        "all",
        ("monitoring",),
        COREDNS,
        add_on="coredns-host",
        need="optional",
    ),
    PortRow(
        "nodelocaldns-udp",
        "NodeLocal DNSCache",
        "udp",
        "53",
        "all",
        ("pods", "all_nodes"),
        NODE_LOCAL,
        add_on="nodelocaldns",
    ),
    PortRow(
        "nodelocaldns-tcp",
        "NodeLocal DNSCache",
        "tcp",
        "53",
        "all",
        ("pods", "all_nodes"),
        NODE_LOCAL,
        add_on="nodelocaldns",
    ),
    PortRow(
        "nodelocaldns-metrics",
        "NodeLocal DNSCache",
        "tcp",
        "9253",
        "all",
        ("monitoring",),
        NODE_LOCAL,
        add_on="nodelocaldns",
        need="optional",
    ),
    PortRow(
        "nodelocaldns-setup-metrics",
        "NodeLocal DNSCache",
        "tcp",
        "9353",
        "all",
        ("monitoring",),
        "kubernetes/dns@8feb1aa cmd/node-cache/main.go: metrics-listen-address",
        add_on="nodelocaldns",
        need="optional",
    ),
    # These bind the cache's own link-local address.
    PortRow(
        "nodelocaldns-health",
        "NodeLocal DNSCache",
        "tcp",
        "8080",
        "all",
        (),
        NODE_LOCAL,
        add_on="nodelocaldns",
        need="local",
    ),
    PortRow(
        "nodelocaldns-health-kubespray",
        "NodeLocal DNSCache",
        "tcp",
        "9254",
        "all",
        (),
        f"{KUBESPRAY}: nodelocaldns_health_port",
        add_on="nodelocaldns",
        need="local",
    ),
    PortRow(
        "nodelocaldns-health-kubespray-second",
        "NodeLocal DNSCache",
        "tcp",
        "9256",
        "all",
        (),
        f"{KUBESPRAY}: nodelocaldns_second_health_port",
        add_on="nodelocaldns",
        need="local",
    ),
    PortRow(
        "keepalived-vrrp",
        "keepalived",
        "vrrp",
        "",
        "all",
        ("all_nodes", "load_balancers"),
        "acassen/keepalived@00c2aa0 keepalived/include/vrrp.h: IPPROTO_VRRP",
        add_on="keepalived",
    ),
    PortRow(
        "metallb-memberlist-tcp",
        "MetalLB speaker",
        "tcp",
        "7946",
        "all",
        ("all_nodes",),
        METALLB_LAYER2,
        add_on="metallb",
    ),
    PortRow(
        "metallb-memberlist-udp",
        "MetalLB speaker",
        "udp",
        "7946",
        "all",
        ("all_nodes",),
        METALLB_LAYER2,
        add_on="metallb",
    ),
    PortRow(
        "metallb-metrics",
        "MetalLB speaker",
        "tcp",
        "9120",
        "all",
        ("monitoring",),
        METALLB,
        add_on="metallb",
        need="optional",
    ),
    # Before 0.16, so what kubespray installs.
    PortRow(
        "metallb-metrics-http",
        "MetalLB speaker",
        "tcp",
        "7472",
        "all",
        ("monitoring",),
        METALLB_BEFORE,
        add_on="metallb",
        need="optional",
    ),
    PortRow(
        "ingress-http",
        "ingress controller",
        "tcp",
        "80",
        "all",
        ("anywhere", "load_balancers"),
        INGRESS,
        add_on="ingress",
    ),
    PortRow(
        "ingress-https",
        "ingress controller",
        "tcp",
        "443",
        "all",
        ("anywhere", "load_balancers"),
        INGRESS,
        add_on="ingress",
    ),
    PortRow(
        "ingress-http3",
        "ingress controller",
        "udp",
        "443",
        "all",
        ("anywhere",),
        "traefik/traefik@0131ecc pkg/server/server_entrypoint_tcp_http3.go: newHTTP3Server",
        add_on="ingress-http3",
    ),
    PortRow(
        "node-exporter",
        "node exporter",
        "tcp",
        "9100",
        "all",
        ("monitoring",),
        NODE_EXPORTER,
        add_on="node-exporter",
        need="optional",
    ),
    # flannel and Canal
    PortRow(
        "flannel-vxlan", "flanneld", "udp", "8472", "all", ("all_nodes",), f"{FLANNEL}: VXLAN", when="flannel/vxlan"
    ),
    PortRow("flannel-udp", "flanneld", "udp", "8285", "all", ("all_nodes",), f"{FLANNEL}: UDP", when="flannel/udp"),
    PortRow(
        "flannel-wireguard",
        "flanneld",
        "udp",
        "51820-51821",
        "all",
        ("all_nodes",),
        f"{FLANNEL}: WireGuard",
        when="flannel/wireguard",
    ),
    PortRow("flannel-ipip", "flanneld", "ipip", "", "all", ("all_nodes",), f"{FLANNEL}: IPIP", when="flannel/ipip"),
    # The document says "ports 50 (for ESP protocol)": it is IP protocol 50.
    PortRow(
        "flannel-ipsec-esp", "strongSwan", "esp", "", "all", ("all_nodes",), f"{FLANNEL}: IPSec", when="flannel/ipsec"
    ),
    PortRow(
        "flannel-ipsec-ike",
        "strongSwan",
        "udp",
        "500",
        "all",
        ("all_nodes",),
        f"{FLANNEL}: IPSec",
        when="flannel/ipsec",
    ),
    PortRow(
        "flannel-ipsec-natt",
        "strongSwan",
        "udp",
        "4500",
        "all",
        ("all_nodes",),
        f"{FLANNEL}: IPSec",
        when="flannel/ipsec",
    ),
    PortRow(
        "canal-vxlan",
        "flanneld",
        "udp",
        "8472",
        "all",
        ("all_nodes",),
        f"{CANAL}; {FLANNEL}: VXLAN",
        when="canal/vxlan",
    ),
    PortRow(
        "canal-felix-metrics",
        "felix",
        "tcp",
        "9091",
        "all",
        ("monitoring",),
        f"{FELIX}: PrometheusMetricsPort",
        when="canal",
        add_on="felix-metrics",
        need="optional",
    ),
    PortRow(
        "canal-felix-health", "felix", "tcp", "9099", "all", (), f"{FELIX}: HealthPort", when="canal", need="local"
    ),
    # Calico
    PortRow(
        "calico-bgp",
        "BIRD",
        "tcp",
        "179",
        "all",
        ("all_nodes", "bgp_peers"),
        f"{FELIX}: FailsafeInboundHostPorts",
        when="calico/ipip|ipip-crosssubnet|none",
    ),
    # VXLAN needs no BGP; a cluster may still speak it, with its own nodes and with routers.
    PortRow(
        "calico-vxlan-bgp",
        "BIRD",
        "tcp",
        "179",
        "all",
        ("all_nodes", "bgp_peers"),
        f"{FELIX}: FailsafeInboundHostPorts",
        when="calico/vxlan|vxlan-crosssubnet",
        add_on="bgp",
    ),
    PortRow(
        "calico-ipip",
        "felix",
        "ipip",
        "",
        "all",
        ("all_nodes",),
        f"{FELIX}: IpInIpEnabled",
        when="calico/ipip|ipip-crosssubnet",
    ),
    PortRow(
        "calico-vxlan",
        "felix",
        "udp",
        "4789",
        "all",
        ("all_nodes",),
        f"{FELIX}: VXLANPort",
        when="calico/vxlan|vxlan-crosssubnet",
    ),
    # Between nodes, traffic to NodePorts is in VXLAN then, whatever pods' packets are in.
    PortRow(
        "calico-ebpf-vxlan",
        "felix",
        "udp",
        "4789",
        "all",
        ("all_nodes",),
        f"{CALICO_EBPF}; {FELIX}: VXLANPort",
        when="calico/ipip|ipip-crosssubnet|none",
        add_on="calico-ebpf",
    ),
    PortRow(
        "calico-typha",
        "typha",
        "tcp",
        "5473",
        "all",
        ("all_nodes",),
        f"{FELIX}: FailsafeInboundHostPorts",
        when="calico",
        add_on="typha",
    ),
    PortRow(
        "calico-wireguard",
        "felix",
        "udp",
        "51820-51821",
        "all",
        ("all_nodes",),
        f"{FELIX}: WireguardListeningPort, WireguardListeningPortV6",
        when="calico",
        add_on="wireguard",
    ),
    PortRow(
        "calico-felix-metrics",
        "felix",
        "tcp",
        "9091",
        "all",
        ("monitoring",),
        f"{FELIX}: PrometheusMetricsPort",
        when="calico",
        add_on="felix-metrics",
        need="optional",
    ),
    PortRow(
        "calico-typha-metrics",
        "typha",
        "tcp",
        "9093",
        "all",
        ("monitoring",),
        f"{TYPHA}: PrometheusMetricsPort",
        when="calico",
        add_on="typha-metrics",
        need="optional",
    ),
    PortRow(
        "calico-felix-health", "felix", "tcp", "9099", "all", (), f"{FELIX}: HealthPort", when="calico", need="local"
    ),
    PortRow(
        "calico-typha-health",
        "typha",
        "tcp",
        "9098",
        "all",
        (),
        f"{TYPHA}: HealthPort",
        when="calico",
        add_on="typha",
        need="local",
    ),
    # Cilium. Nodes of a cluster mesh reach each other as nodes of one cluster do
    # (Documentation/network/clustermesh/setup.rst); its API server is behind a NodePort.
    PortRow(
        "cilium-vxlan",
        "cilium-agent",
        "udp",
        "8472",
        "all",
        ("all_nodes", "remote_clusters"),
        CILIUM,
        when="cilium/vxlan",
    ),
    PortRow(
        "cilium-geneve",
        "cilium-agent",
        "udp",
        "6081",
        "all",
        ("all_nodes", "remote_clusters"),
        CILIUM,
        when="cilium/geneve",
    ),
    PortRow(
        "cilium-dsr-geneve",
        "cilium-agent",
        "udp",
        "6081",
        "all",
        ("all_nodes",),
        f"{CILIUM}; {CILIUM_DOCUMENTS}/network/kubernetes/kubeproxy-free.rst: DSR with Geneve",
        when="cilium/native",
        add_on="dsr-geneve",
    ),
    PortRow(
        "cilium-health", "cilium-health", "tcp", "4240", "all", ("all_nodes", "remote_clusters"), CILIUM, when="cilium"
    ),
    PortRow(
        "cilium-hubble", "hubble", "tcp", "4244", "all", ("all_nodes", "pods"), CILIUM, when="cilium", add_on="hubble"
    ),
    PortRow(
        "cilium-mutual-auth",
        "cilium-agent",
        "tcp",
        "4250",
        "all",
        ("all_nodes",),
        CILIUM,
        when="cilium",
        add_on="mutual-auth",
    ),
    PortRow(
        "cilium-wireguard",
        "cilium-agent",
        "udp",
        "51871",
        "all",
        ("all_nodes", "remote_clusters"),
        CILIUM,
        when="cilium",
        add_on="wireguard",
    ),
    PortRow(
        "cilium-ipsec",
        "cilium-agent",
        "esp",
        "",
        "all",
        ("all_nodes", "remote_clusters"),
        CILIUM,
        when="cilium",
        add_on="ipsec",
    ),
    # Its routers listen only where localPort is set.
    PortRow(
        "cilium-bgp",
        "cilium-agent",
        "tcp",
        "179",
        "all",
        ("bgp_peers",),
        f"{CILIUM_DOCUMENTS}/network/bgp-control-plane/bgp-control-plane-configuration.rst: localPort",
        when="cilium",
        add_on="bgp",
        need="optional",
    ),
    PortRow(
        "cilium-agent-metrics",
        "cilium-agent",
        "tcp",
        "9962",
        "all",
        ("monitoring",),
        CILIUM,
        when="cilium",
        add_on="cilium-metrics",
        need="optional",
    ),
    PortRow(
        "cilium-operator-metrics",
        "cilium-operator",
        "tcp",
        "9963",
        "all",
        ("monitoring",),
        CILIUM,
        when="cilium",
        add_on="cilium-metrics",
        need="optional",
    ),
    PortRow(
        "cilium-envoy-metrics",
        "cilium-envoy",
        "tcp",
        "9964",
        "all",
        ("monitoring",),
        CILIUM,
        when="cilium",
        add_on="cilium-metrics",
        need="optional",
    ),
    PortRow(
        "cilium-hubble-metrics",
        "hubble",
        "tcp",
        "9965",
        "all",
        ("monitoring",),
        CILIUM_VALUES,
        when="cilium",
        add_on="hubble-metrics",
        need="optional",
    ),
    PortRow("cilium-agent-pprof", "cilium-agent", "tcp", "6060", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-operator-pprof", "cilium-operator", "tcp", "6061", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-envoy-health", "cilium-envoy", "tcp", "9878", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-agent-health", "cilium-agent", "tcp", "9879", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-agent-gops", "cilium-agent", "tcp", "9890", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-operator-gops", "cilium-operator", "tcp", "9891", "all", (), CILIUM, when="cilium", need="local"),
    PortRow("cilium-envoy-admin", "cilium-envoy", "tcp", "9901", "all", (), CILIUM, when="cilium", need="local"),
    PortRow(
        "cilium-hubble-relay-pprof",
        "hubble-relay",
        "tcp",
        "6062",
        "all",
        (),
        CILIUM,
        when="cilium",
        add_on="hubble",
        need="local",
    ),
    PortRow(
        "cilium-hubble-relay-gops",
        "hubble-relay",
        "tcp",
        "9893",
        "all",
        (),
        CILIUM,
        when="cilium",
        add_on="hubble",
        need="local",
    ),
    PortRow(
        "cilium-spire-health",
        "SPIRE agent",
        "tcp",
        "4251",
        "all",
        (),
        CILIUM,
        when="cilium",
        add_on="mutual-auth",
        need="local",
    ),
    # kube-router
    PortRow(
        "kube-router-bgp",
        "kube-router",
        "tcp",
        "179",
        "all",
        ("all_nodes", "bgp_peers"),
        f"{KUBE_ROUTER}: DefaultBgpPort",
        when="kube-router",
    ),
    PortRow("kube-router-ipip", "kube-router", "ipip", "", "all", ("all_nodes",), TUNNELS, when="kube-router/ipip"),
    PortRow("kube-router-ip6ip6", "kube-router", "ipv6", "", "all", ("all_nodes",), TUNNELS, when="kube-router/ipip"),
    PortRow(
        "kube-router-fou",
        "kube-router",
        "udp",
        "5555",
        "all",
        ("all_nodes",),
        f"{KUBE_ROUTER}: defaultOverlayTunnelEncapPort",
        when="kube-router/fou",
    ),
    # Antrea
    PortRow("antrea-geneve", "antrea-agent", "udp", "6081", "all", ("all_nodes",), ANTREA, when="antrea/geneve"),
    PortRow("antrea-vxlan", "antrea-agent", "udp", "4789", "all", ("all_nodes",), ANTREA, when="antrea/vxlan"),
    PortRow("antrea-stt", "antrea-agent", "tcp", "7471", "all", ("all_nodes",), ANTREA, when="antrea/stt"),
    PortRow("antrea-gre", "antrea-agent", "gre", "", "all", ("all_nodes",), ANTREA, when="antrea/gre"),
    PortRow(
        "antrea-api",
        "antrea-controller, antrea-agent",
        "tcp",
        "10349-10351",
        "all",
        ("all_nodes", "monitoring"),
        ANTREA,
        when="antrea",
    ),
    PortRow("antrea-memberlist-udp", "antrea-agent", "udp", "10351", "all", ("all_nodes",), ANTREA, when="antrea"),
    PortRow(
        "antrea-wireguard",
        "antrea-agent",
        "udp",
        "51820",
        "all",
        ("all_nodes",),
        ANTREA,
        when="antrea",
        add_on="wireguard",
    ),
    PortRow(
        "antrea-ipsec-esp", "antrea-agent", "esp", "", "all", ("all_nodes",), ANTREA, when="antrea", add_on="ipsec"
    ),
    PortRow("antrea-ipsec-ah", "antrea-agent", "ah", "", "all", ("all_nodes",), ANTREA, when="antrea", add_on="ipsec"),
    PortRow(
        "antrea-ipsec-ike", "antrea-agent", "udp", "500", "all", ("all_nodes",), ANTREA, when="antrea", add_on="ipsec"
    ),
    PortRow(
        "antrea-ipsec-natt", "antrea-agent", "udp", "4500", "all", ("all_nodes",), ANTREA, when="antrea", add_on="ipsec"
    ),
    PortRow(
        "antrea-bgp",
        "antrea-agent",
        "tcp",
        "179",
        "all",
        ("bgp_peers",),
        ANTREA,
        when="antrea",
        add_on="bgp",
        need="optional",
    ),
    PortRow(
        "antrea-bfd",
        "antrea-agent",
        "udp",
        "3784",
        "all",
        ("bgp_peers",),
        f"{ANTREA}; RFC 5881 section 4",
        when="antrea",
        add_on="bgp",
        need="optional",
    ),
    # Weave Net
    PortRow("weave-control", "weave", "tcp", "6783", "all", ("all_nodes",), WEAVE, when="weave"),
    PortRow("weave-data", "weave", "udp", "6783-6784", "all", ("all_nodes",), WEAVE, when="weave"),
    PortRow("weave-ipsec", "weave", "esp", "", "all", ("all_nodes",), WEAVE, when="weave", add_on="ipsec"),
    PortRow(
        "weave-metrics",
        "weave",
        "tcp",
        "6781-6782",
        "all",
        ("monitoring",),
        "weaveworks/weave@15bf6ea site/metrics.md",
        when="weave",
        need="optional",
    ),
    PortRow("weave-local", "weave", "tcp", "6784", "all", (), WEAVE, when="weave", need="local"),
)
