# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A new configuration on the cluster: written over the version that was read, then every kube-proxy restarted.

One ConfigMap serves all nodes. So that one node after the other takes it, the DaemonSet's update strategy is OnDelete
for the time of the roll-out: a node's kube-proxy is new when its pod is deleted.

What a run that was killed left undone stands in the cluster itself. The ConfigMap bears, written together with the new
configuration, that a restart is pending and what was there before; the DaemonSet bears its own strategy, written
together with OnDelete; each pod bears the digest of the configuration that it was started with. The next run reads
these and goes on.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import distribution
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY, mode_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import (
    ConfigurationError,
    digest,
    read,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import minor_of
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import Place

DAEMON_SET = ObjectRef("apps/v1", "DaemonSet", "kube-proxy", "kube-system")
# On the ConfigMap: the configuration before the first edit, and before the roll-out that is under way.
BACKUP = "netops.kubernetes/config-backup"
PREVIOUS = "netops.kubernetes/config-previous"
PENDING = "netops.kubernetes/restart-pending"
# On the DaemonSet while nodes are held back: its own strategy, and the digest that its pods bore.
HELD = "netops.kubernetes/held-strategy"
DIGEST = "netops.kubernetes/config-digest"
# A connection that nothing comes through for so long may be none any more.
WATCH_SECONDS = 60.0
PAUSE_SECONDS = 0.5
LOG_LINES = 8
Edit = Callable[[str, int], str]


@dataclass(frozen=True)
class Outcome:
    """What happened, or would.

    :param before: the configuration as it was.
    :param after: as it is now.
    :param restarted: whether kube-proxy was, or must still be, restarted for it.
    :param version: of the kube-proxy that reads it.
    :param pending_nodes: where kube-proxy runs with another configuration still, by name.
    """

    before: str
    after: str
    restarted: bool
    version: str
    pending_nodes: tuple[str, ...] = ()


class Cluster:
    """kube-proxy's DaemonSet, read once and only when it is needed."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self._daemon_set: Optional[Object] = None

    @property
    def daemon_set(self) -> Object:
        """The DaemonSet as it was read.

        :raises ConfigurationError: it is not there.
        """
        if self._daemon_set is None:
            self._daemon_set = self.client.get(DAEMON_SET)
        if self._daemon_set is None:
            raise ConfigurationError(str(DAEMON_SET), "it is not there", "kubeadm's DaemonSet of kube-proxy")
        return self._daemon_set

    def patch(self, body: Mapping[str, Any]) -> None:
        self._daemon_set = self.client.patch(DAEMON_SET, body)

    @property
    def version(self) -> str:
        """kube-proxy's version by its image's tag; the API server's where the tag is none."""
        for container in self.daemon_set["spec"]["template"]["spec"]["containers"]:
            found = re.search(r":(v1\.\d+\.\d+[^@]*)", container["image"])
            if container["name"] == "kube-proxy" and found:
                return found[1]
        return self.client.server_version

    @property
    def mark(self) -> Optional[str]:
        """The digest that a new pod gets."""
        return _digest_of(self.daemon_set["spec"]["template"])

    @property
    def held(self) -> Optional[dict[str, Any]]:
        """The DaemonSet's own strategy and digest while nodes are held back."""
        note = (self.daemon_set["metadata"].get("annotations") or {}).get(HELD)
        return json.loads(note) if note else None

    @property
    def selector(self) -> str:
        """What tells kube-proxy's pods from others."""
        labels = self.daemon_set["spec"]["selector"]["matchLabels"]
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))

    def pods_of(self, node: str) -> tuple[tuple[Object, ...], str]:
        """The pods of one node, for which the others' are not read, and the version of the API's contents."""
        return self.client.snapshot("v1", "Pod", DAEMON_SET.namespace, self.selector, f"spec.nodeName={node}")

    def pending_nodes(self, mark: Optional[str]) -> tuple[str, ...]:
        """The nodes whose kube-proxy was started with another digest."""
        pods = self.client.list("v1", "Pod", DAEMON_SET.namespace, self.selector)
        old = [pod["spec"].get("nodeName") for pod in pods if not _bears(pod, mark)]
        return tuple(sorted({node for node in old if node}))


