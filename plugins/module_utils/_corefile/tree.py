# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile as a tree over its own text: what is not edited is never rewritten.

The grammar is that of ``github.com/coredns/caddy/caddyfile/parse.go``; messages are CoreDNS' own, so that a user
finds them where CoreDNS' are explained. What plugins say about their arguments is not grammar: see ``validate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token, tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

IMPORT = "import"
# Where a key is served that names no port, by its scheme.
PORTS = {"dns": "53", "tls": "853", "quic": "853", "grpc": "443", "https": "443", "https3": "443"}


class CorefileError(NetopsError):
    """A text that CoreDNS refuses; the subject has the file's name and the line."""


class GrammarError(CorefileError):
    """A text whose structure CoreDNS refuses.

    :param file: the file, and
    :param line: the line that CoreDNS names.
    :param remedy: what to do, where that can be told.
    :ivar read: what could be read before: the text up to the end of the last whole block.
    """

    def __init__(self, file: str, line: int, seen: str, remedy: str = "") -> None:
        self.file, self.line = file, line
        self.read = Corefile("", ())
        super().__init__(f"{file}:{line}", seen, "", remedy)


@dataclass(frozen=True)
class Option:
    """One line inside a plugin's block."""

    tokens: tuple[Token, ...]

    @property
    def name(self) -> str:
        return self.tokens[0].text

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token.text for token in self.tokens)


@dataclass(frozen=True)
class Directive:
    """One plugin of a server block: its name, its arguments and its block if it has one."""

    tokens: tuple[Token, ...]

    @cached_property
    def _opens_at(self) -> int:
        """Where the brace stands that opens the block."""
        return next((at for at, token in enumerate(self.tokens) if token.text == "{"), len(self.tokens))

    @property
    def name(self) -> str:
        return self.tokens[0].text

    @property
    def head(self) -> tuple[Token, ...]:
        """The name and the arguments."""
        return self.tokens[: self._opens_at]

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(token.text for token in self.tokens[1 : self._opens_at])

    @property
    def opening(self) -> Token | None:
        return self.tokens[self._opens_at] if self._opens_at < len(self.tokens) else None

    @property
    def closing(self) -> Token | None:
        return self.tokens[-1] if self.opening and self.tokens[-1].text == "}" else None

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """The lines of the block; what is nested deeper, which no plugin takes, stays in them."""
        lines: list[list[Token]] = []
        for at in range(self._opens_at + 1, len(self.tokens) - (1 if self.closing else 0)):
            token = self.tokens[at]
            if not lines or token.opens_line_after(self.tokens[at - 1]):
                lines.append([])
            lines[-1].append(token)
        return tuple(Option(tuple(line)) for line in lines)

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True)
class ServerBlock:
    """One server block, a snippet (its name in parentheses) or an import between blocks.

    A snippet's lines are read as if they were plugins; they may be options as well.
    """

    keys: tuple[Token, ...]
    directives: tuple[Directive, ...]
    opening: Token | None
    closing: Token | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.text.removesuffix(",") for key in self.keys)

    @property
    def is_snippet(self) -> bool:
        # The parser of CoreDNS (coredns/caddy, caddyfile/parse.go, begin) ends before it looks for one where the file
        # ends behind the keys: a name in parentheses is a server's then.
        return self.opening is not None and snippet_name(self.names) is not None

    @property
    def is_import(self) -> bool:
        return bool(self.keys) and self.keys[0].text == IMPORT

    @property
    def is_server(self) -> bool:
        return bool(self.keys) and not self.is_snippet and not self.is_import

    @property
    def end(self) -> int:
        """The offset behind its last word; 0 where it has none."""
        if self.closing:
            return self.closing.end
        return max([*(key.end for key in self.keys), *(one.end for one in self.directives)], default=0)

    @property
    def shares_its_end(self) -> bool:
        """Whether its closing brace is its last plugin's: one is missing, and CoreDNS does not notice."""
        return bool(self.closing and self.directives and self.closing.end == self.directives[-1].end)

    def find(self, name: str, argument: str | None = None) -> Directive | None:
        """The first plugin of that name, with that first argument if one is given."""
        for directive in self.directives:
            if directive.name == name and (argument is None or directive.arguments[:1] == (argument,)):
                return directive
        return None


def snippet_name(keys: tuple[str, ...]) -> str | None:
    """What a block defines for ``import``, when its only key stands in parentheses."""
    if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
        return keys[0][1:-1]
    return None


