# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The form in which a plugin's rules are written down, and how words are held against them.

Rules are named tuples: every import makes hundreds of them, and their classes, which take a dataclass three times as
long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.cursor import Cursor, RefusalError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import depends_on_environment
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.values import ANY, Kind, near_miss
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import Version, said, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token


class Scope(NamedTuple):
    """Where a plugin stands.

    :param keys: the keys of its server block.
    """

    version: Version
    keys: tuple[str, ...]

    def since(self, version: str) -> bool:
        """Whether CoreDNS is of a version or newer."""
        return self.version >= version_of(version)


Words = tuple[str, ...]
Read = Callable[[Cursor, Scope], Words]
# The options of one use of a plugin, in order: name and words of each.
Options = list[tuple[str, Words]]
Check = Callable[[Cursor, Scope, Words, Options], None]


class Option(NamedTuple):
    """One option of a plugin's block.

    :param read: reads its arguments.
    :param since: the first version that has it; empty for as long as the plugin.
    :param gone: the first version that refuses it; empty for never.
    :param once: whether a second use in one block is refused.
    """

    read: Read
    since: str = ""
    gone: str = ""
    once: bool = False


class Rule(NamedTuple):
    """How a plugin reads its words.

    :param head: reads the arguments behind its name.
    :param options: what its block may hold; ``None`` when it does not look at a block.
    :param unread_before: the version before which nothing behind its name is looked at.
    :param block_since: the version since which it looks at a block.
    :param once_before: the version before which it may be used once.
    :param often: ``many`` uses in a server block, ``once``, ``first`` (what follows the first use is not read),
        ``filled`` (what follows the first use with an option is not read) or ``alone`` (nothing may follow).
    :param first_before: the version before which what follows the first use is not read.
    :param strict_since: the version before which what is none of the options is passed over.
    :param passes_over: whether words that stand where the plugin's name should are passed over.
    :param opens: whether the block is read after these arguments.
    :param other: reads what is none of the options.
    :param names: how an option's name is compared.
    :param check: looks at one use as a whole.
    :param each: looks at what was read so far, after each option.
    """

    head: Read
    options: Mapping[str, Option] | None = None
    often: str = "many"
    unread_before: str = ""
    block_since: str = ""
    once_before: str = ""
    first_before: str = ""
    strict_since: str = ""
    passes_over: bool = False
    opens: Callable[[Words, Scope], bool] = lambda _words, _scope: True
    other: Check | None = None
    names: Callable[[str], str] = str
    check: Check | None = None
    each: Check | None = None


# ---- readers ---------------------------------------------------------------------------------------------------------


def require(cursor: Cursor, kind: Kind, word: str, what: str = "") -> None:
    """Refuse a word that is not of a kind; a word out of the environment may be anything."""
    if not kind.accepts(word) and not depends_on_environment(word):
        raise cursor.refuse(f"{what}{' ' if what else ''}{word!r}", kind.expected, kind.remedy(word))


def words(low: int = 0, high: int | None = None, *kinds: Kind) -> Read:
    """What is left of the line: from ``low`` to ``high`` words, the last kind for all that follow."""

    def read(cursor: Cursor, _scope: Scope) -> Words:
        found = cursor.arguments()
        require_count(cursor, found, low, high)
        for place, word in enumerate(found):
            require(cursor, kinds[min(place, len(kinds) - 1)] if kinds else ANY, word)
        return found

    return read


def require_count(cursor: Cursor, found: Words, low: int, high: int | None) -> None:
    """Refuse too few or too many arguments."""
    if len(found) < low or (high is not None and len(found) > high):
        count = f"{low}" if low == high else f"at least {low}" if high is None else f"{low} to {high}"
        extra = found[high:] if high is not None else ()
        raise cursor.refuse(counted(found), count if high != 0 else "none", _taken_out(extra))


def _taken_out(extra: Words) -> str:
    return f"Take out {' '.join(extra)}" if extra and all(extra) else ""


def counted(found: Words) -> str:
    """How many arguments there are, in words."""
    return "no argument" if not found else "1 argument" if len(found) == 1 else f"{len(found)} arguments"


def first_words(kind: Kind, low: int = 1, *more: Kind) -> Read:
    """What is left of the line, of which only the first words are looked at."""

    def read(cursor: Cursor, _scope: Scope) -> Words:
        found = cursor.arguments()
        require_count(cursor, found, low, None)
        for one, word in zip((kind, *more), found):
            require(cursor, one, word)
        return found

    return read


def one(kind: Kind = ANY) -> Read:
    """One word; what follows it on the line is read as the next option."""

    def read(cursor: Cursor, _scope: Scope) -> Words:
        if not cursor.next_argument():
            raise cursor.refuse("no argument", kind.expected)
        require(cursor, kind, cursor.word)
        return (cursor.word,)

    return read