def _digest_of(obj: Mapping[str, Any]) -> Optional[str]:
    found = ((obj.get("metadata") or {}).get("annotations") or {}).get(DIGEST)
    return None if found is None else str(found)


def _bears(pod: Mapping[str, Any], mark: Optional[str]) -> bool:
    return _digest_of(pod) == mark and not pod["metadata"].get("deletionTimestamp")


# ---- writing a configuration --------------------------------------------------------------------------------------


def configure(
    client: KubeClient, edit: Edit, wanted: Mapping[Place, Any], *, held: bool, check: bool, wait_timeout: float
) -> Outcome:
    """Edit the configuration and let every kube-proxy take it.

    :param edit: the configuration and kube-proxy's minor version in, the new configuration out.
    :param wanted: what the edit writes; for the message where kube-proxy runs in another way.
    :param held: restart none; :func:`restart` does that, node by node.
    :param wait_timeout: seconds to wait for the restart; 0 does not wait.
    :raises ConfigurationError: this cluster has no kube-proxy of kubeadm's kind.
    """
    cluster = Cluster(client)
    before, after, pending = _write(cluster, lambda text, _notes: edit(text, minor_of(cluster.version)), wanted, check)
    return _take(cluster, (before, after, pending), held=held, check=check, wait_timeout=wait_timeout)


def restore(client: KubeClient, *, held: bool, check: bool, wait_timeout: float) -> Outcome:
    """Give back the configuration from before the first edit, and the DaemonSet's own pod template."""
    cluster = Cluster(client)
    written = _write(cluster, lambda text, notes: notes.pop(BACKUP, text), {}, check, is_restoring=True)
    return _take(cluster, written, held=held, check=check, wait_timeout=wait_timeout, is_restoring=True)


def _write(
    cluster: Cluster,
    change: Callable[[str, dict[str, Any]], str],
    wanted: Mapping[Place, Any],
    check: bool,
    *,
    is_restoring: bool = False,
) -> tuple[str, str, bool]:
    """Configuration before and after, and whether a restart is pending."""

    def carry_out(live: Object | None) -> tuple[tuple[str, str, bool], bool]:
        if live is None or KEY not in (live.get("data") or {}):
            raise distribution.explain(
                cluster.client, wanted, "it is not there" if live is None else f"it has no key {KEY}"
            )
        notes = live["metadata"].setdefault("annotations", {})
        before = str(live["data"][KEY])
        had_backup = BACKUP in notes
        after = change(before, notes)
        if after == before and not (is_restoring and had_backup):
            return (before, after, PENDING in notes), False
        minor = minor_of(cluster.version)
        if not is_restoring:
            notes.setdefault(BACKUP, before)
        if digest(after, minor) != digest(before, minor):
            notes.setdefault(PREVIOUS, before)
            notes[PENDING] = digest(after, minor)
        live["data"][KEY] = after
        return (before, after, PENDING in notes), True

    return update(cluster.client, CONFIG_MAP, carry_out, check=check)


def _take(
    cluster: Cluster,
    written: tuple[str, str, bool],
    *,
    held: bool,
    check: bool,
    wait_timeout: float,
    is_restoring: bool = False,
) -> Outcome:
    before, after, pending = written
    if not pending:
        return Outcome(before, after, restarted=False, version=cluster.version)
    version = cluster.version
    mark = None if is_restoring else digest(after, minor_of(version))
    outcome = Outcome(before, after, restarted=True, version=version)
    if check:
        return Outcome(before, after, True, version, cluster.pending_nodes(mark) if held else ())
    if held:
        hold(cluster, mark)
        return Outcome(before, after, True, version, cluster.pending_nodes(mark))
    strategy = cluster.held
    if cluster.mark != mark or strategy:
        cluster.patch(_template(mark, strategy and strategy["strategy"]))
    if wait_timeout:
        wait_ready(cluster.client, [_reference(DAEMON_SET)], wait_timeout)
    _clear(cluster.client)
    return outcome


