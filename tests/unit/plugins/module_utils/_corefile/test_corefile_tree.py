# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lexer and tree of a Corefile."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import quote, tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    CorefileError,
    GrammarError,
    parse,
    render,
    zone_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("a b\n c", ["a", "b", "c"]),
        ("\ufeffa", ["a"]),
        ("foo#bar baz", ["foo", "baz"]),
        ("# all of it\nb", ["b"]),
        ('"a b" c', ["a b", "c"]),
        ('"a"b', ["a", "b"]),
        ('a"b c"', ['a"b', 'c"']),
        ('""', [""]),
        (r'"a\"b"', ['a"b']),
        (r'"a\\b"', [r"a\\b"]),
        ('"open\nend', ["open\nend"]),
        ('a "', ["a"]),
        ("a\r\nb", ["a", "b"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [token.text for token in tokenize(text)] == words


@given(st.text(alphabet='ab{}"#\\ \r\n.:', max_size=60))
@settings(max_examples=300)
def test_tokens_stand_where_they_say(text: str) -> None:
    previous = 0
    for token in tokenize(text):
        assert previous <= token.start < token.end <= len(text)
        previous = token.end


@given(st.text(alphabet='ab \t"#.:/', min_size=0, max_size=20))
@settings(max_examples=200)
def test_a_quoted_word_is_read_back(word: str) -> None:
    assert [token.text for token in tokenize(quote(word))] == [word]


def test_a_fault_keeps_what_was_read_before() -> None:
    text = "# top\na {\n  whoami\n}\nb {\n  errors {\n"
    with pytest.raises(GrammarError) as refused:
        parse(text)
    read = refused.value.read
    assert render(read) == text[: text.index("\nb {")]
    assert [block.names for block in read.servers] == [("a",)]


def test_structure() -> None:
    corefile = parse(". a.example.com:1053 {\n  errors\n  forward . 192.0.2.1 {\n    policy random # why\n  }\n}\n")
    (block,) = corefile.blocks
    assert block.names == (".", "a.example.com:1053")
    assert [directive.name for directive in block.directives] == ["errors", "forward"]
    forward = block.directives[1]
    assert forward.arguments == (".", "192.0.2.1")
    assert forward.options[0].words == ("policy", "random")


def test_a_block_without_braces_and_a_snippet() -> None:
    corefile = parse("(one) {\n  errors {\n  }\n}\n.:53\nimport one\nwhoami\n")
    assert [block.is_snippet for block in corefile.blocks] == [True, False]
    assert [directive.name for directive in corefile.blocks[1].directives] == ["import", "whoami"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (". {\n  errors\n", "Corefile:2: Syntax error: Unexpected token 'errors', expecting '}'."),
        (". { errors }\n", "Corefile:1: Error during parsing: Unexpected '}' because no matching opening brace."),
        (". {\n  forward . 192.0.2.1 {\n", "Corefile:2: Error during parsing: Unexpected EOF."),
        ("a, {\n}\n", "check for extra comma"),
        (". {\n  import\n}\n", "Wrong argument count or unexpected line ending after 'import'"),
        ("(a) {\n}\n(a) {\n}\n", "redeclaration of previously declared snippet (a)".replace("(a)", "a")),
    ],
)
def test_refusals_name_the_line(text: str, message: str) -> None:
    with pytest.raises(CorefileError) as refused:
        parse(text)
    assert message in str(refused.value)


@given(st.text(alphabet='ab{}"#\\ \r\n.:,()$%\t\ufeff', max_size=80))
@settings(max_examples=400)
def test_what_can_be_read_is_rendered_byte_for_byte(text: str) -> None:
    try:
        corefile = parse(text)
        assert render(corefile) == text
    except GrammarError as error:
        # Of a text with a fault that goes for what is before it.
        corefile = error.read
        assert text.startswith(render(corefile))
        assert parse(render(corefile)).blocks == corefile.blocks
    for block in corefile.blocks:
        for directive in block.directives:
            for token in directive.tokens:
                assert token in tokenize(text)


def test_imports_stand_where_they_are_written() -> None:
    corefile = parse("import top.conf\n. {\n  import a\n  hosts {\n    import b\n  }\n}\n")
    assert [block.is_import for block in corefile.blocks] == [True, False]
    assert corefile.servers[0].find("import", "a")
    hosts = corefile.servers[0].find("hosts")
    assert hosts
    assert hosts.options[0].words == ("import", "b")


@pytest.mark.parametrize("key", [".", ".:53", "dns://.:53", "dns://."])
def test_keys_of_one_server(key: str) -> None:
    assert zone_of(key) == "dns://.:53"


@pytest.mark.parametrize(
    ("key", "same"),
    [
        ("tls://a", "tls://a.:853"),
        ("quic://a", "quic://A:853"),
        ("https://a", "https://a:443"),
        ("https3://a", "https3://a:443"),
        ("grpc://a", "grpc://a:443"),
    ],
)
def test_each_scheme_has_its_port(key: str, same: str) -> None:
    assert zone_of(key) == zone_of(same)
    assert zone_of(key) != zone_of(f"{key}:53")
