#!/usr/bin/env bash
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# What the collection may change on a node, in a form that compares: links, routes, rules, sets, files, sysctls.
# Counters, handles and what is of this moment (a pod's veth, an address's lifetime) are left out.
set -euo pipefail
echo "== links"
ip -oneline link | sed -E 's/^[0-9]+: ([^:@]+).*mtu ([0-9]+).*/\1 mtu \2/' | grep -v '^veth' | sort
echo "== addresses"
ip -oneline address | awk '{print $2, $3, $4}' | grep -v '^veth' | sort
echo "== routes"
{ ip route; ip -6 route; } | sed 's/ expires.*//' | grep -v veth | sort
echo "== routing rules"
{ ip rule; ip -6 rule; } | sort
# A table of iptables without a rule says nothing, and stays behind when its last rule has gone.
echo "== iptables"
for family in iptables ip6tables; do
  "$family-save" 2>/dev/null | awk -v family="$family" '
    /^\*/ { table = substr($0, 2); kept = ""; says = 0 }
    /^[:-]/ { sub(/ \[[0-9:]+\]$/, ""); kept = kept family " " table " " $0 "\n" }
    /^-/ || (/^:/ && !/^:[A-Z]+ ACCEPT$/) { says = 1 }
    /^COMMIT/ && says { printf "%s", kept }' | sort
done
echo "== nftables"
nft list tables | while read -r _ family name; do
  nft --stateless list table "$family" "$name" 2>/dev/null |
    awk -v table="$family $name" '!/^table|^\tchain|^\t\ttype .* policy accept;|^\t*}?$/ { says = 1 } END { if (says) print table }'
done | sort
echo "== ipsets"
ipset list -name | sort
echo "== files"
for path in /etc/cni /etc/modules-load.d /etc/sysctl.d /etc/systemd/system /etc/netops-kubernetes /opt/cni/bin \
  /var/lib/cni /run/flannel /run/calico /var/lib/calico /var/log/calico /etc/calico; do
  if [ -e "$path" ]; then
    find "$path" -type f -printf '%p ' -exec sh -c 'sha256sum < "$1"' _ {} \; -o -type l -printf '%p -> %l\n' | sort
  fi
done
echo "== mounts"
awk '$2 ~ /\/(calico|bpf|cilium)/ { print $2, $3 }' /proc/self/mounts | sort
echo "== sysctls"
sysctl --all --pattern '^net\.ipv[46]\.(conf\.(all|default)\.|ip_forward)|^kernel\.unprivileged_bpf' 2>/dev/null
