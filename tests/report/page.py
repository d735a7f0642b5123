"""Reading a page as a browser does, and small posteriors of every family to make pages of."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pandas as pd

from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.report import SECTIONS, render
from bayes_glmm.spec import ModelSpec

VOID = {"meta", "img", "br", "link", "hr", "input"}
WORDS = ["a", "b", "c"]
HOSTILE = "<script>alert('x')</script>\" onload=\"x & $y$"


class Page(HTMLParser):
    """What a page holds (tags and attributes in small letters), and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_fragment(text: str) -> Page:
    """Balanced tags, unique ids, figures with alternative texts, nothing that loads or runs or brings its own style."""
    page = Page(text)
    assert not page.open, "tags left open"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    assert all(image["href"].startswith("data:image/png;base64,") for image in page.all("image"))
    assert not {tag for tag, _ in page.tags} & {"img", "link", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], attributes
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", text)), "something of the network"
    return page


def check_page(text: str, without: tuple[str, ...] = ("answers",)) -> Page:
    """A whole page: sections there and linked, in order, ours the only script, of a size that can be sent."""
    page = check_fragment(text)
    anchors = [section.anchor for section in SECTIONS if section.anchor not in without]
    assert anchors == [attributes["id"] for attributes in page.all("section")]
    targets = [attributes["href"] for attributes in page.all("a")]
    assert ["#content", *(f"#{anchor}" for anchor in anchors)] == targets
    assert len(text.encode()) < 5_000_000
    assert ["en"] == [attributes.get("lang") for attributes in page.all("html")]
    [script], [style] = (re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("script", "style"))
    files = resources.files("bayes_glmm.report")
    assert files.joinpath("page.js").read_text(encoding="utf-8") == script
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    for kind, content in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    return page


def case(
    family: str, formula: str = "y ~ x + (x | g)", levels: int = 8, link: str | None = None, **columns: object
) -> Posterior:
    """A small posterior of one chain, without sampler statistics."""
    rng = np.random.default_rng(1)
    rows = 6 * levels
    g = [f"g{i:03d}" for i in np.repeat(np.arange(levels), 6)]
    data = pd.DataFrame({"x": rng.normal(size=rows), "g": g, "n": 9, **columns})
    data["y"] = {
        "gaussian": rng.normal(size=rows),
        "gamma": rng.gamma(2.0, size=rows),
        "bernoulli": rng.binomial(1, 0.4, size=rows),
        "binomial": rng.binomial(9, 0.4, size=rows),
        "beta": rng.beta(2.0, 3.0, size=rows),
        "poisson": rng.poisson(3.0, size=rows),
        "negative_binomial": rng.poisson(3.0, size=rows),
        "cumulative": rng.integers(1, 5, size=rows),
    }[family]
    formula = formula.replace("y ~", "p(y, n) ~") if family == "binomial" else formula
    spec = ModelSpec.from_formula(formula, family=family, link=link)
    auxiliary = {"sigma": 1.0, "phi": 2.0, "nu": 8.0, "zi": 0.2, "hu": 0.4, step(2): 1.0, step(3): 1.2}
    constants = (step(2), step(3)) if family == "cumulative" else spec.family.auxiliary
    small = 0.01 if link == "inverse" else 1.0
    G = {
        term.group: small * np.eye(2 if "x" in term.effects else 1) * (0.2 + 0.1 * rng.random((60, 1, 1)))
        for term in spec.formula.random
    }
    beta = np.array([3.0 if link == "inverse" else 0.0])  # where its mean stays positive
    size = 1 + formula.count("x +") + 2 * formula.count("f +")
    return posterior_at(
        spec,
        data,
        np.pad(beta, (0, size - 1)) + 0.1 * rng.normal(size=(60, size)),
        G,
        {name: auxiliary[name] * (1 + 0.05 * rng.random(60)) for name in constants},
    )


def unordered(formula: str = "y ~ x + f + (1 | g)") -> Posterior:
    """A small posterior of three categories without an order, "a" the reference."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {
            "y": rng.choice(WORDS, size=48),
            "x": rng.normal(size=48),
            "f": np.tile(WORDS, 16),
            "g": np.repeat([f"g{i}" for i in range(8)], 6),
        }
    )
    spec = ModelSpec.from_formula(formula, family="categorical")
    beta = np.array([0.3, 0.8, -0.5, 0.2]) + 0.2 * rng.normal(size=(2, 60, 4))
    G = {term.group: np.diag([0.5, 1.0]) * (0.5 + rng.random((60, 1, 1))) for term in spec.formula.random}
    u = {group: 0.5 * rng.normal(size=(60, 8, 2)) for group in G}
    return posterior_at(spec, data, beta[0], G, u=u, further={"muc": beta[1] - 0.5})


@cache
def rendered(name: str) -> str:
    """The report of one of ``POSTERIORS``, or of the hostile one, made once for all tests."""
    posterior = hostile() if name == "hostile" else POSTERIORS[name]()
    return render(posterior, title=f"A {name if name != 'hostile' else HOSTILE} model")


def hostile() -> Posterior:
    """Levels of a factor and of a group that would be markup if they were not text."""
    posterior = case("bernoulli", "y ~ x + f + (1 | g)", f=np.tile(["a", HOSTILE, "c"], 16))
    data = posterior.design.data.assign(g=[HOSTILE + str(level) for level in posterior.design.data["g"]])
    return posterior_at(posterior.spec, data, posterior.beta, {"g": posterior.G("g")})


POSTERIORS = {
    "bernoulli": lambda: case("bernoulli", "y ~ x + f + (1 | g)", f=np.tile(WORDS, 16)),
    "poisson": lambda: case("poisson", "y ~ x + offset(log(n)) + (x | g)"),
    "crossed": lambda: case("gaussian", "y ~ x + f + (1 | g) + (1 | h)", f=np.tile(WORDS, 16), h=np.repeat(WORDS, 16)),
    "cumulative": lambda: case("cumulative", "y ~ x + f + (1 | g)", f=np.tile(WORDS, 16)),
    "categorical": unordered,
}
