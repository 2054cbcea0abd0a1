"""The page in a real browser, of the application behind a real HTTP server."""

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from serving.http.api_keys import FixedKeys, keys_of_environment
from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.pipelines.report.browser import CHROMIUM
from tests.serving.fake_encoder import MAX_TOKENS, FakeEncoder, vector_of
from tests.serving.http.http_server import running
from tests.serving.page.devtools import Browser, Tab, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")

KEY = "a-good-key"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@contextmanager
def serving(
    *names: str, keys: FixedKeys | None = None, all_metrics: Callable[[], Awaitable[str]] | None = None
) -> Iterator[str]:
    """The address of a page over models of these names."""
    models = [ServedModel(name, FakeEncoder(), MAX_TOKENS * 64, batch_floor=0.1, deadline_seconds=30) for name in names]
    try:
        with running(http_app({model.name: model for model in models}, keys, Limits(), all_metrics=all_metrics)) as url:
            yield f"{url}/"
    finally:
        for model in models:
            model.lanes.stop()


@pytest.fixture(scope="module")
def address():
    with serving("small") as url:
        yield url


@pytest.fixture(scope="module")
def locked():
    with serving("small", keys=FixedKeys(keys_of_environment(KEY))) as url:
        yield url


def opened(chromium: Browser, address: str) -> Tab:
    """A tab that knows the models."""
    tab = chromium.open(address)
    tab.wait("document.querySelector('#models h3')")
    return tab


def embed(tab: Tab, *texts: str) -> None:
    """Tries the texts, until there is a table or a message."""
    tab.fill("#texts", "\n".join(texts))
    tab.click("#embed")
    tab.wait("document.querySelector('#cosines table') || document.querySelector('#try-message').textContent")


def use_key(tab: Tab, key: str) -> None:
    tab.wait("!document.querySelector('#key-form').hidden")
    tab.fill("#key", key)
    tab.click("#key-form button")


def is_shown(selector: str) -> str:
    """As a condition."""
    return f"document.querySelector({json.dumps(selector)}).checkVisibility()"


def texts_of(tab: Tab, selector: str) -> list[str]:
    return tab.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(element => element.textContent)")


def test_each_model_is_shown_with_its_dimension_longest_text_and_fingerprint(chromium):
    with serving("small", "other") as url:
        tab = opened(chromium, url)
        assert texts_of(tab, "#models h3") == ["small", "other"]
        assert texts_of(tab, "#models dt") == 2 * ["dimension", "max tokens", "fingerprint"]
        assert texts_of(tab, "#models dd") == 2 * ["3", "16", "f" * 64]


def test_a_model_can_be_chosen_where_there_are_several(chromium):
    with serving("small", "other") as url:
        tab = opened(chromium, url)
        assert tab.value(is_shown("#model"))
        assert texts_of(tab, "#model option") == ["small", "other"]


def test_the_table_gives_the_cosine_of_each_text_with_each(chromium, address):
    texts = ["a cat sleeps", "banks", "how do I go on from here"]
    tab = opened(chromium, address)
    embed(tab, *texts)
    vectors = np.array([vector_of(text) for text in texts])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shown = tab.value("[...document.querySelectorAll('.heat tbody tr')].map(row => [...row.cells].map(c => c.title))")
    assert [row[0] for row in shown] == texts
    np.testing.assert_allclose(np.array([row[1:] for row in shown], float), vectors @ vectors.T, atol=6e-5)


def test_the_nearer_two_texts_are_the_warmer_is_their_cell(chromium, address):
    tab = opened(chromium, address)
    embed(tab, "a cat sleeps", "banks", "how do I go on from here")
    cells = "[...document.querySelectorAll('.heat tbody td')]"
    cosine = tab.value(f"{cells}.map(cell => Number(cell.title))")
    warmth = tab.value(f"{cells}.map(cell => Number(cell.style.getPropertyValue('--warmth')))")
    assert np.array_equal(np.argsort(np.round(warmth, 3), kind="stable"), np.argsort(cosine, kind="stable"))
    assert (min(warmth), max(warmth)) == (0, 1)


