# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What every back-end can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset


@dataclass(frozen=True)
class Undo:
    """How a node goes back by itself, without this collection and without Python.

    :param inputs: a program's words, and the text of the file that is its last argument or, for words that end with
        ``<``, its input.
    :param commands: shell commands after those.
    """

    inputs: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One step of what is put on probation together.

    :param make: brings it to the kernel, without touching what the next boot brings; raises NodeError when that is
        refused.
    :param undo: how the node goes back by itself, whether the step was made or not.
    """

    make: Callable[[], None]
    undo: Undo


def undo_of(changes: Sequence[Change]) -> Undo:
    """How a node goes back that may have made any number of changes: the last one first."""
    undos = [change.undo for change in reversed(changes)]
    return Undo(
        tuple(one for undo in undos for one in undo.inputs), tuple(one for undo in undos for one in undo.commands)
    )


class Backend(Protocol):
    """One of the modules of this folder; ``reported`` is always what :meth:`live` gave."""

    # As the option backend has it.
    NAME: str
    # Whether its service judges forwarded traffic, so that pods' must be let through.
    FORWARDS: bool

    def require_usable(self) -> None:
        """Require it on this node, in a state that can be worked on.

        :raises NodeError: it is not.
        """

    def live(self) -> str:
        """What the node holds of ours, in the back-end's own words."""

    def parse(self, listing: str) -> Ruleset:
        """Those words as a ruleset in its normal form."""

    def is_live(self, wanted: Ruleset, reported: str) -> bool:
        """Whether the node holds what is wanted and nothing else of ours."""

    def apply(self, wanted: Ruleset, reported: str) -> None:
        """Bring it to the kernel, without touching what the next boot brings."""

    def undo(self, wanted: Ruleset, reported: str) -> Undo:
        """How to bring back what is reported, once what is wanted has been applied."""

    def silencing(self) -> Change | None:
        """How what there is of ours comes to have no say in the kernel, as if it were not there.

        :returns: nothing where it has no say already.
        :raises NodeError: what there is cannot be read.
        """

    def is_persisted(self, wanted: Ruleset) -> bool:
        """Whether the next boot brings exactly this."""

    def persist(self, wanted: Ruleset, leaving: Sequence[Mapping[str, str]] = ()) -> None:
        """Let the next boot bring it, before the kubelet starts.

        :param leaving: what :meth:`leaving` of each former back-end gave, until that is removed.
        :raises NodeError: this node has no systemd.
        """

    def leaving(self) -> dict[str, str]:
        """What a boot must load, after another back-end has been persisted and before this one is removed.

        :returns: as :func:`boot.loading` gives it. With it, nothing of this one has a say after that boot.
        """

    def remains(self) -> list[str]:
        """What there is of ours in the kernel and in its service's files, in words for people."""

    def remove(self) -> None:
        """Take all of that away; what the next boot loads is removed, or has been exchanged, by its caller.

        :raises NodeError: a program refuses.
        """