@dataclass(frozen=True)
class Corefile:
    """A text and its structure; ``text`` is always exactly what was parsed."""

    text: str
    blocks: tuple[ServerBlock, ...]

    @property
    def servers(self) -> tuple[ServerBlock, ...]:
        return tuple(block for block in self.blocks if block.is_server)

    def require_ends(self, file: str = "Corefile") -> None:
        """Refuse a text that could not be edited.

        :raises CorefileError: a server block lacks its closing brace, which CoreDNS does not notice.
        """
        for block in self.servers:
            if block.shares_its_end:
                raise CorefileError(
                    f"{file}:{block.keys[0].line}",
                    f"the server block of {block.names[0]} lacks its closing brace",
                    "a brace at its end",
                    "Add it",
                )

    def server(self, zone: str) -> ServerBlock | None:
        """The block that serves a zone; on the port of its scheme unless the zone says another."""
        wanted = zone_of(zone)
        for block in self.servers:
            if wanted in {zone_of(name) for name in block.names}:
                return block
        return None


def render(corefile: Corefile) -> str:
    """The text, byte for byte as it was parsed."""
    return corefile.text


def zone_of(key: str) -> str:
    """A key in one form: ``.``, ``.:53`` and ``dns://.:53`` are the same server."""
    scheme, _unused, rest = key.rpartition("://")
    own = PORTS.get(scheme, PORTS["dns"])
    name, _unused, port = rest.rpartition(":") if rest.rpartition(":")[2].isdecimal() else (rest, "", own)
    zone = name.lower().rstrip(".") + "."
    return f"{scheme or 'dns'}://{zone}:{port}"


def parse(text: str, file: str = "Corefile") -> Corefile:
    """The structure of a Corefile as it is written: imports stand where they stand, plugins may be of any name.

    :param file: what errors call it.
    :raises GrammarError: CoreDNS could not read it.
    """
    parser = Parser(tokenize(text), file)
    try:
        return Corefile(text, parser.blocks())
    except GrammarError as error:
        end = max((block.end for block in parser.whole), default=0)
        error.read = Corefile(text[:end], tuple(parser.whole))
        raise


