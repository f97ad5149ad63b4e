# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Secrets by which nodes pull the image of test pods, beside pods whose namespace lives no longer than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

# What kubelet reads (kubernetes.io, Pull an Image from a Private Registry).
TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")


class PullSecretError(NetopsError):
    """A Secret that no image can be pulled by."""


def secret_refs(texts: Iterable[str]) -> list[ObjectRef]:
    """The Secrets that are named.

    :param texts: each ``NAMESPACE/NAME``.
    :raises PullSecretError: one is not, or two of them have one name, under which only one can be beside the pods.
    """
    found: dict[str, ObjectRef] = {}
    for text in texts:
        namespace, _unused, name = text.partition("/")
        if not namespace or not name or "/" in name:
            raise PullSecretError(f"pull_secrets {text!r}", "it is no Secret of a namespace", "NAMESPACE/NAME")
        if name in found:
            raise PullSecretError(f"pull_secrets {text!r}", f"{found[name]} has the same name", "a name only once")
        found[name] = ObjectRef("v1", "Secret", name, namespace)
    return list(found.values())


def copies(client: KubeClient, refs: Sequence[ObjectRef], namespace: str) -> list[Object]:
    """The Secrets as they are to be in another namespace: a pod can name none of elsewhere.

    :raises NetopsError: one is not there, is of another type, or may not be read.
    """
    return [_copy(client, ref, namespace) for ref in refs]


def _copy(client: KubeClient, ref: ObjectRef, namespace: str) -> Object:
    live = client.get(ref)
    remedy = "Make it with kubectl create secret docker-registry, or leave it out of pull_secrets"
    if live is None:
        raise PullSecretError(str(ref), "it is not there", "a Secret for the registry", remedy)
    if live.get("type") not in TYPES:
        raise PullSecretError(str(ref), f"its type is {live.get('type')}", " or ".join(TYPES), remedy)
    metadata = {"name": ref.name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": live["type"], "data": live["data"]}


def pulled_by(names: Iterable[str]) -> dict[str, Any]:
    """The field of a pod that names Secrets of its own namespace; none without any."""
    listed = [{"name": name} for name in names]
    return {"imagePullSecrets": listed} if listed else {}