def _template(mark: Optional[str], strategy: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    """A patch that gives new pods a digest, and the DaemonSet its own strategy back."""
    body: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {DIGEST: mark}}}}}
    if strategy:
        body["spec"]["updateStrategy"] = strategy
        body["metadata"] = {"annotations": {HELD: None}}
    return body


def _clear(client: KubeClient) -> None:
    client.patch(CONFIG_MAP, {"metadata": {"annotations": {PENDING: None, PREVIOUS: None}}})


def _reference(ref: ObjectRef) -> Object:
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}


# ---- one node after the other -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """What one step of a roll-out did, or would.

    :param restarted: nodes on which kube-proxy was restarted.
    :param pending_nodes: after a revert, nodes whose kube-proxy runs with another configuration than the one written.
    :param changes: what changed, a line each.
    :param mode: after a revert, of the configuration that nodes get again.
    :param log: after a revert, what kube-proxy had complained of on the nodes that were restarted, by node.
    """

    restarted: tuple[str, ...] = ()
    pending_nodes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    mode: str = ""
    log: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def proceed(client: KubeClient, state: str, nodes: Optional[Sequence[str]], *, check: bool, timeout: float) -> Progress:
    """Take one step of a roll-out.

    :param state: ``restarted``, ``finished`` or ``reverted``.
    :param nodes: where to restart kube-proxy; for a revert, nothing means wherever that is needed.
    :raises ConfigurationError: a node does not get a ready kube-proxy, or the step is not the next one.
    """
    cluster = Cluster(client)
    if state == "finished":
        return Progress(changes=tuple(finish(cluster, check=check)))
    if state == "reverted":
        _require_known(client, nodes or ())
        return _go_back(cluster, nodes, check=check, timeout=timeout)
    # This step's nodes alone are looked at, or a step would cost as much as the whole.
    pods = Pods.of(cluster, nodes or ())
    _require_known(client, [node for node, found in pods.by_node.items() if not found])
    restarted = pods.old_on(cluster.mark)
    if not check:
        _restart(cluster, pods, timeout)
    return Progress(restarted, changes=tuple(f"kube-proxy on node {node} restarted" for node in restarted))


def _go_back(cluster: Cluster, nodes: Optional[Sequence[str]], *, check: bool, timeout: float) -> Progress:
    changes, mode = revert(cluster, check=check)
    # In check mode nothing was reverted, so the pods are compared with what the revert would leave.
    pending = cluster.pending_nodes(cluster.held["digest"] if cluster.held else cluster.mark)
    restarted = tuple(node for node in pending if nodes is None or node in set(nodes))
    log = {node: complaints(cluster, node) for node in restarted}
    if not check:
        _restart(cluster, Pods.of(cluster, restarted), timeout)
        pending = tuple(node for node in pending if node not in set(restarted))
    changes += [f"kube-proxy on node {node} restarted" for node in restarted]
    return Progress(restarted, pending, tuple(changes), mode, log)


def complaints(cluster: Cluster, node: str) -> tuple[str, ...]:
    """The last errors and warnings of a node's kube-proxy, this run's and the one before; the last lines without any.

    A kubelet that does not answer has nothing to tell.
    """
    lines: list[str] = []
    for pod in cluster.pods_of(node)[0]:
        path = f"{cluster.client.path('v1', 'Pod', DAEMON_SET.namespace, pod['metadata']['name'])}/log"
        for previous in ("true", "false"):
            try:
                said = cluster.client.raw("GET", path, query={"tailLines": "200", "previous": previous})
            except KubeError:
                continue
            lines += str(said).splitlines()
    # klog's severity is a line's first letter (k8s.io/klog/v2).
    return tuple([line for line in lines if line[:1] in {"E", "F", "W"}][-LOG_LINES:] or lines[-LOG_LINES:])


def hold(cluster: Cluster, mark: Optional[str]) -> None:
    """Let new pods take the configuration, and no pod become new by itself."""
    if cluster.held is not None and cluster.mark == mark:
        return
    own = cluster.held or {"strategy": cluster.daemon_set["spec"]["updateStrategy"], "digest": cluster.mark}
    body = _template(mark)
    body["spec"]["updateStrategy"] = {"type": "OnDelete", "rollingUpdate": None}
    body["metadata"] = {"annotations": {HELD: json.dumps(own)}}
    cluster.patch(body)


@dataclass
class Pods:
    """kube-proxy's pods on some nodes, read once and then kept up by what happens to them.

    :param by_node: each node's pods, by their uid.
    :param version: of the API's contents, from which on they are watched.
    """

    by_node: dict[str, dict[str, Object]]
    version: str

    @classmethod
    def of(cls, cluster: Cluster, nodes: Sequence[str]) -> Pods:
        """Read the pods of these nodes, one request each."""
        listed = {node: cluster.pods_of(node) for node in nodes}
        # Of the first list: what happens while the others are read is told once more.
        version = next(iter(listed.values()))[1] if listed else ""
        by_node = {node: {pod["metadata"]["uid"]: pod for pod in found} for node, (found, _own) in listed.items()}
        return cls(by_node, version)

    def old_on(self, mark: Optional[str]) -> tuple[str, ...]:
        """The nodes with a pod that does not bear this digest, or that is on its way out."""
        return tuple(
            sorted(node for node, pods in self.by_node.items() if not all(_bears(pod, mark) for pod in pods.values()))
        )

    def lack(self, node: str, mark: Optional[str]) -> str:
        """What a node lacks to a ready kube-proxy of this digest; empty when it has one."""
        pods = self.by_node[node].values()
        if not all(_bears(pod, mark) for pod in pods):
            return "the old pod is still there"
        reasons = [not_ready(pod) for pod in pods]
        return "it has no pod" if not reasons else next((reason for reason in reasons if reason), "")

    def note(self, event: str, pod: Object) -> str:
        """Take over what a watch tells; returns the node that it is about, nothing when it is none of these."""
        node = pod["spec"].get("nodeName") or ""
        if node not in self.by_node:
            return ""
        if event == "DELETED":
            self.by_node[node].pop(pod["metadata"]["uid"], None)
        else:
            self.by_node[node][pod["metadata"]["uid"]] = pod
        return node


def _restart(cluster: Cluster, pods: Pods, timeout: float) -> None:
    """Restart kube-proxy where it has another configuration, gracefully; wait until it is ready on all of the nodes.

    A request for each pod that goes, and one for all that come, however long that takes.

    :raises ConfigurationError: a node's new kube-proxy does not become ready in time.
    """
    for pod in [pod for found in pods.by_node.values() for pod in found.values()]:
        if not _bears(pod, cluster.mark) and not pod["metadata"].get("deletionTimestamp"):
            ref = ObjectRef("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
            cluster.client.delete(ref, propagation="Background")
    deadline = time.monotonic() + timeout
    while True:
        waiting = _follow(cluster, pods, deadline)
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"kube-proxy on node {', '.join(map(repr, waiting))}",
                f"after {timeout:.0f} s: {'; '.join(sorted(set(waiting.values())))}",
                "a ready pod with the new configuration",
                _remedy([line for node in waiting for line in complaints(cluster, node)]),
            )
        _tell(waiting)
        time.sleep(PAUSE_SECONDS)
        pods = Pods.of(cluster, tuple(waiting))


def _follow(cluster: Cluster, pods: Pods, deadline: float) -> dict[str, str]:
    """Watch the pods until no node lacks anything, or for a while; what some still lack, by node."""
    waiting = {node: lack for node in pods.by_node for lack in [pods.lack(node, cluster.mark)] if lack}
    seconds = min(WATCH_SECONDS, deadline - time.monotonic())
    if not waiting or seconds <= 0:
        return waiting
    place = ("v1", "Pod", DAEMON_SET.namespace, cluster.selector)
    for event, pod in cluster.client.watch(*place, version=pods.version, seconds=seconds):
        node = pods.note(event, pod)
        lack = pods.lack(node, cluster.mark) if node else ""
        if lack:
            waiting[node] = lack
        else:
            waiting.pop(node, None)
        if not waiting:
            break
        _tell(waiting)
    return waiting


def _tell(waiting: Mapping[str, str]) -> None:
    tell(several(f"kube-proxy on node {node!r}: {lack}" for node, lack in waiting.items()))


def _remedy(said: Sequence[str]) -> str:
    if said:
        return "Its log says: " + " | ".join(said)
    return f"Read its log: kubectl -n {DAEMON_SET.namespace} logs -l k8s-app=kube-proxy"


def _require_known(client: KubeClient, nodes: Sequence[str]) -> None:
    for node in nodes:
        if client.get(ObjectRef("v1", "Node", node)) is None:
            raise ConfigurationError(f"node {node!r}", "this cluster has none of that name", "the name of a node")


def finish(cluster: Cluster, *, check: bool) -> list[str]:
    """End the roll-out: the DaemonSet gets its strategy back, and nothing restarts for that.

    :returns: what changes; nothing when no roll-out is under way.
    :raises ConfigurationError: some nodes have not been restarted yet.
    """
    own = cluster.held
    notes = (cluster.client.get(CONFIG_MAP) or {}).get("metadata", {}).get("annotations") or {}
    if own is None and PENDING not in notes:
        return []
    left = cluster.pending_nodes(cluster.mark)
    if left:
        raise ConfigurationError(
            "roll-out of kube-proxy",
            f"{len(left)} nodes still run the configuration from before: {', '.join(left[:10])}",
            "every kube-proxy restarted",
            "Restart them first (state restarted), or give the old configuration back (state reverted)",
        )
    if not check:
        if own is not None:
            # Together: a run that died between them would leave OnDelete without a note.
            cluster.patch({"metadata": {"annotations": {HELD: None}}, "spec": {"updateStrategy": own["strategy"]}})
        _clear(cluster.client)
    return [f"{DAEMON_SET} update strategy {(own or {}).get('strategy', {}).get('type', 'kept')}, roll-out ended"]


def revert(cluster: Cluster, *, check: bool) -> tuple[list[str], str]:
    """Give back the configuration from before the roll-out that is under way; restarts nothing.

    :returns: what changes, and the mode of the configuration from before.
    :raises ConfigurationError: none is under way.
    """
    own = cluster.held

    def give_back(live: Object | None) -> tuple[tuple[bool, str], bool]:
        notes = (live or {}).get("metadata", {}).get("annotations") or {}
        if live is None or own is None or PREVIOUS not in notes:
            raise ConfigurationError(
                "roll-out of kube-proxy", "none is under way", "nodes that are held back", "There is nothing to revert"
            )
        is_change = live["data"][KEY] != notes[PREVIOUS]
        live["data"][KEY] = notes[PREVIOUS]
        return (is_change, mode_of(read(notes[PREVIOUS]), minor_of(cluster.version))), is_change

    is_change, mode = update(cluster.client, CONFIG_MAP, give_back, check=check)
    if own is not None and not check and cluster.mark != own["digest"]:
        cluster.patch(_template(own["digest"]))
    return [f"{CONFIG_MAP} as it was before the roll-out"] if is_change else [], mode