class Parser:
    """Reads blocks from tokens, one after the other, with one token to look back at.

    A reader that knows what imports mean puts their tokens in: see ``load``.
    """

    def __init__(self, tokens: tuple[Token, ...], file: str) -> None:
        self._file = file
        self._snippets: dict[str, tuple[Token, ...]] = {}
        self._tokens = list(tokens)
        self._at = -1
        # The blocks that were read to their end.
        self.whole: list[ServerBlock] = []

    # ---- moving ---------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> bool:
        self._at += 1
        if self._at < len(self._tokens):
            return True
        self._at -= 1
        return False

    def _on_new_line(self) -> bool:
        return self._at < 1 or self._tokens[self._at].opens_line_after(self._tokens[self._at - 1])

    def _error(self, message: str, remedy: str = "") -> GrammarError:
        token = self._tokens[self._at] if self._tokens else Token("", 0, 0, 0, 0)
        return GrammarError(token.file or self._file, token.line, f"Error during parsing: {message}", remedy)

    def _syntax_error(self, expected: str) -> GrammarError:
        token = self._token
        return GrammarError(
            token.file or self._file,
            token.line,
            f"Syntax error: Unexpected token '{token.text}', expecting '{expected}'",
        )

    def _argument_error(self) -> GrammarError:
        if self._token.text == "{":
            return self._error("Unexpected token '{', expecting argument")
        return self._error(f"Wrong argument count or unexpected line ending after '{self._token.text}'")

    # ---- what a reader of imports does otherwise ------------------------------------------------------------

    # Whether imports are replaced by what they name, or stay where they stand.
    _splices = False

    def _splice(self) -> None:
        """Put in the place of an import what it names."""

    def _meant(self, word: str) -> str:
        """What a word is when variables of the environment are put in."""
        return word

    def _require_known(self, name: str) -> None:
        """Refuse a plugin's name."""

    # ---- imports ---------------------------------------------------------------------------------------------

    def _next_argument(self) -> bool:
        following = self._at + 1
        if following >= len(self._tokens) or not self._tokens[following].continues_line_of(self._token):
            return False
        self._at = following
        return True

    def _import_argument(self) -> Token:
        """Move to what an import names."""
        if not self._next_argument():
            raise self._argument_error()
        argument = self._token
        if not self._meant(argument.text):
            raise self._error("Import requires a non-empty filepath")
        if self._next_argument():
            raise self._error("Import takes only one argument (glob pattern or file)")
        return argument

    def _import_as_written(self) -> tuple[Token, Token]:
        return self._token, self._import_argument()

    # ---- grammar --------------------------------------------------------------------------------------------

    def blocks(self) -> tuple[ServerBlock, ...]:
        """Every block.

        :raises GrammarError: CoreDNS could not read the text.
        """
        while self._next():
            self.whole.append(self._block())
        return tuple(self.whole)

    def _block(self) -> ServerBlock:
        if self._token.text == IMPORT and not self._splices:
            return ServerBlock(self._import_as_written(), (), None, None)
        keys, ended = self._keys()
        block = ServerBlock(tuple(keys), (), None, None)
        if ended:
            return block
        if snippet_name(block.names) is not None:
            return self._snippet(tuple(keys))
        opening = self._token if self._token.text == "{" else None
        if opening is None:
            self._at -= 1
        directives = self._directives()
        closing = self._token if opening else None
        if closing is not None and closing.text != "}":
            raise self._syntax_error("}")
        return ServerBlock(tuple(keys), tuple(directives), opening, closing)

    def _keys(self) -> tuple[list[Token], bool]:
        keys: list[Token] = []
        another = False
        while True:
            token = self._token
            word = self._meant(token.text)
            if word == IMPORT and self._splices and self._on_new_line():
                self._splice()
                if not self._next():
                    return keys, True
                continue
            if word == "{":
                if another:
                    raise self._error("Expected another address but had '{' - check for extra comma")
                return keys, False
            if word:
                another = word.endswith(",")
                keys.append(token if word is token.text else token._replace(text=word))
            if not self._next():
                self._require_no_more(another=another)
                return keys, True
            if not another and self._on_new_line():
                return keys, False

    def _require_no_more(self, *, another: bool) -> None:
        if another:
            raise self._error("Unexpected EOF")

    def _snippet(self, keys: tuple[Token, ...]) -> ServerBlock:
        name = snippet_name(tuple(key.text for key in keys)) or ""
        if name in self._snippets:
            raise self._error(f"redeclaration of previously declared snippet {name}")
        if self._token.text != "{":
            raise self._syntax_error("{")
        opening, depth, body = self._token, 1, []
        while depth and self._next():
            body.append(self._token)
            depth += {"{": 1, "}": -1}.get(self._token.text, 0)
        if depth:
            raise self._syntax_error("}")
        self._snippets[name] = tuple(body[:-1])
        return ServerBlock(keys, _lines(body[:-1]), opening, self._token)

    def _directives(self) -> list[Directive]:
        directives: list[Directive] = []
        while self._next() and self._token.text != "}":
            if self._token.text != IMPORT:
                directives.append(self._directive())
            elif self._splices:
                self._splice()
            else:
                directives.append(Directive(self._import_as_written()))
        return directives

    def _directive(self) -> Directive:
        self._require_known(self._meant(self._token.text))
        tokens, depth = [self._with_meaning(self._token)], 0
        while self._next():
            token = self._tokens[self._at]
            word = token.text
            if word == "{":
                depth += 1
            elif not depth and token.opens_line_after(self._tokens[self._at - 1]):
                self._at -= 1
                break
            elif word == "}":
                if not depth:
                    raise self._error("Unexpected '}' because no matching opening brace")
                depth -= 1
            elif word == IMPORT and self._splices and self._on_new_line():
                self._splice()
                continue
            tokens.append(self._with_meaning(token))
        if depth:
            raise self._error("Unexpected EOF")
        return Directive(tuple(tokens))

    def _with_meaning(self, token: Token) -> Token:
        word = self._meant(token.text)
        return token if word is token.text else token._replace(text=word)


def _lines(tokens: list[Token]) -> tuple[Directive, ...]:
    """A snippet's tokens by line, blocks kept whole."""
    lines: list[list[Token]] = []
    depth = 0
    for at, token in enumerate(tokens):
        if not lines or (not depth and token.text != "{" and token.opens_line_after(tokens[at - 1])):
            lines.append([])
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        lines[-1].append(token)
    return tuple(Directive(tuple(line)) for line in lines)
