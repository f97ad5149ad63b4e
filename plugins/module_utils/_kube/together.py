# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""One job for many things side by side; who fails does not keep the others from being tried, and all are named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, UnreachableError
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKERS = 8
SHOWN = 10
# Fewer are done at once, or are looked at again and again by somebody who says more about them.
WORTH_TELLING = 50
Thing = TypeVar("Thing")
Result = TypeVar("Result")


def each(things: Sequence[Thing], job: Callable[[Thing], Result]) -> list[Result]:
    """The job's results in the order of the things.

    :raises NetopsError: the job failed for some; for several the text names each. When nobody answers any more,
        what has not begun is left out.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(job, thing) for thing in things]
        for number, future in enumerate(as_completed(futures), start=1):
            if len(things) >= WORTH_TELLING:
                tell(f"{number} of {len(things)} objects are done")
            if isinstance(future.exception(), UnreachableError) or getattr(future.exception(), "status", 0) == 401:
                for other in futures:
                    other.cancel()
                break
    failures = [error for future in futures if not future.cancelled() and (error := future.exception())]
    if not failures:
        return [future.result() for future in futures]
    texts = list(dict.fromkeys(map(str, failures)))
    unforeseen = [error for error in failures if not isinstance(error, NetopsError)]
    if unforeseen or len(texts) == 1:
        raise (unforeseen or failures)[0]
    more = f" And {len(texts) - SHOWN} more." if len(texts) > SHOWN else ""
    raise KubeError(f"{len(texts)} of {len(things)} objects", " ".join(texts[:SHOWN]) + more)
