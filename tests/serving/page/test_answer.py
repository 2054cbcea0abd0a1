"""The answer to `GET /`: what goes along with the page, and when it need not be sent again."""

import base64
import hashlib
import re

import pytest

from serving.http.http_app import Limits, http_app
from serving.page.answer import DOCUMENT
from tests.serving.http.http_server import ask, running


@pytest.fixture(scope="module")
def address():
    with running(http_app({}, None, Limits())) as url:
        yield f"{url}/"


def policy(address: str) -> dict[str, str]:
    parts = (part.partition(" ") for part in ask(address).headers["content-security-policy"].split("; "))
    return {name: allowed for name, _, allowed in parts}


def test_it_is_html(address):
    answer = ask(address)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == DOCUMENT


def test_a_browser_that_has_the_page_is_told_so(address):
    again = ask(address, headers={"if-none-match": ask(address).headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_a_browser_that_has_another_page_gets_this_one(address):
    assert ask(address, headers={"if-none-match": '"another"'}).body == DOCUMENT


def test_a_browser_asks_each_time_whether_the_page_is_still_the_same(address):
    assert ask(address).headers["cache-control"] == "no-cache"


def test_neither_type_nor_address_is_told_to_others(address):
    headers = ask(address).headers
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize(("directive", "tag"), [("script-src", "script"), ("style-src", "style")])
def test_the_policy_allows_the_one_script_and_the_one_style_sheet_by_their_sums(address, directive, tag):
    found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", ask(address).body.decode(), re.DOTALL)
    sums = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in found]
    assert [f"'sha256-{sums[0]}'"] == [policy(address)[directive]]
    assert len(sums) == 1


def test_the_policy_lets_the_page_ask_this_server_alone(address):
    allowed = policy(address)
    assert (allowed["default-src"], allowed["connect-src"], allowed["img-src"]) == ("'none'", "'self'", "data:")


def test_the_policy_forbids_markup_made_of_strings(address):
    allowed = policy(address)
    assert (allowed["require-trusted-types-for"], allowed["trusted-types"]) == ("'script'", "'none'")


def test_no_other_site_may_frame_the_page(address):
    assert policy(address)["frame-ancestors"] == "'none'"
