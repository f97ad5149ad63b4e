# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flannel's tunnels on this node, and the different MTUs of its bridge, its pods' links and what leads to them."""

import json
import pathlib
import subprocess


def links(*inside):
    return json.loads(subprocess.run(["ip", *inside, "-j", "link"], capture_output=True, check=True).stdout)


own = links()
ports = [link for link in own if link.get("master") == "cni0" or link["ifname"] == "cni0"]
names = [path.name for path in pathlib.Path("/run/netns").iterdir()]
pods = [link for name in names for link in links("-n", name) if link["ifname"] == "eth0"]
tunnels = sorted(link["ifname"] for link in own if link["ifname"].startswith("flannel"))
print(json.dumps({"tunnels": tunnels, "mtus": sorted({link["mtu"] for link in ports + pods})}))
