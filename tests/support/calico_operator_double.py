# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of the Tigera operator, which cannot be built from packages.

It behaves, through the real API server: fills defaults into the Installation under its own field manager, holds it by
its finalizer, makes IPPools of it, says in TigeraStatuses how far it is, and takes away what it made when the
Installation goes. It works while its own Deployment is there.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.workloads_double import WorkloadsDouble

OPERATOR_API, CALICO_API = "operator.tigera.io/v1", "crd.projectcalico.org/v1"
FINALIZER = "tigera.io/operator-cleanup"
MANAGER = {"fieldManager": "operator"}
INSTALLATIONS = "/apis/operator.tigera.io/v1/installations"
STATUSES = "/apis/operator.tigera.io/v1/tigerastatuses"
POOLS = "/apis/crd.projectcalico.org/v1/ippools"
# Of a single pool of IPv4 (tigera/operator, pkg/controller/ippool/defaults.go).
FILLED_IN = {
    "allowedUses": ["Workload", "Tunnel"],
    "disableBGPExport": False,
    "name": "default-ipv4-ippool",
    "blockSize": 26,
}
OWN = ObjectRef("apps/v1", "Deployment", "tigera-operator", "tigera-operator")


class CalicoOperatorDouble(WorkloadsDouble):
    """Runs in a thread while the block lasts.

    :param degraded: what it says is wrong instead of becoming available.
    :param answers: whether it runs at all.
    """

    kinds_to_come = (OPERATOR_API, CALICO_API)

    def __init__(self, kubeconfig: str, *, degraded: str = "", answers: bool = True) -> None:
        super().__init__(kubeconfig)
        self.degraded = degraded
        self.answers = answers

    def step(self) -> None:
        super().step()
        if self.answers and self.client.get(OWN):
            self._reconcile()

    def _reconcile(self) -> None:
        found = list(self.client.list(OPERATOR_API, "Installation"))
        if not found:
            return
        wanted = found[0]
        if wanted["metadata"].get("deletionTimestamp"):
            self._take_away(wanted)
            return
        filled = self._filled(wanted)
        if filled != wanted:
            wanted = self.client.raw("PUT", f"{INSTALLATIONS}/default", query=MANAGER, body=filled)
        self._make_pools(wanted)
        self._say("ippools", wanted)
        self._say("calico", wanted)

    def _filled(self, wanted: dict[str, Any]) -> dict[str, Any]:
        networking = wanted["spec"]["calicoNetwork"]
        pools = [{**FILLED_IN, **pool} for pool in networking["ipPools"]]
        spec = {"variant": "Calico", **wanted["spec"], "calicoNetwork": {**networking, "ipPools": pools}}
        metadata = {**wanted["metadata"], "finalizers": [FINALIZER]}
        return {**wanted, "metadata": metadata, "spec": spec}

    def _make_pools(self, wanted: dict[str, Any]) -> None:
        for pool in wanted["spec"]["calicoNetwork"]["ipPools"]:
            spec = {"cidr": pool["cidr"], "blockSize": pool["blockSize"], "vxlanMode": "Always", "ipipMode": "Never"}
            spec["disabled"] = bool(pool.get("disableNewAllocations"))
            body = {"apiVersion": CALICO_API, "kind": "IPPool", "metadata": {"name": pool["name"]}, "spec": spec}
            path = f"{POOLS}/{pool['name']}"
            query = {**MANAGER, "force": "true"}
            self.client.raw("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml")

    def _say(self, part: str, wanted: dict[str, Any]) -> None:
        generation = wanted["metadata"]["generation"]
        ref = ObjectRef(OPERATOR_API, "TigeraStatus", part)
        live = self.client.get(ref)
        if live is None:
            body = {"apiVersion": OPERATOR_API, "kind": "TigeraStatus", "metadata": {"name": part}}
            self.client.raw("POST", STATUSES, query=MANAGER, body=body)
        said = ((live or {}).get("status") or {}).get("conditions") or []
        of_now = [one for one in said if one.get("observedGeneration") == generation]
        if any(one["type"] == "Available" and one["status"] == str(not self.degraded) for one in of_now):
            return
        # First it is under way, and a round later it is done.
        under_way = not of_now
        works = not under_way and not self.degraded
        states = {"Available": works, "Progressing": under_way, "Degraded": bool(self.degraded)}
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {
                "type": name,
                "status": str(holds),
                "observedGeneration": generation,
                "lastTransitionTime": now,
                "message": self.degraded or "said by the double",
            }
            for name, holds in states.items()
        ]
        body = {"status": {"conditions": conditions}}
        self.client.raw("PATCH", f"{STATUSES}/{part}/status", body=body, content_type="application/merge-patch+json")

    def _take_away(self, installation: dict[str, Any]) -> None:
        for pool in installation["spec"]["calicoNetwork"]["ipPools"]:
            self.client.delete(ObjectRef(CALICO_API, "IPPool", pool["name"]), propagation="Background")
        for status in self.client.list(OPERATOR_API, "TigeraStatus"):
            self.client.delete(ObjectRef(OPERATOR_API, "TigeraStatus", status["metadata"]["name"]))
        left = [one for one in installation["metadata"].get("finalizers") or [] if one != FINALIZER]
        body = {"metadata": {"finalizers": left}}
        self.client.raw("PATCH", f"{INSTALLATIONS}/default", body=body, content_type="application/merge-patch+json")
