# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A cluster without kube-proxy, where another serves Services: removed, kept in a backup, and restored from it.

kubeadm brings kube-proxy back at an upgrade unless its ClusterConfiguration disables the addon: ``proxy.disabled``,
from v1beta4 (cmd/kubeadm/app/cmd/phases/upgrade/addons.go). An older form has no such field.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import yamltext
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    NOISE,
    Object,
    ObjectRef,
    is_marked,
    marked,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import read, settings_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import DAEMON_SET, HELD
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.surroundings import replacement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

BACKUP = ObjectRef("v1", "ConfigMap", "netops-kubernetes-kube-proxy", "kube-system")
ENTRY = "objects.json"
KUBEADM = ObjectRef("v1", "ConfigMap", "kubeadm-config", "kube-system")
CONFIGURATION = "ClusterConfiguration"
DISABLED = ("proxy", "disabled")
# kubeadm's label (cmd/kubeadm/app/phases/addons/proxy/manifests.go).
SELECTOR = "k8s-app=kube-proxy"
GONE_SECONDS = 120.0


class PresenceError(NetopsError):
    """kube-proxy cannot be removed, or restored, as things are."""


def remove(client: KubeClient, *, check: bool, force: bool = False) -> list[str]:
    """Remove kube-proxy's DaemonSet and ConfigMap once they are kept, and let kubeadm leave it so.

    The backup is first, so that a run which is killed loses nothing; kubeadm is second, so that no upgrade in between
    brings half of it back.

    :param force: also where nobody serves Services in its place.
    :returns: what was done, or would be, a line each.
    :raises PresenceError: nobody serves Services in its place, a roll-out is under way, or a backup of another
        installation is there.
    """
    live = [obj for obj in (client.get(CONFIG_MAP), client.get(DAEMON_SET)) if obj is not None]
    if any(HELD in (obj["metadata"].get("annotations") or {}) for obj in live):
        raise PresenceError(
            str(DAEMON_SET), "a roll-out is under way", "one that is finished or reverted", "End it with the role first"
        )
    if live and not force and not replacement(client):
        raise PresenceError(
            str(DAEMON_SET),
            "nobody serves Services in its place, so that none would answer",
            "Cilium with kube-proxy-replacement, or Calico with bpfEnabled",
            "Turn the replacement on first, or set force (of the role: kube_proxy_remove_force) where another does it",
        )
    done = []
    if live:
        done += _keep(client, [_bare(obj) for obj in live], check=check)
    done += _tell_kubeadm(client, is_disabled=True, check=check)
    for ref, obj in ((DAEMON_SET, "apps/v1"), (CONFIG_MAP, "v1")):
        if any(one["kind"] == ref.kind and one["apiVersion"] == obj for one in live):
            done.append(f"{ref} deleted")
            client.delete(ref, propagation="Background", dry_run=check)
    if not check:
        _wait_until_gone(client)
    return done


def _wait_until_gone(client: KubeClient) -> None:
    """A kube-proxy that is still on its way out would write its rules anew after they were cleaned up."""
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        left = [pod["spec"].get("nodeName", "") for pod in client.list("v1", "Pod", DAEMON_SET.namespace, SELECTOR)]
        if not left:
            return
        if time.monotonic() > deadline:
            raise PresenceError(
                f"kube-proxy's pods on {', '.join(left[:10])}",
                f"still there after {GONE_SECONDS:.0f} s",
                "an end",
                "Look at the kubelet's log there, and run again",
            )
        time.sleep(1.0)


def restore(client: KubeClient, *, check: bool) -> list[str]:
    """Bring kube-proxy back from its backup.

    :returns: what was done, or would be, a line each.
    :raises PresenceError: it is not there, and no backup is.
    """
    backup = client.get(BACKUP)
    is_there = client.get(DAEMON_SET) is not None
    if backup is None:
        if not is_there:
            raise PresenceError(
                str(DAEMON_SET),
                "it is not there, and no backup of it is",
                f"{BACKUP} with what was removed",
                "Install it with kubeadm: kubeadm init phase addon kube-proxy",
            )
        return []
    if not is_marked(backup):
        raise _not_ours()
    done = []
    # The configuration first: pods cannot start without it.
    for obj in json.loads(backup["data"][ENTRY]):
        done += _create(client, obj, check=check)
    done += _tell_kubeadm(client, is_disabled=False, check=check)
    done.append(f"{BACKUP} deleted")
    client.delete(BACKUP, propagation="Background", dry_run=check)
    return done


def _create(client: KubeClient, obj: Object, *, check: bool) -> list[str]:
    try:
        client.create(obj, dry_run=check)
    except ConflictError:
        live = client.get(ref_of(obj))
        if live is None or live["metadata"].get("deletionTimestamp"):
            raise
        # A run that was killed has made it already.
        return []
    return [f"{obj['kind']} '{obj['metadata']['namespace']}/{obj['metadata']['name']}' restored"]


def excluded(client: KubeClient) -> list[str]:
    """The networks whose virtual services were not kube-proxy's, as the configuration in the backup has them."""
    backup = client.get(BACKUP)
    kept = json.loads(backup["data"][ENTRY]) if backup else []
    texts = [obj["data"][KEY] for obj in kept if obj["kind"] == "ConfigMap" and KEY in (obj.get("data") or {})]
    return [cidr for text in texts for cidr in settings_of(read(text))["exclude_cidrs"]]


def _bare(obj: Mapping[str, Any]) -> Object:
    """An object as it can be created again."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in NOISE}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _keep(client: KubeClient, objects: list[Object], *, check: bool) -> list[str]:
    kept = client.get(BACKUP)
    if kept is not None:
        if not is_marked(kept):
            raise _not_ours()
        # Of a run that was killed: it saw everything, and this one may see less.
        return []
    metadata = {"name": BACKUP.name, "namespace": BACKUP.namespace}
    text = json.dumps(objects, sort_keys=True)
    backup = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {ENTRY: text}}
    client.create(marked(backup), dry_run=check)
    return [f"{BACKUP} keeps {', '.join(obj['kind'] for obj in objects)}"]


def _not_ours() -> PresenceError:
    return PresenceError(
        str(BACKUP), "it is there, and not of this collection", "a name that is free", "Rename or remove it"
    )


def _tell_kubeadm(client: KubeClient, *, is_disabled: bool, check: bool) -> list[str]:
    def change(live: Object | None) -> tuple[bool, bool]:
        text = str(((live or {}).get("data") or {}).get(CONFIGURATION) or "")
        if live is None or not text:
            return False, False
        content = yamltext.read(text, CONFIGURATION)
        if str(content.get("apiVersion")).rpartition("/")[2] in {"v1beta2", "v1beta3"}:
            return False, False
        before = yamltext.at(content, DISABLED) is True
        if before is is_disabled:
            return False, False
        live["data"][CONFIGURATION] = yamltext.put(text, DISABLED, is_disabled, CONFIGURATION)
        return True, True

    is_changed = update(client, KUBEADM, change, check=check)
    return [f"{KUBEADM} proxy.disabled: {str(is_disabled).lower()}"] if is_changed else []
