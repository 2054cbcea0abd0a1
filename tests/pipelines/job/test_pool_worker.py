"""A worker of a pool leaves a node that has been given notice: between two units, and when its last call is back."""

import threading
from collections.abc import Callable

import pytest

from pipelines.job.pool_worker import ASK_SECONDS, Leaving, Notice, PoolWorker
from pipelines.job.tasks import Task, task_table

GIVE_UP_SECONDS = 60


class Ends:
    """Counts how often the process would have ended."""

    def __init__(self) -> None:
        self.times = 0
        self._ended = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self._ended.set()

    def come(self, seconds: float = GIVE_UP_SECONDS) -> bool:
        return self._ended.wait(seconds)


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def leaving(ends):
    return Leaving(ends, answer_seconds=0)


def leaver(leaving: Leaving) -> threading.Thread:
    """A call that leaves."""

    def leave() -> None:
        with leaving.call():
            leaving.leave()

    return begun(leave)


def begun(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_call_that_leaves_ends_the_process(leaving, ends):
    leaver(leaving)
    assert ends.come()


def test_calls_of_which_none_leaves_do_not_end_it(leaving, ends):
    for _ in range(2):
        with leaving.call():
            pass
    assert not ends.times


def test_it_does_not_end_before_the_other_call_is_back(leaving, ends):
    with leaving.call():
        leaver(leaving)
        assert not ends.come(seconds=0.2)
    assert ends.come()


def test_the_answer_of_the_last_call_is_on_its_way_before_it_ends(ends):
    leaving = Leaving(ends, answer_seconds=0.2)
    with leaving.call():
        leaver(leaving)
    assert not ends.times
    assert ends.come()


def test_a_call_that_fails_is_back_too(leaving, ends):
    with pytest.raises(ValueError, match="of its own"), leaving.call():
        leaver(leaving)
        raise ValueError("of its own")
    assert ends.come()


def test_of_two_calls_that_leave_one_ends_the_process(leaving, ends):
    threads = [leaver(leaving) for _ in range(2)]
    assert ends.come()
    for thread in threads:
        thread.join(0.1)
    assert ends.times == 1


def test_a_call_that_leaves_does_not_come_back(leaving, ends):
    thread = leaver(leaving)
    assert ends.come()
    thread.join(0.1)
    assert thread.is_alive()


class Head:
    """Ray's head and a clock. asked: how often it was."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.draining: dict[str, int] | None = {}

    def __call__(self) -> dict[str, int]:
        self.asked += 1
        if self.draining is None:
            raise RuntimeError("the head is away")
        return self.draining

    def clock(self) -> float:
        return self.now


@pytest.fixture
def head():
    return Head()


@pytest.fixture
def notice(head):
    return Notice("here", head, head.clock)


def test_notice_is_given_to_the_nodes_that_are_draining(head, notice):
    head.draining = {"there": 1}
    assert not notice.given()
    head.draining, head.now = {"here": 1, "there": 1}, ASK_SECONDS
    assert notice.given()


def test_the_head_is_asked_once_in_a_while(head, notice):
    for head.now in (0.0, ASK_SECONDS / 2, ASK_SECONDS, 1.5 * ASK_SECONDS):
        notice.given()
    assert head.asked == 2


def test_what_has_been_given_stays_given(head, notice):
    head.draining = {"here": 1}
    assert notice.given()
    head.draining, head.now = {}, ASK_SECONDS
    assert notice.given()


def test_a_head_that_is_away_gives_no_notice_and_is_asked_again_in_a_while(head, notice):
    head.draining = None
    assert not notice.given()
    head.draining = {"here": 1}
    assert not notice.given()
    head.now = ASK_SECONDS
    assert notice.given()


class Work:
    """A worker that ends its tasks, or leaves something of each."""

    def __init__(self, ends: bool) -> None:
        self.ends = ends
        self.tasks: list[Task] = []
        self.over: object = None

    def do(self, task: Task, over: Callable[[], bool]) -> bool:
        self.tasks.append(task)
        self.over = over
        return self.ends


@pytest.fixture
def pool_worker_of(notice, leaving):
    """A PoolWorker whose work is the given one."""

    def made(work: Work) -> PoolWorker:
        worker = PoolWorker.__new__(PoolWorker)
        vars(worker).update(_worker=work, _notice=notice, _leaving=leaving)
        return worker

    return made


def test_a_task_that_is_done_has_its_table_back(pool_worker_of, notice, ends):
    work, table = Work(ends=True), task_table(Task(3, (1,)))
    assert pool_worker_of(work)(table) is table
    assert work.tasks == [Task(3, (1,))]
    assert work.over == notice.given
    assert not ends.times


def test_after_notice_no_task_is_begun(pool_worker_of, head, ends):
    head.draining = {"here": 1}
    work = Work(ends=True)
    begun(lambda: pool_worker_of(work)(task_table(Task(3, (1,)))))
    assert ends.come()
    assert not work.tasks


def test_a_worker_whose_task_is_not_done_leaves(pool_worker_of, ends):
    begun(lambda: pool_worker_of(Work(ends=False))(task_table(Task(3, (1,)))))
    assert ends.come()
