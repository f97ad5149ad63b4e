# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects out of files, folders and URLs, and what is wrong with a source."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import load
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n"
TWO = b"---\n" + ONE + b"---\n\n---\n" + ONE.replace(b"one", b"two")


def sum_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_unused: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web server with a manifest."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "two.yml").write_bytes(TWO)
    (folder / "binary.yml").write_bytes(b"\xff\xfe")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_a_url_is_read_when_its_checksum_is_right(site: str) -> None:
    url = f"{site}/two.yml"
    assert names(load([], [url], {url: sum_of(TWO)})) == ["one", "two"]
    assert names(load([], [url], {url: sum_of(TWO).upper().replace("SHA256", "sha256")})) == ["one", "two"]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_bytes(ONE.replace(b"one", name[:1].encode()))
    assert names(load([], [str(tmp_path)])) == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "checksum", "message"),
    [
        ("two.yml", sum_of(ONE), f"its checksum is {sum_of(TWO)}; expected {sum_of(ONE)}. Find out who changed it"),
        ("two.yml", "", "it has no checksum. Give its checksum: what a URL serves may change"),
        ("two.yml", "md5:0123", "checksum 'md5:0123' is unknown; expected sha256:HEX"),
        ("two.yml", "sha256:", "checksum 'sha256:' is unknown"),
        ("absent.yml", sum_of(ONE), "it cannot be read: HTTP Error 404"),
        ("binary.yml", sum_of(b"\xff\xfe"), "it is no UTF-8 text"),
    ],
)
def test_what_is_wrong_with_a_url_is_named(site: str, source: str, checksum: str, message: str) -> None:
    url = f"{site}/{source}"
    with pytest.raises(ManifestError) as refused:
        load([], [url], {url: checksum})
    assert url in str(refused.value)
    assert message in str(refused.value)


def test_a_server_that_is_not_there_is_named() -> None:
    url = "http://127.0.0.1:9/a.yml"
    with pytest.raises(ManifestError, match=r"it cannot be read: .*Check the URL and the proxy, or give a local file"):
        load([], [url], {url: sum_of(ONE)})


def test_checksums_of_files_are_required_too(tmp_path: Path) -> None:
    file = tmp_path / "one.yml"
    file.write_bytes(ONE)
    assert names(load([], [str(file)], {str(file): sum_of(ONE)})) == ["one"]
    for sources, checksums, message in (
        ([str(file)], {str(file): sum_of(TWO)}, "Find out who changed it"),
        ([str(tmp_path)], {str(tmp_path): sum_of(ONE)}, "it is a folder; a checksum fits a file or a URL"),
        ([str(file)], {"other.yml": sum_of(ONE)}, "checksum of 'other.yml': src does not name it"),
    ):
        with pytest.raises(ManifestError) as refused:
            load([], sources, checksums)
        assert message in str(refused.value)


def written(*lines: str, kind: str = "Thing") -> str:
    return "\n".join(("apiVersion: example.com/v1", f"kind: {kind}", "metadata: {name: one}", *lines))


# What kubectl makes of the same texts (sigs.k8s.io/yaml).
AS_KUBECTL = {
    "2024-01-01": "2024-01-01",
    "2001-12-14t21:59:43.10-05:00": "2001-12-14t21:59:43.10-05:00",
    "!!timestamp 2024-01-01": "2024-01-01",
    "[2024-01-01]": ["2024-01-01"],
    "{2024-01-01: x, 1: a, true: b, 1.5: c, 0x10: d}": {
        "2024-01-01": "x",
        "1": "a",
        "true": "b",
        "1.5": "c",
        "16": "d",
    },
    "{<<: {1: a}, b: c}": {"1": "a", "b": "c"},
    "1.5": 1.5,
    "~": None,
}


@pytest.mark.parametrize(("text", "value"), AS_KUBECTL.items())
def test_dates_and_keys_are_text(text: str, value: Any) -> None:
    [obj] = load([written(f"spec: {text}")], [])
    assert obj["spec"] == value
    assert json.loads(json.dumps(obj)) == obj


def test_an_object_whose_name_looks_like_a_date_has_it() -> None:
    assert names(load(["{apiVersion: v1, kind: Namespace, metadata: {name: 2024-01-01}}"], [])) == ["2024-01-01"]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("{a: [x, !!binary aGVsbG8=]}", "spec.a.1 is of type bytes"),
        ("{a: !!set {x, y}}", "spec.a is of type set"),
        ("!!omap [a: b]", "spec.0 is of type tuple"),
        ("{a: .nan}", "spec.a is nan, which is no number"),
        ("{a: -.inf}", "spec.a is -inf, which is no number"),
        ("{a: {~: x}}", "spec.a has a key of type NoneType"),
        ("{a: {!!binary aGVsbG8=: x}}", "spec.a has a key of type bytes"),
        ("&all {a: [*all]}", "a value holds itself"),
    ],
)
def test_what_json_does_not_have_is_named_with_its_object(text: str, seen: str) -> None:
    inner = written(f"spec: {text}")
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + inner.replace("\n", "\n  ")
    for given in (inner, listed):
        with pytest.raises(ManifestError) as refused:
            load([given], [])
        assert str(refused.value).startswith(f"Thing 'one': {seen}; expected ")


def test_a_secret_is_not_shown_with_what_is_wrong_in_it() -> None:
    with pytest.raises(ManifestError) as refused:
        load([written("data: {key: !!binary aGVsbG8=}", kind="Secret")], [])
    assert "Secret 'one': data.key is of type bytes" in str(refused.value)
    assert "hello" not in str(refused.value)


def test_a_mapping_may_hold_what_json_does_not_have() -> None:
    """Ansible gives such a number as it is."""
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"a": float("inf")}}
    with pytest.raises(ManifestError, match=r"Thing 'one': spec\.a is inf, which is no number"):
        load([thing], [])


def test_what_may_not_be_read_is_named(closed: Path) -> None:
    for source in (closed, closed / "one.yml"):
        with pytest.raises(ManifestError, match=f"src '{source}': it cannot be read: Permission denied"):
            load([], [str(source)])
