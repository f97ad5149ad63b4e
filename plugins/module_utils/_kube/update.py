# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Changes of an object that somebody else may be changing too: over the version that was read, or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef

Result = TypeVar("Result")
ATTEMPTS = 10


def update(
    client: KubeClient,
    ref: ObjectRef,
    change: Callable[[Optional[Object]], tuple[Result, bool]],
    *,
    check: bool,
) -> Result:
    """Read an object, change it and write it; when somebody wrote in between, read and change again.

    :param change: gets the object, or nothing when it is not there, changes it in place, and returns its result and
        whether there is anything to write.
    :param check: let the server judge the change without keeping it.
    :returns: the result of the change that was written, or that had nothing to write.
    :raises ConflictError: somebody else writes faster than this can.
    """
    attempt = 0
    while True:
        attempt += 1
        live = client.get(ref)
        result, is_change = change(live)
        if live is None or not is_change:
            return result
        try:
            client.replace(live, dry_run=check)
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
            # Who writes often is left time to end.
            time.sleep(min(0.5, 0.01 * 2**attempt))
            continue
        return result
