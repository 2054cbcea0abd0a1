"""Turns inside a worker: many share, a suspect is alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

from pipelines.job.turns import Turns


def test_units_share_a_turn():
    turns, together = Turns(), threading.Barrier(2, timeout=30)

    def work():
        with turns.shared():
            together.wait()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(work), pool.submit(work)]:
            future.result(timeout=30)


def test_a_suspect_waits_for_the_others_and_then_is_alone():
    turns, inside, leave = Turns(), threading.Event(), threading.Event()
    order: list[str] = []

    def sharing():
        with turns.shared():
            inside.set()
            leave.wait(30)
            order.append("shared ends")

    def suspect():
        with turns.alone():
            order.append("alone")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(sharing)
        inside.wait(30)
        second = pool.submit(suspect)
        leave.set()
        first.result(timeout=30)
        second.result(timeout=30)
    assert order == ["shared ends", "alone"]


def test_nobody_joins_a_suspect():
    turns, inside, leave = Turns(), threading.Event(), threading.Event()
    order: list[str] = []

    def suspect():
        with turns.alone():
            inside.set()
            leave.wait(30)
            order.append("alone ends")

    def sharing():
        with turns.shared():
            order.append("shared")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(suspect)
        inside.wait(30)
        second = pool.submit(sharing)
        leave.set()
        first.result(timeout=30)
        second.result(timeout=30)
    assert order == ["alone ends", "shared"]
