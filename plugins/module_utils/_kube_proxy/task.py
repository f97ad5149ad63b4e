# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``kube_proxy_config`` does, from its options to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY, mode_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import (
    ConfigurationError,
    digest,
    edit,
    read,
    require_sound,
    settings_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import ipvs_notice, minor_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import given
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import Place

# Beside a file: its text before the first edit.
BACKUP = ".before"


def configure(asked: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Do what the options ask.

    :param asked: the module's options.
    :returns: the module's result, and ``notices``: what to warn of.
    :raises NetopsError: a value, the configuration, the file or the API server stands in the way.
    """
    wanted = given(asked)

    def change(text: str, minor: int) -> str:
        require_sound(wanted, minor)
        return edit(text, wanted, minor)

    if asked["path"]:
        outcome, requests = _configure_file(asked, change, check=check), 0
        name = asked["path"]
    else:
        from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect

        client = connect(asked)
        outcome = _configure_cluster(client, asked, change, wanted, check=check)
        requests, name = client.requests, str(CONFIG_MAP)
    content = read(outcome.after)
    mode = mode_of(content, minor_of(outcome.version))
    return {
        "changed": outcome.before != outcome.after or outcome.restarted,
        "mode": mode,
        "settings": settings_of(content),
        "restarted": outcome.restarted,
        "pending_nodes": list(outcome.pending_nodes),
        "api_requests": requests,
        "notices": [one for one in [ipvs_notice(outcome.version)] if one and mode == "ipvs" and outcome.restarted],
        "diff": {
            "before": outcome.before.rstrip("\n") + "\n",
            "after": outcome.after.rstrip("\n") + "\n",
            "before_header": name,
            "after_header": name,
        },
    }


def _configure_cluster(
    client: Any, asked: Mapping[str, Any], change: rollout.Edit, wanted: Mapping[Place, Any], *, check: bool
) -> rollout.Outcome:
    patience = asked["wait_timeout"] if asked["wait"] else 0
    held = asked["restart"] == "held"
    if asked["state"] == "absent":
        return rollout.restore(client, held=held, check=check, wait_timeout=patience)
    return rollout.configure(client, change, wanted, held=held, check=check, wait_timeout=patience)


def _configure_file(asked: Mapping[str, Any], change: rollout.Edit, *, check: bool) -> rollout.Outcome:
    path, minor = asked["path"], minor_of(asked["version"])
    text, backup = files.read(path), files.read(path + BACKUP)
    if text is None:
        raise ConfigurationError(
            f"{KEY} {path!r}", "there is no such file on this host", remedy="Name the file of kube-proxy's --config"
        )
    is_absent = asked["state"] == "absent"
    after = (backup if backup is not None else text) if is_absent else change(text, minor)
    if not check and after != text:
        if backup is None and not is_absent:
            files.write(path + BACKUP, text)
        files.replace(path, after)
    if not check and is_absent:
        files.remove(path + BACKUP)
    needed = digest(after, minor) != digest(text, minor)
    return rollout.Outcome(text, after, needed, asked["version"])
