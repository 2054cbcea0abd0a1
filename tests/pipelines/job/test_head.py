"""Whether Ray's head is there, asked of a real port."""

import socket
from contextlib import suppress

import pytest

from pipelines.job.head import AWAY_SECONDS, Head, HeadLostError, ended_with_block


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_head_that_listens_answers(port):
    assert Head(f"127.0.0.1:{port.getsockname()[1]}").answers()


def test_a_head_may_be_away_for_a_while(port):
    head = Head(f"127.0.0.1:{port.getsockname()[1]}", clock=iter([0.0, AWAY_SECONDS]).__next__)
    port.close()
    assert not head.answers()
    assert not head.lost


def test_a_head_that_is_away_for_long_is_lost(port):
    head = Head(f"127.0.0.1:{port.getsockname()[1]}", clock=iter([0.0, AWAY_SECONDS + 1]).__next__)
    port.close()
    with pytest.raises(HeadLostError, match="run the same command again"):
        head.answers()
    assert head.lost


def test_a_head_that_comes_back_was_away_from_then_on(port):
    address = f"127.0.0.1:{port.getsockname()[1]}"
    head = Head(address, clock=iter([0.0, 100.0, 100.0 + AWAY_SECONDS]).__next__)
    assert head.answers()
    port.close()
    assert not head.answers()


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_what_a_block_has_open_is_ended_with_it(error):
    ended = []
    with suppress(ValueError, KeyboardInterrupt), ended_with_block(lambda: ended.append(1)):
        if error:
            raise error
    assert ended == [1]


def test_after_a_lost_head_nothing_is_ended():
    ended = []
    with pytest.raises(HeadLostError), ended_with_block(lambda: ended.append(1)):
        raise HeadLostError
    assert ended == []