def test_what_the_api_refuses_is_told_in_its_words(chromium, address):
    tab = opened(chromium, address)
    embed(tab, "a " * MAX_TOKENS)
    assert "maximum context length of 16 tokens" in tab.text("#try-message")
    assert tab.value(is_shown("#try-message"))


def test_no_texts_are_told_without_a_request(chromium, address):
    tab = opened(chromium, address)
    embed(tab, " ", "")
    assert tab.text("#try-message") == "The table shows 1 to 50 texts, and there are 0."


def test_a_server_without_keys_asks_for_none(chromium, address):
    assert not opened(chromium, address).value(is_shown("#key-form"))


def test_a_server_with_keys_asks_for_one(chromium, locked):
    tab = chromium.open(locked)
    tab.wait(is_shown("#key"))
    assert tab.text("#key-message") == ""


def test_with_a_key_the_page_goes_on(chromium, locked):
    tab = chromium.open(locked)
    use_key(tab, KEY)
    tab.wait("document.querySelector('#models h3')")
    embed(tab, "a text", "b")
    assert not tab.value(is_shown("#key-form"))
    assert len(texts_of(tab, ".heat td[title]")) == 4


def test_the_key_is_kept_when_the_page_is_loaded_again(chromium, locked):
    tab = chromium.open(locked)
    use_key(tab, KEY)
    tab.wait("document.querySelector('#models h3')")
    tab.reload()
    tab.wait("document.querySelector('#models h3')")


def test_a_wrong_key_is_told_in_the_words_of_the_api(chromium, locked):
    tab = chromium.open(locked)
    use_key(tab, "wrong")
    tab.wait(is_shown("#key-message"))
    assert tab.text("#key-message") == "Incorrect API key provided."


def test_rates_are_shown_while_a_key_is_asked_for(chromium):
    with serving("small", keys=FixedKeys(keys_of_environment(KEY)), all_metrics=rising()) as url:
        tab = chromium.open(url)
        tab.wait(is_shown("#key"))
        tab.wait(f"{figure('online tokens')} !== '–'")


def exposition(online: int, batch: int, refused: int = 0) -> str:
    """As a replica's metrics: a row has ten tokens, and batch has ten times as many waiting as were done online."""
    lines = [f'encorpus_shed_total{{replica="a",model="small"}} {refused}']
    for lane, tokens in (("online", online), ("batch", batch)):
        of = f'{{replica="a",model="small",lane="{lane}"}}'
        lines += [f"encorpus_tokens_total{of} {tokens}.0", f"encorpus_rows_total{of} {tokens // 10}.0"]
    lines.append('encorpus_waiting_tokens{replica="a",model="small",lane="batch"} 4096.0')
    return "\n".join(lines) + "\n"


def rising() -> Callable[[], Awaitable[str]]:
    """Between two scrapes, 3,000 tokens online and 1,000 of batch, and two refusals."""
    scrapes = itertools.count()

    async def all_metrics() -> str:
        scrape = next(scrapes)
        return exposition(online=3000 * scrape, batch=1000 * scrape, refused=2 * scrape)

    return all_metrics


def figure(name: str) -> str:
    return f"document.querySelector('[data-figure=\"{name}\"]').textContent"


@pytest.fixture(scope="module")
def rated(chromium):
    """A tab that has rates, its server at rest."""
    with serving("small", all_metrics=rising()) as url:
        tab = opened(chromium, url)
        tab.wait(f"{figure('online tokens')} !== '–'")
        tab.call("Emulation.setVirtualTimePolicy", policy="pause")
    return tab


def rate(tab: Tab, name: str) -> float:
    return float(tab.value(figure(name)).replace(",", ""))
