# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A plan on a node: compared, refused if it cuts the administrator off, applied, confirmed, persisted.

Whatever takes a say away from rules goes the same way: those of a former back-end, and all of them in the end.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot, confirmation
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Change, undo_of
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.choice import BACKENDS, choose
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import admits
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings, intended, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Backend
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset


@dataclass(frozen=True)
class Options:
    """How to apply a plan.

    :param backend: a name of ``BACKENDS``, or ``auto``.
    :param settings: what happens to what no rule admits.
    :param persist: bring the rules back at boot.
    :param confirm_timeout: seconds until the node goes back by itself; 0 for rules that count at once.
    :param token: of rules on probation that are hereby confirmed; empty to apply.
    :param ssh_connection: sshd's own words about the live connection (``SSH_CONNECTION``, ssh(1)); may be empty.
    :param refuse_lockout: refuse a plan that does not let that connection's next one in.
    """

    backend: str
    settings: Settings
    persist: bool
    confirm_timeout: int
    token: str
    ssh_connection: str
    refuse_lockout: bool


def require_admitted(plan: Plan, ssh_connection: str) -> None:
    """Require that the plan lets the live SSH connection's next one in.

    :raises PlanError: it does not.
    """
    words = ssh_connection.split()
    if len(words) != 4:
        return
    peer, port = words[0].partition("%")[0], int(words[3])
    if not admits(plan, peer, port):
        raise PlanError(
            f"node {plan.node_name!r}",
            f"the plan does not admit SSH from {peer} to port {port}, which this very connection uses",
            "a rule that admits it",
            "Add the address to the peer set admins in node_firewall_peers, or correct node_firewall_ssh_port",
        )


def present(plan: Plan, options: Options, *, check: bool) -> dict[str, Any]:
    """Make the node accept what the plan says; returns the module's result.

    :raises PlanError: the plan would lock the administrator out.
    :raises NodeError: the node lacks the back-end, or refuses the rules; or the confirmation came too late.
    """
    backend, reason = choose(options.backend)
    backend.require_usable()
    wanted = intended(plan, options.settings, forwards=backend.FORWARDS)
    found: dict[str, Any] = {"backend": backend.NAME, "backend_reason": reason, "rules": len(plan.rules)}
    if not options.token and options.refuse_lockout and options.settings.default != "accept":
        require_admitted(plan, options.ssh_connection)
    # Read under the lock too: what is compared here must still be there when it is changed.
    with contextlib.nullcontext() if check else confirmation.alone():
        if options.token:
            confirmation.confirm(options.token)
            _keep(backend, wanted, options)
            return {"changed": True, **found}
        if not check:
            # What is live may be undone in a moment.
            confirmation.require_none_pending()
        return {**found, **_bring(backend, wanted, options, check=check)}


def _bring(backend: Backend, wanted: Ruleset, options: Options, *, check: bool) -> dict[str, Any]:
    """Bring a node to what is wanted; returns what of it is the module's result."""
    reported = backend.live()
    live = backend.is_live(wanted, reported)
    persisted = not options.persist or backend.is_persisted(wanted)
    formers = _formers(backend, options)
    others = [line for former in formers for line in former.remains()]
    if live and persisted and not others:
        return {"changed": False}
    before = _shown(backend.parse(reported), wanted, live=live, persisted=persisted, others=others)
    found: dict[str, Any] = {"changed": True, "diff": {"before": before, "after": readable(wanted, wanted.ids)}}
    if check:
        return found
    changes = [] if live else [Change(lambda: backend.apply(wanted, reported), backend.undo(wanted, reported))]
    changes += [one for former in formers if (one := former.silencing())]
    token = _make(changes, options.confirm_timeout)
    if not token:
        _keep(backend, wanted, options)
    return {**found, "token": token}


def _shown(observed: Ruleset, wanted: Ruleset, *, live: bool, persisted: bool, others: list[str]) -> str:
    """The state before; what differs is in it."""
    text = readable(observed, wanted.ids)
    if live and not persisted:
        text += "gone after the next boot\n"
    return text + "".join(f"of the back-end before: {line}\n" for line in others)


def _formers(backend: Backend, options: Options) -> list[Backend]:
    """The back-ends that the node had before this one; they stay where nothing takes their place at the next boot."""
    names = boot.recorded_backends() if options.persist else ()
    return [BACKENDS[name] for name in names if name in BACKENDS and name != backend.NAME]


def _make(changes: Sequence[Change], confirm_timeout: int) -> str:
    """Make changes; returns the token of their probation, empty when they count at once."""
    token = uuid.uuid4().hex[:12] if changes and confirm_timeout else ""
    if token:
        confirmation.arm(token, confirm_timeout, undo_of(changes))
    for change in changes:
        change.make()
    return token


def _keep(backend: Backend, wanted: Ruleset, options: Options) -> None:
    """Persist; and take away what other back-ends held, which has had no say since the probation began.

    A node that loses its power boots with what it had, or with this: others are removed only when this is what boots,
    and until then the boot loads what their remains need.
    """
    if not options.persist:
        return
    formers = _formers(backend, options)
    if formers:
        backend.persist(wanted, [former.leaving() for former in formers])
        for former in formers:
            former.remove()
    backend.persist(wanted)


def absent(*, confirm_timeout: int, token: str, check: bool) -> dict[str, Any]:
    """Remove what this made, whatever the back-end; returns the module's result.

    What admits the administrator may be ours alone, so our rules first lose their say, on probation; only what is
    confirmed is removed.

    :param confirm_timeout: seconds until the node goes back by itself; 0 for a removal that counts at once.
    :param token: of a removal on probation that is hereby confirmed.
    :raises NodeError: the confirmation came too late, other rules are on probation, or a program refuses.
    """
    with contextlib.nullcontext() if check else confirmation.alone():
        if token:
            confirmation.confirm(token)
        elif not check:
            confirmation.require_none_pending()
        found = {name: backend.remains() for name, backend in BACKENDS.items()}
        left = [*(line for lines in found.values() for line in lines), *boot.remains()]
        names = [name for name, lines in found.items() if lines]
        result: dict[str, Any] = {
            "changed": bool(left),
            "backend": ", ".join(names),
            "backend_reason": "its objects were found" if names else "no objects were found",
            "rules": 0,
            "diff": {"before": "".join(f"{line}\n" for line in dict.fromkeys(left)), "after": ""},
        }
        if left and not check:
            silencings = [] if token else [BACKENDS[name].silencing() for name in names]
            result["token"] = _make([one for one in silencings if one], confirm_timeout)
            if not result["token"]:
                _remove(names)
        return result


def _remove(names: Sequence[str]) -> None:
    """Take away what these back-ends hold, and what the next boot loads."""
    for name in names:
        BACKENDS[name].remove()
    boot.forget()
