# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nodes get images from: names with and without registry, tag and digest."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import (
    Registry,
    names_of,
    parsed,
    relocate,
    relocated,
    require_digests,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

DIGEST = f"sha256:{'0' * 64}"
OTHER = f"sha256:{'1' * 64}"
NODE = "quay.io/calico/node:v3.32.1"


@pytest.mark.parametrize(
    ("settings", "upstream", "expected"),
    [
        ({}, NODE, NODE),
        ({"host": "r.example.com"}, NODE, "r.example.com/calico/node:v3.32.1"),
        ({"host": "r.example.com:5000/", "path": "a/b"}, NODE, "r.example.com:5000/a/b/node:v3.32.1"),
        # The tag tells the version to the next run; no runtime reads it beside a digest.
        ({"digests": {"node": DIGEST}}, NODE, f"{NODE}@{DIGEST}"),
        ({"digests": {"node": DIGEST}}, f"{NODE}@{OTHER}", f"{NODE}@{DIGEST}"),
        ({"digests": {"cni": DIGEST}}, f"{NODE}@{OTHER}", f"{NODE}@{OTHER}"),
        ({"host": "r.example.com"}, f"quay.io/a/b:v1@{DIGEST}", f"r.example.com/a/b:v1@{DIGEST}"),
        # Without a tag.
        ({}, f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
        ({"host": "r.example.com"}, f"quay.io/a/b@{DIGEST}", f"r.example.com/a/b@{DIGEST}"),
        ({"digests": {"b": OTHER}}, f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{OTHER}"),
        ({}, "quay.io/a/b", "quay.io/a/b"),
        # A port is no tag.
        ({}, f"r.example.com:5000/a/b@{DIGEST}", f"r.example.com:5000/a/b@{DIGEST}"),
        ({"host": "m.example.com"}, "r.example.com:5000/a/b", "m.example.com/a/b"),
        # Without a registry.
        ({}, "busybox:1.37", "busybox:1.37"),
        ({"host": "r.example.com"}, "busybox:1.37", "r.example.com/busybox:1.37"),
        ({"host": "r.example.com"}, "calico/node:v3.32.1", "r.example.com/calico/node:v3.32.1"),
    ],
)
def test_where_an_image_comes_from(settings: dict[str, Any], upstream: str, expected: str) -> None:
    assert relocated(Registry(**settings), upstream) == expected


def test_what_is_relocated_once_is_so_twice() -> None:
    registry = Registry("r.example.com:5000", "a", digests={"node": DIGEST})
    once = relocated(registry, NODE)
    assert relocated(registry, once) == once
    assert (parsed(once).tag, parsed(once).digest) == ("v3.32.1", DIGEST)


def test_pods_of_a_manifest_that_names_digests_alone() -> None:
    containers = [{"name": "a", "image": f"quay.io/calico/node@{DIGEST}"}]
    objects = [{"kind": "DaemonSet", "spec": {"template": {"spec": {"containers": containers}}}}]
    relocate(Registry(), objects)
    assert containers[0]["image"] == f"quay.io/calico/node@{DIGEST}"
    assert names_of(objects) == ["node"]


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        ({"cilium": "v1.20.0"}, "digest of image 'cilium': 'v1.20.0'; expected sha256: and 64 hexadecimal digits"),
        ({"cilum": DIGEST}, "digest of image 'cilum': no such image is in the manifests; expected one of a, cilium"),
    ],
)
def test_a_digest_of_nothing_is_named(digests: dict[str, str], said: str) -> None:
    require_digests({"cilium": DIGEST}, ["cilium", "a"], NetopsError)
    with pytest.raises(NetopsError) as raised:
        require_digests(digests, ["cilium", "a"], NetopsError)
    assert said in str(raised.value)
