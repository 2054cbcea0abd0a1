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


FIGURES = "[...document.querySelectorAll('[data-figure]')].map(number => [number.dataset.figure, number.textContent])"


@pytest.fixture(scope="module")
def rated(chromium):
    """What stands beside each figure after two scrapes, and the share of each lane."""
    with serving("small", all_metrics=rising()) as url:
        tab = chromium.open(url)
        tab.wait(f"{figure('online tokens')} !== '–'")
        figures, shares = tab.value(
            f"[{FIGURES}, [...document.querySelectorAll('[data-share]')].map(share => share.textContent)]"
        )
    return {name: float(number.replace(",", "")) for name, number in figures}, shares


def test_both_lanes_have_a_rate_of_tokens(rated):
    figures, _ = rated
    assert figures["online tokens"] == pytest.approx(3 * figures["batch tokens"], rel=0.01)
    # Scrapes are at least two seconds apart.
    assert 0 < figures["batch tokens"] <= 501


def test_both_lanes_have_a_rate_of_rows(rated):
    figures, _ = rated
    tokens, rows = (
        np.array([figures[f"{lane} {what}"] for lane in ("online", "batch")]) for what in ("tokens", "rows")
    )
    np.testing.assert_allclose(rows, tokens / 10, rtol=0.01)


def test_both_lanes_have_the_tokens_that_wait(rated):
    figures, _ = rated
    assert (figures["online waiting"], figures["batch waiting"]) == (0, 4100)


def test_refused_requests_are_counted(rated):
    figures, _ = rated
    assert figures["refused"] == 2


def test_each_lane_has_its_share(rated):
    assert rated[1] == ["75 % of tokens", "25 % of tokens"]


def test_a_counter_that_falls_shows_no_negative_rate(chromium):
    scrapes = itertools.count()

    async def falling() -> str:
        return exposition(online=900 if next(scrapes) else 5000, batch=0)

    with serving("small", all_metrics=falling) as url:
        tab = chromium.open(url)
        tab.wait(f"{figure('online tokens')} !== '–'")
        assert tab.value(figure("online tokens")) == "0"


def test_metrics_that_fail_are_told_in_a_note_and_the_rest_goes_on(chromium):
    async def failing() -> str:
        raise OSError("a test's own")

    with serving("small", all_metrics=failing) as url:
        tab = opened(chromium, url)
        tab.wait("document.querySelector('#live-note').textContent.startsWith('No rates')")
        assert tab.text("#live-note") == "No rates at the moment. The server answered with status 500."
        embed(tab, "a text", "b")
        assert texts_of(tab, ".heat") != []
        assert tab.value("[...document.querySelectorAll('[role=alert]')].every(alert => alert.hidden)")


def test_a_hostile_text_is_shown_as_it_is(chromium, address):
    tab = opened(chromium, address)
    embed(tab, HOSTILE, "b")
    assert texts_of(tab, ".heat tbody th bdi") == [HOSTILE, "b"]
    assert tab.value("document.images.length") == 0


def test_a_hostile_name_of_a_model_is_shown_as_it_is(chromium):
    with serving(HOSTILE, "small") as url:
        tab = opened(chromium, url)
        assert (texts_of(tab, "#models h3")[0], texts_of(tab, "#model option")[0]) == (HOSTILE, HOSTILE)
        assert tab.value("document.images.length") == 0


def test_a_message_of_the_api_with_markup_is_shown_as_it_is(chromium, address):
    tab = opened(chromium, address)
    tab.value(f"document.querySelector('#model option').value = {json.dumps(HOSTILE)}")
    embed(tab, "a text")
    assert tab.text("#try-message") == f"The model '{HOSTILE}' does not exist here."
    assert tab.value("document.images.length") == 0


def test_the_policy_forbids_markup_made_of_strings(chromium, address):
    tab = opened(chromium, address)
    with pytest.raises(AssertionError, match="TrustedHTML"):
        tab.value(f"document.body.innerHTML = {json.dumps(HOSTILE)}")


@pytest.fixture(scope="module")
def used(chromium, address):
    """A tab in which texts were tried and rates have come."""
    tab = opened(chromium, address)
    embed(tab, "A cat sleeps on the warm windowsill of an old and quiet house.", HOSTILE, *"abcdefgh")
    tab.wait(f"{figure('online tokens')} !== '–'")
    return tab


def test_no_request_goes_to_another_server(address, used):
    asked = {url.removeprefix(address) for url in used.requested if not url.startswith("data:")}
    assert asked == {"", "ready", "metrics", "v1/models", "v1/embeddings"}


def test_the_browser_complains_of_nothing(used):
    assert used.complaints == []


def test_what_the_policy_forbids_would_be_noticed(chromium, address):
    tab = opened(chromium, address)
    tab.value("fetch('http://127.0.0.1:1/').catch(() => null)")
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


BEYOND_THE_EDGE = """[...document.querySelectorAll("body *")].filter(element => !element.closest(".scroll")
  && element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(one => one.outerHTML)"""


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_sticks_out_sideways(used, width):
    used.resize(width)
    assert used.value(BEYOND_THE_EDGE) == []