def nothing(cursor: Cursor, _scope: Scope) -> Words:
    """No word, not even a brace."""
    if cursor.next_argument():
        raise cursor.refuse(f"argument {cursor.word!r}", "none", "Take it out")
    return ()


def flag(_cursor: Cursor, _scope: Scope) -> Words:
    """Nothing is read; what follows on the line is the next option."""
    return ()


NO_WORDS = words(0, 0)
REST = words()


def limited(reader: Read, *limits: tuple[str, int]) -> Read:
    """As ``reader``, but versions before the ones named take fewer words."""

    def read(cursor: Cursor, scope: Scope) -> Words:
        found = reader(cursor, scope)
        for version, most in limits:
            if len(found) > most and not scope.since(version):
                expected = f"at most {most} before CoreDNS {version}"
                raise cursor.refuse(counted(found), expected, _taken_out(found[most:]))
        return found

    return read


def before(version: str, older: Read, newer: Read) -> Read:
    """One reader up to a version, another from it on."""
    return lambda cursor, scope: (newer if scope.since(version) else older)(cursor, scope)


# ---- one plugin ------------------------------------------------------------------------------------------------------


class _Use:
    """One use of a plugin while it is read."""

    def __init__(self, head: Words) -> None:
        self.head = head
        self.options: Options = []


def hold(name: str, rule: Rule, tokens: Sequence[Token], scope: Scope) -> None:
    """Read the words of a plugin of one server block.

    :raises RefusalError: CoreDNS stops there.
    """
    if rule.unread_before and not scope.since(rule.unread_before):
        return
    cursor = Cursor(tokens, nests=scope.since("1.15.0"), notices_end=scope.since("1.13.0"))
    count = 0
    is_once = rule.often == "once" or (rule.once_before and not scope.since(rule.once_before))
    is_filled = False
    while cursor.next() and not is_filled:
        if rule.passes_over and cursor.word != name:
            continue
        if count and is_once:
            raise cursor.refuse("it is used twice in a server block", "one use", "Merge the two")
        if count and rule.often == "alone":
            raise cursor.refuse(f"{cursor.word!r} follows its arguments", f"nothing behind the arguments of {name}")
        count += 1
        use = _hold_use(rule, cursor, scope)
        if rule.often == "first" or (rule.first_before and not scope.since(rule.first_before)):
            return
        is_filled = rule.often == "filled" and bool(use.options)
    if rule.often == "filled" and not is_filled:
        raise cursor.refuse("no block, or one without an option", "an option")


def _hold_use(rule: Rule, cursor: Cursor, scope: Scope) -> _Use:
    use = _Use(rule.head(cursor, scope))
    has_block = rule.options is not None and (not rule.block_since or scope.since(rule.block_since))
    if has_block and rule.opens(use.head, scope):
        while cursor.next_in_block():
            _hold_option(rule, cursor, scope, use)
    if rule.check is not None:
        rule.check(cursor, scope, use.head, use.options)
    return use


def _hold_option(rule: Rule, cursor: Cursor, scope: Scope, use: _Use) -> None:
    name = rule.names(cursor.word)
    option = (rule.options or {}).get(name)
    if option is None or not _exists(option, scope):
        if rule.other is not None:
            rule.other(cursor, scope, use.head, use.options)
            return
        if rule.strict_since and not scope.since(rule.strict_since):
            return
        raise _unknown(rule, cursor, scope, name, option)
    if option.once and name in {other for other, _words in use.options}:
        raise cursor.refuse(f"option {name!r} is given twice", "one", "Remove one of the two")
    try:
        use.options.append((name, option.read(cursor, scope)))
    except RefusalError as refusal:
        raise RefusalError(
            refusal.file, refusal.line, f"option {name}: {refusal.seen}", refusal.expected, refusal.remedy
        ) from None
    if rule.each is not None:
        rule.each(cursor, scope, use.head, use.options)


def _exists(option: Option, scope: Scope) -> bool:
    return (not option.since or scope.since(option.since)) and not (option.gone and scope.since(option.gone))


def _unknown(rule: Rule, cursor: Cursor, scope: Scope, name: str, option: Option | None) -> RefusalError:
    if option is not None and option.since and not scope.since(option.since):
        return cursor.refuse(
            f"option {name!r} does not exist in CoreDNS {said(scope.version)}", f"CoreDNS {option.since} or newer"
        )
    if option is not None:
        return cursor.refuse(f"option {name!r} is gone since CoreDNS {option.gone}", "", "Remove it, or migrate")
    known = sorted(other for other, it in (rule.options or {}).items() if _exists(it, scope))
    expected = f"one of {', '.join(known)}" if known else "no block"
    return cursor.refuse(f"option {name!r} is unknown", expected, near_miss(name, known))
