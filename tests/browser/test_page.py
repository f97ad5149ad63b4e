# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's page as a browser shows it, from disk and without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Question, Report, audit
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.page import page
from tests.browser.chromium import PACKAGE, Chromium
from tests.testbed.hostpackages import require_packages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPACES = ("shop", "data", "monitoring", "team-with-a-namespace-whose-name-is-as-long-as-a-name-may-be-xx", "open")
ODD = "<b>&amp;|\"'"
WIDE, NARROW = 1280, 380

FACTS = """(() => {
  const box = one => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const colour = one => getComputedStyle(one).backgroundColor;
  const svg = document.querySelector('svg');
  return {
    text: document.body.innerText,
    bold: document.querySelectorAll('b').length,
    names: [...document.querySelectorAll('.matrix tbody th')].map(one => one.innerText),
    cells: [...document.querySelectorAll('.matrix td')].map(one => [one.className, colour(one), box(one), one.title]),
    legend: [...document.querySelectorAll('.legend span')].map(one => [one.innerText, colour(one)]),
    arrows: [...svg.querySelectorAll('line')].map(one =>
      [one.textContent, getComputedStyle(one).stroke, one.getTotalLength()]),
    labels: [...svg.querySelectorAll('text')].map(one => [one.textContent, box(one)]),
    graph: box(svg),
    severe: [...document.querySelectorAll('tr.error td:first-child')].map(one => getComputedStyle(one).color),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ink: getComputedStyle(document.body).color,
  };
})()"""


def pod(namespace: str, number: int) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": namespace, "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"podIP": f"10.1.{number}.1"}}


def policy(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    whole = {"podSelector": {}, "policyTypes": ["Ingress"], **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": whole}


@pytest.fixture(scope="module")
def report() -> Report:
    shop = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}
    objects = [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in SPACES),
        *(pod(name, number) for number, name in enumerate(SPACES)),
        policy("shop", "deny"),
        policy("data", "some", ingress=[{"from": [shop], "ports": [{"port": 5432}]}]),
        policy(SPACES[3], "deny"),
        policy("monitoring", ODD, ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 22}]}]),
    ]
    return audit(objects, [Question("open/web", "data/web", "TCP", 5432)])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    require_packages(PACKAGE)
    with Chromium(tmp_path_factory.mktemp("profile")) as one:
        yield one


def shown(browser: Chromium, folder: Path, text: str, width: int = WIDE, scheme: str = "light") -> dict[str, Any]:
    """What the browser makes of a page at a width."""
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    browser.requests.clear()
    browser.complaints.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(file)
    facts: dict[str, Any] = browser.ask(FACTS)
    assert browser.requests == [file.as_uri()], "nothing but the file itself"
    assert browser.complaints == []
    return facts


def test_the_matrix_is_coloured_as_its_legend_says(browser: Chromium, report: Report, tmp_path: Path) -> None:
    facts = shown(browser, tmp_path, page(report))
    colours = dict(zip(("all", "some", "none"), [colour for _text, colour in facts["legend"]], strict=True))
    assert len(set(colours.values())) == 3
    known = {(one.source, one.destination): one.reach for one in report.matrix.cells}
    names = report.matrix.namespaces
    assert facts["names"] == list(names)
    expected = [known.get((source, destination), report.matrix.usual) for source in names for destination in names]
    assert set(expected) == {"all", "some", "none"}
    assert [(reach, colour) for reach, colour, _box, _title in facts["cells"]] == [
        (reach, colours[reach]) for reach in expected
    ]
    assert all(right - left > 10 and bottom - top > 10 for _r, _c, (left, top, right, bottom), _t in facts["cells"])
    assert "shop > data: some: TCP 5432" in [title for *_rest, title in facts["cells"]]


def test_the_graph_has_an_arrow_for_each_that_is_reached(browser: Chromium, report: Report, tmp_path: Path) -> None:
    facts = shown(browser, tmp_path, page(report))
    known = {(one.source, one.destination): one.reach for one in report.matrix.cells}
    names = report.matrix.namespaces
    expected = {
        f"{source} > {destination}: {reach}"
        for source in names
        for destination in names
        if source != destination and (reach := known.get((source, destination), report.matrix.usual)) != "none"
    }
    assert {title for title, _stroke, _length in facts["arrows"]} == expected
    assert all(length > 20 and stroke != "none" for _title, stroke, length in facts["arrows"])
    left, top, right, bottom = facts["graph"]
    for name, box in facts["labels"]:
        assert (min(box[0], left), min(box[1], top)) == (left, top), f"{name} is cut off"
        assert (max(box[2], right), max(box[3], bottom)) == (right, bottom), f"{name} is cut off"
    assert [name for name, _box in facts["labels"]] == list(names)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_hangs_out_of_the_window(browser: Chromium, report: Report, tmp_path: Path, width: int) -> None:
    assert shown(browser, tmp_path, page(report), width)["overflow"] <= 0


def test_names_are_text_and_findings_stand_out(browser: Chromium, report: Report, tmp_path: Path) -> None:
    facts = shown(browser, tmp_path, page(report))
    assert ODD in facts["text"]
    assert facts["bold"] == 0
    assert report.counts()["error"] == len(facts["severe"]) > 0
    assert set(facts["severe"]) == {"rgb(198, 40, 40)"}


def test_it_is_dark_where_the_reader_wants_it_so(browser: Chromium, report: Report, tmp_path: Path) -> None:
    inks = [shown(browser, tmp_path, page(report), scheme=scheme)["ink"] for scheme in ("light", "dark")]
    assert inks == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_what_a_page_would_load_is_noticed(browser: Chromium, report: Report, tmp_path: Path) -> None:
    """The test that would fail if a page asked for anything."""
    text = page(report).replace("</body>", '<img src="https://example.com/x.png"></body>')
    with pytest.raises(AssertionError, match="nothing but the file itself"):
        shown(browser, tmp_path, text)
