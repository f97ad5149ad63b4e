# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What the modules about a Corefile do with their parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import storage
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.advice import advice
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import (
    NOTE,
    REFUSED,
    WARNING,
    Finding,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.forwards import forwarded
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lint import lint
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.migrate import LOST, MANUAL, Plan, migrate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.notes import digest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    Corefile,
    CorefileError,
    GrammarError,
    ServerBlock,
    parse,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import require_valid, validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import (
    NEWEST,
    version_of,
    version_of_image,
    version_with_kubernetes,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import Sources
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient


def _config_map(params: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", params["name"], params["namespace"])


@dataclass(frozen=True)
class _Versions:
    """For which CoreDNS a Corefile is written, and which must take it.

    :param of: what it is held against.
    :param migrate_from: where it comes from, if it is to be migrated.
    :param doubt: why the version that runs is not known, and another is taken instead.
    """

    of: str
    migrate_from: str | None = None
    doubt: str = ""

    def doubts(self, name: str) -> list[Finding]:
        """The doubt, if there is one, as a finding about a Corefile."""
        if not self.doubt:
            return []
        seen = f"the version of CoreDNS is not known, since {self.doubt}; it is held against {self.of}, the newest that"
        return [Finding(NOTE, name, 0, f"{seen} is known", remedy="Set version", id="version-unknown")]


def _version(params: Mapping[str, Any], client: KubeClient | None) -> _Versions:
    """The version that is asked for, or that runs.

    :raises VersionError: what is asked for is none.
    """
    if params["version"]:
        version_of(params["version"])
        return _Versions(str(params["version"]))
    if client is None:
        return _Versions(NEWEST)
    running = storage.running_in_cluster(client, params["namespace"], params["name"])
    return _Versions(running.version, doubt=running.doubt)


def _findings(text: str, name: str, version: str, params: Mapping[str, Any]) -> list[Finding]:
    external = params["external_plugins"]
    return validate(text, name, version, external_plugins=external, sources=_sources(params))


def _sources(params: Mapping[str, Any]) -> Sources | None:
    """How to get at imported files: beside a file, and not at all in a pod."""
    return storage.files_beside if params["path"] else None


# ---- corefile --------------------------------------------------------------------------------------------------------


_RESTORED_REMEDY = "Set migrate_from to the version that it was written for"


def run_edit(
    params: Mapping[str, Any], *, client: KubeClient | None, path: Path | None, check: bool
) -> tuple[dict[str, Any], list[str]]:
    """Fulfil the wishes of module ``corefile``, or give back what was there before.

    :param client: for a ConfigMap.
    :param path: for a file.
    :returns: the module's result, and warnings about the new text.
    :raises NetopsError: see the parts.
    """
    ref = _config_map(params)
    name = str(path or ref)
    versions = _versions(params, client)
    version = versions.of
    steps: list[dict[str, Any]] = []

    def migrated(text: str) -> str:
        if not versions.migrate_from:
            return text
        plan = migrate(text, versions.migrate_from, version, params["external_plugins"])
        _require_acceptable(plan, name, version, accept_loss=params["accept_loss"])
        steps[:] = [step.to_output() for step in plan.steps]
        return plan.text

    def edit(before: str) -> str:
        text = migrated(before if params["content"] is None else params["content"])
        after = fulfil(parse(text, name), params).text
        require_valid(_findings(after, name, version, params))
        return after

    def restored(first: str) -> str:
        after = migrated(first)
        findings = _findings(after, f"{name}, as it was first", version, params)
        require_valid([replace(one, remedy=_RESTORED_REMEDY) for one in findings])
        return after

    is_absent = params["state"] == "absent"
    if client is None and path is not None:
        before, after = (
            storage.restore_file(path, restored, check=check)
            if is_absent
            else storage.edit_file(path, edit, check=check, backup=params["backup"])
        )
    elif client is not None and is_absent:
        before, after = storage.restore_config_map(
            client,
            ref,
            restored,
            check=check,
            key=params["key"],
            provisional=params["provisional"],
            accept_loss=params["accept_loss"],
        )
    elif client is not None:
        before, after = storage.edit_config_map(
            client, ref, edit, check=check, key=params["key"], provisional=params["provisional"]
        )
    else:
        raise CorefileError("corefile", "neither a ConfigMap nor a path", "one of the two")
    warnings = [doubt.text for doubt in versions.doubts(name)]
    warnings += _warnings(before, after, name, version, _sources(params))
    result = {
        "changed": before != after,
        "corefile": after,
        "version": version,
        "digest": digest(after),
        "forwarded": [] if is_absent else forwarded(parse(after, name), params),
        "api_requests": client.requests if client else 0,
        "diff": {"before_header": name, "after_header": name, "before": before, "after": after},
    }
    return ({**result, "migration": steps} if versions.migrate_from else result), warnings


def _versions(params: Mapping[str, Any], client: KubeClient | None) -> _Versions:
    """The version that must take the Corefile, and the one that it comes from, if it is to be migrated.

    :raises CorefileError: an image does not tell its version, or it is not known which one it takes the place of.
    :raises VersionError: what is asked for is none.
    """
    image = params["image"]
    if not image or client is None:
        return replace(_version(params, client), migrate_from=params["migrate_from"])
    if params["state"] == "absent":
        # What comes back is not migrated unless that is asked for: it may be what the image was running with.
        told = version_of_image(image)
        return replace(_Versions(told) if told else _version(params, client), migrate_from=params["migrate_from"])
    version = params["version"] or version_of_image(image)
    if version is None:
        raise CorefileError(
            f"image {image!r}", "its tag does not tell a version of CoreDNS", "a tag such as v1.14.2", "Set version"
        )
    version_of(version)
    running = storage.running_in_cluster(client, params["namespace"], params["name"])
    if params["migrate_from"]:
        return _Versions(version, params["migrate_from"])
    if running.image == image:
        return _Versions(version, version)
    if running.doubt:
        raise CorefileError(
            str(_config_map(params)),
            f"which version the Corefile is written for is not known, since {running.doubt}",
            "",
            "Set migrate_from",
        )
    return _Versions(version, running.version)


def _require_acceptable(plan: Plan, name: str, version: str, *, accept_loss: bool) -> None:
    kinds = (MANUAL,) if accept_loss else (MANUAL, LOST)
    stopping = [step for step in plan.steps if step.kind in kinds]
    if stopping:
        said = "; ".join(f"line {step.line}, plugin {step.plugin}: {step.what} ({step.reason})" for step in stopping)
        remedy = "Change these by hand" if stopping[0].kind == MANUAL else "Set accept_loss if you can do without them"
        raise CorefileError(name, f"CoreDNS {version} cannot do what it says: {said}", "", remedy)


def _warnings(before: str, after: str, name: str, version: str, sources: Sources | None) -> list[str]:
    """What is wrong with a text that was just written and was not wrong before."""
    if before == after or not after:
        return []
    return [
        finding.text for finding in lint(parse(after, name), name, version, sources=sources) if finding.level == WARNING
    ]


# ---- corefile_info ---------------------------------------------------------------------------------------------------


def run_info(params: Mapping[str, Any], *, client: KubeClient | None, path: Path | None) -> dict[str, Any]:
    """What module ``corefile_info`` returns.

    :raises NetopsError: the Corefile is not there, or a version is none. A Corefile that CoreDNS refuses is a finding.
    """
    ref = _config_map(params)
    name = str(path or ref)
    versions = _version(params, client)
    version = versions.of
    if client is not None:
        text = storage.read_config_map(client, ref, params["key"])
    elif path is not None and path.exists():
        text = storage.read_file(path)
    else:
        raise CorefileError(name, "it is not there", "a Corefile", "Correct the path")
    findings = _findings(text, name, version, params)
    is_valid = not any(finding.level == REFUSED for finding in findings)
    corefile, is_whole = _read(text, name)
    if is_valid and is_whole:
        findings += lint(corefile, name, version, sources=_sources(params))
        findings += advice(corefile, name, version, sources=_sources(params))
    findings += versions.doubts(name)
    plan = _plan(text, version, params) if is_valid and is_whole else None
    return {
        "changed": False,
        "corefile": text,
        "version": version,
        "valid": is_valid,
        "findings": [finding.to_output() for finding in findings],
        "server_blocks": _blocks(corefile),
        "migration": plan,
        "api_requests": client.requests if client else 0,
    }


def _plan(text: str, version: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
    target = params["target_version"]
    if params["target_kubernetes_version"]:
        target = version_with_kubernetes(params["target_kubernetes_version"])
    if not target:
        return None
    plan = migrate(text, version, target, params["external_plugins"])
    return {
        "from": version,
        "to": target,
        "complete": plan.is_complete,
        "lossless": plan.is_lossless,
        "steps": [step.to_output() for step in plan.steps],
        "corefile": plan.text,
    }


def _read(text: str, name: str) -> tuple[Corefile, bool]:
    """The structure of a text, and whether that is all of it; of a broken one that before the fault."""
    try:
        return parse(text, name), True
    except GrammarError as error:
        return error.read, False


def _blocks(corefile: Corefile) -> list[dict[str, Any]]:
    return [_block(block) for block in corefile.servers]


def _block(block: ServerBlock) -> dict[str, Any]:
    plugins = [
        {
            "name": directive.name,
            "line": directive.tokens[0].line,
            "arguments": list(directive.arguments),
            "options": [list(option.words) for option in directive.options],
        }
        for directive in block.directives
    ]
    return {"zones": list(block.names), "line": block.keys[0].line, "plugins": plugins}
