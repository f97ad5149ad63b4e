# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Cilium's chart: its schema read, and its templates rendered by helm."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import CLUSTER_POOL, CiliumError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import parsed
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import Placement, place
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import contents_of, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import flatten, merged
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

RELEASE, NAMESPACE = "cilium", "kube-system"
AGENTS, ENVOY, CONFIGURATION = "cilium", "cilium-envoy", "cilium-config"
# What is rendered for the check before an upgrade alone, beside what the chart always has.
REHEARSAL = "cilium-pre-flight"
REHEARSAL_VALUES = {"preflight": {"enabled": True}, "agent": False, "operator": {"enabled": False}}


@contextmanager
def unpacked(reference: str, checksum: str) -> Iterator[Path]:
    """The chart as a folder, while the block lasts.

    :param reference: a folder, a ``.tgz`` file, or the URL of one.
    :param checksum: ``sha256:HEX``; a URL must have one.
    :raises NetopsError: there is no chart, or it has another checksum.
    """
    if _is_folder(reference):
        yield _chart(Path(reference), reference)
        return
    content = contents_of(reference, checksum)[0][1]
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                _extract(archive, Path(folder))
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise CiliumError(f"chart {reference!r}", f"it cannot be unpacked: {error}", "a chart as .tgz") from error
        yield _chart(Path(folder, RELEASE), reference)


def _is_folder(reference: str) -> bool:
    try:
        return Path(reference).is_dir()
    except OSError as error:
        raise _unreadable(reference, error) from error


def _unreadable(reference: str, error: OSError) -> CiliumError:
    return CiliumError(f"chart {reference!r}", f"it cannot be read: {error.strerror}", remedy="Let this user read it")


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """A chart is files and folders. Only such are made, below the folder, and this user's own.

    Not by the filters of the standard library (PEP 706), which Debian 12's own Python 3.11.2 does not have.

    :raises TarError: there is something else in the archive.
    """
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or not (member.isdir() or member.isreg()):
            raise tarfile.TarError(f"{member.name!r} is no file or folder below it")
        content = archive.extractfile(member)
        target = folder / name if content is None else (folder / name).parent
        target.mkdir(parents=True, exist_ok=True)
        if content is not None:
            (folder / name).write_bytes(content.read())


def _chart(folder: Path, reference: str) -> Path:
    try:
        is_chart = (folder / "Chart.yaml").is_file()
    except OSError as error:
        raise _unreadable(reference, error) from error
    if not is_chart:
        raise CiliumError(f"chart {reference!r}", "it has no Chart.yaml", "the chart of Cilium as a folder or .tgz")
    return folder


def version_in(chart: Path) -> str:
    """The chart's version."""
    described = parse((chart / "Chart.yaml").read_text(encoding="utf-8"), str(chart / "Chart.yaml"))[0]
    return str(described.get("version", ""))


def schema_in(chart: Path) -> dict[str, Any]:
    """The chart's schema of values; empty when it has none."""
    file = chart / "values.schema.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return schema


def rendered(chart: Path, values: Mapping[str, Any], kubernetes: str, helm: str) -> list[Object]:
    """The chart's objects.

    :param kubernetes: the version that the chart is rendered for.
    :param helm: the program.
    :raises NetopsError: helm is missing, or refuses.
    """
    # The values may hold the key of an authority, so they pass through a file that nobody else reads.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        words = [helm, "template", RELEASE, str(chart), "--namespace", NAMESPACE, "--values", file.name]
        printed = require([*words, "--kube-version", kubernetes.lstrip("v"), "--skip-tests"], timeout=120.0)
    return flatten(parse(printed, f"helm template {chart}"))


def rehearsal(chart: Path, values: Mapping[str, Any], kubernetes: str, helm: str) -> list[Object]:
    """The objects of the chart's check before an upgrade; otherwise as :func:`rendered`."""
    objects = rendered(chart, merged(values, REHEARSAL_VALUES), kubernetes, helm)
    return [one for one in objects if one["metadata"]["name"].startswith(REHEARSAL)]


# ---- what helm has rendered elsewhere ------------------------------------------------------------------------------


def placed(objects: Sequence[Object], node_selector: Mapping[str, str]) -> None:
    """Keep agents and Envoy to nodes with these labels, as the chart's values do; the objects are changed."""
    for name in (AGENTS, ENVOY):
        for workload in _daemon_sets(objects, name):
            place(workload, "", Placement(node_selector=node_selector))


def version_of_agents(objects: Sequence[Object]) -> str:
    """The version of the agents by their image's tag; empty when a digest alone names it.

    :raises CiliumError: there are no agents.
    """
    for workload in _daemon_sets(objects, AGENTS):
        return parsed(workload["spec"]["template"]["spec"]["containers"][0]["image"]).tag
    raise CiliumError(
        "src", f"DaemonSet '{AGENTS}' is not in it", "what helm template has made of Cilium's chart", "Render it again"
    )


def networks_in(objects: Sequence[Object]) -> list[str]:
    """The networks that Cilium's operator gives to nodes for their pods, by the agents' ConfigMap; none of another way.

    The names are those of templates/cilium-configmap.yaml of Cilium 1.20.
    """
    for one in objects:
        if one.get("kind") == "ConfigMap" and one["metadata"]["name"] == CONFIGURATION:
            told = one.get("data") or {}
            if told.get("ipam") == CLUSTER_POOL:
                pools = (told.get(f"cluster-pool-ipv{family}-cidr") or "" for family in (4, 6))
                return [cidr for pool in pools for cidr in pool.split()]
    return []


def _daemon_sets(objects: Sequence[Object], name: str) -> list[Object]:
    return [one for one in objects if one.get("kind") == "DaemonSet" and one["metadata"]["name"] == name]
