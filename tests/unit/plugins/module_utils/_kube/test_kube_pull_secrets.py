# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Secrets test pods are pulled by, and which words refuse what is none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import objects
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.pull_secrets import (
    PullSecretError,
    pulled_by,
    secret_refs,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import StandIn, pod_of


def test_secrets_are_named_with_their_namespace() -> None:
    assert secret_refs([]) == []
    assert secret_refs(["kube-system/regcred"]) == [ObjectRef("v1", "Secret", "regcred", "kube-system")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["regcred"], "pull_secrets 'regcred': it is no Secret of a namespace; expected NAMESPACE/NAME."),
        (["/regcred"], "expected NAMESPACE/NAME"),
        (["a/"], "expected NAMESPACE/NAME"),
        (["a/b/c"], "expected NAMESPACE/NAME"),
        (["a/regcred", "b/regcred"], "pull_secrets 'b/regcred': Secret 'a/regcred' has the same name"),
    ],
)
def test_what_is_no_secret_is_refused(given: list[str], said: str) -> None:
    with pytest.raises(PullSecretError) as refused:
        secret_refs(given)
    assert said in str(refused.value)


def test_every_test_pod_is_pulled_by_them() -> None:
    def pods(names: list[str]) -> list[dict[str, Any]]:
        listed = [one["spec"]["template"]["spec"] for one in objects("i", names) if one["kind"] == "DaemonSet"]
        return [*listed, pod_of(StandIn("shop", {}, (), "shop/x", "x"), "i", "uid", names)["spec"]]

    assert pulled_by([]) == {}
    assert [pod["imagePullSecrets"] for pod in pods(["regcred"])] == [[{"name": "regcred"}]] * 4
    assert not [pod for pod in pods([]) if "imagePullSecrets" in pod]
