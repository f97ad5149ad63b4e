# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A new configuration on the cluster: written over the version that was read, then every kube-proxy restarted.

What a run that was killed left undone stands in the ConfigMap itself, written together with the configuration: the
next run finds the mark and completes the restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import (
    ConfigurationError,
    digest,
)

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CONFIG_MAP = ObjectRef("v1", "ConfigMap", "kube-proxy", "kube-system")
DAEMON_SET = ObjectRef("apps/v1", "DaemonSet", "kube-proxy", "kube-system")
KEY = "config.conf"
BACKUP = "netops.kubernetes/config-backup"
PENDING = "netops.kubernetes/restart-pending"
DIGEST = "netops.kubernetes/config-digest"
Edit = Callable[[str], str]


@dataclass(frozen=True)
class Outcome:
    """What happened, or would.

    :param before: the configuration as it was.
    :param after: as it is now.
    :param restarted: whether kube-proxy was restarted for it.
    """

    before: str
    after: str
    restarted: bool


def configure(client: KubeClient, edit: Edit, *, check: bool, wait_timeout: float) -> Outcome:
    """Edit the configuration and let every kube-proxy take it.

    :param wait_timeout: seconds to wait for the restart; 0 does not wait.
    :raises ConfigurationError: this cluster has no kube-proxy of kubeadm's kind.
    """
    before, after, pending = _write(client, edit, restore=False, check=check)
    return _restart(client, before, after, pending, check=check, wait_timeout=wait_timeout, mark=digest(after))


def restore(client: KubeClient, *, check: bool, wait_timeout: float) -> Outcome:
    """Give back the configuration from before the first edit, and the DaemonSet's own pod template."""
    before, after, pending = _write(client, lambda text: text, restore=True, check=check)
    return _restart(client, before, after, pending, check=check, wait_timeout=wait_timeout, mark=None)


def _write(client: KubeClient, edit: Edit, *, restore: bool, check: bool) -> tuple[str, str, bool]:
    """Configuration before and after, and whether a restart is pending."""

    def change(live: Object | None) -> tuple[tuple[str, str, bool], bool]:
        if live is None or KEY not in (live.get("data") or {}):
            raise ConfigurationError(
                str(CONFIG_MAP),
                "it is not there" if live is None else f"it has no key {KEY}",
                "kubeadm's ConfigMap of kube-proxy",
                "This cluster runs kube-proxy in another way, or not at all; see docs/kube_proxy.md",
            )
        notes = live["metadata"].setdefault("annotations", {})
        before = str(live["data"][KEY])
        after = notes.pop(BACKUP, before) if restore else edit(before)
        if after == before and not (restore and notes.get(PENDING)):
            return (before, after, PENDING in notes), False
        _note(notes, before, after, restore=restore)
        live["data"][KEY] = after
        return (before, after, True), True

    return update(client, CONFIG_MAP, change, check=check)


def _note(notes: dict[str, Any], before: str, after: str, *, restore: bool) -> None:
    if not restore:
        notes.setdefault(BACKUP, before)
    notes[PENDING] = digest(after)


def _restart(
    client: KubeClient,
    before: str,
    after: str,
    pending: bool,
    *,
    check: bool,
    wait_timeout: float,
    mark: str | None,
) -> Outcome:
    if not pending or check:
        return Outcome(before, after, pending)
    live = client.get(DAEMON_SET)
    if live is None:
        raise ConfigurationError(str(DAEMON_SET), "it is not there", "kubeadm's DaemonSet of kube-proxy")
    notes = (live["spec"]["template"]["metadata"].get("annotations") or {}).get(DIGEST)
    if notes != mark:
        client.patch(DAEMON_SET, {"spec": {"template": {"metadata": {"annotations": {DIGEST: mark}}}}})
    if wait_timeout:
        wait_ready(client, [_reference(DAEMON_SET)], wait_timeout)
    client.patch(CONFIG_MAP, {"metadata": {"annotations": {PENDING: None}}})
    return Outcome(before, after, True)


def _reference(ref: ObjectRef) -> Object:
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
