# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What one task of the module ``network_policy_audit`` does, from its options to its result."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._policy import report as reports
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Question, Report, audit, breach
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.page import page
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import (
    Sources,
    live,
    overlaid,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": reports.text,
    "json": reports.as_json,
    "markdown": reports.markdown,
    "sarif": reports.sarif,
    "html": page,
}


def run_audit(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the options name, audit it, and render the report.

    :param asked: the module's options.
    :raises NetopsError: something cannot be read, or a question names what is not there.
    """
    networks = [_network(text) for text in asked["pod_networks"]]
    given = written(asked["definitions"], asked["src"])
    is_offline = bool(asked["definitions"] or asked["src"])
    requests = 0
    objects: Sequence[Object] = given.objects
    before: Sequence[Object] | None = None
    if asked["live"] or (asked["live"] is None and not is_offline):
        client = connect(asked)
        before = live(client)
        objects = overlaid(before, given.objects)
        requests = client.requests
    if asked["before_definitions"] or asked["before_src"]:
        before = written(asked["before_definitions"], asked["before_src"]).objects
    elif not is_offline:
        before = None
    if not objects:
        raise PolicyError("audit", "there is no object to look at", "manifests, or a live cluster", "Correct src")
    return _result(asked, audit(objects, _questions(asked), before, networks, given.places), given, requests)


def _result(asked: Mapping[str, Any], found: Report, given: Sources, requests: int) -> dict[str, Any]:
    why = breach(found, asked["fail_on"])
    return {
        "changed": False,
        **({"failed": True, "msg": why} if why else {}),
        **found.to_output(),
        "reports": {name: FORMATS[name](found) for name in asked["formats"]},
        "objects": len(given.objects),
        "api_requests": requests,
    }


def _questions(asked: Mapping[str, Any]) -> list[Question]:
    return [Question(one["source"], one["destination"], one["protocol"], one["port"]) for one in asked["reachable"]]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise PolicyError(f"pod_networks {text!r}", str(error), "a network such as 192.0.2.0/24") from error
