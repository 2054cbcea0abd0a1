"""What becomes of calls to replicas that give them back, die, or are not there: which are sent again, and with what."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError
from ray.serve.exceptions import RayServeException, ReplicaUnavailableError

from pipelines.corpus.plan import Unit
from pipelines.errors import EncorpusError
from pipelines.job import ledger
from pipelines.job.ledger import Claim, Holder, UnitLedger
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import Task
from serving.batch import application_state, calls
from serving.batch.application_state import Seen, Watch
from serving.batch.batch_call import Call
from serving.batch.calls import Calls

RUN = Task(0, (0, 1, 2))
LATE = Task(None)


class Application:
    """One replica's place. answer: what a call comes to, or None for no answer yet; it may raise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Call], bool | None]) -> None:
        self.seen = Seen(True, running=1)
        self.sent: list[Call] = []
        self.ledger = UnitLedger()
        self._answer = answer
        for module in (application_state, calls):
            monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(calls, "handle_to", lambda name: SimpleNamespace(do_batch_work=self))

    def do(self, *tasks: Task) -> None:
        """The tasks, and with them what may be late."""
        watch = Watch("app", lambda name: self.seen)
        no_order: Any = None
        Calls("app", watch, tasks, no_order, self.ledger).run(late=True)

    def remote(self, call: Call) -> "Response":
        self.sent.append(call)
        return Response(self, call)

    def answer(self, call: Call) -> bool | None:
        return self._answer(call)

    def end(self, call: Call, number: int, outcome: Outcome = Outcome.DONE) -> None:
        """A unit of the call has a record."""
        unit = Unit(0, number).name
        self.ledger.end(unit, Holder("a replica", call.name), Record(unit, outcome))


class Response:
    def __init__(self, application: Application, call: Call) -> None:
        self._application = application
        self._call = call

    def result(self, timeout_s: float) -> bool:
        answer = self._application.answer(self._call)
        if answer is None:
            threading.Event().wait(0.01)
            raise TimeoutError
        return answer

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._application.seen = Seen(True, running=1)


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.FAILED])
def test_of_a_run_that_is_given_back_what_has_no_record_is_sent_again(monkeypatch, outcome):
    def answer(call: Call) -> bool | None:
        if call.task.file is None:
            return False
        application.end(call, call.task.slices[0], outcome)
        return len(call.task.slices) == 1

    application = Application(monkeypatch, answer)
    application.do(RUN)
    runs = [call.task for call in application.sent if call.task != LATE]
    assert runs == [RUN, Task(0, (1, 2)), Task(0, (2,))]


def test_a_run_that_is_given_back_with_nothing_left_is_not_sent_again(monkeypatch):
    def answer(call: Call) -> bool | None:
        for number in call.task.slices:
            application.end(call, number)
        return False

    application = Application(monkeypatch, answer)
    application.do(RUN)
    assert [call.task for call in application.sent if call.task != LATE] == [RUN]


def test_a_stream_that_is_given_back_is_sent_again_from_its_beginning(monkeypatch):
    answers = iter([False, True])
    application = Application(monkeypatch, lambda call: False if call.task == LATE else next(answers))
    application.do(stripe := Task(1, done=(0, 2)))
    assert [call.task for call in application.sent if call.task != LATE] == [stripe, stripe]


def test_calls_that_come_back_while_units_are_unfinished_are_sent_again_and_know_how_long_it_has_been(monkeypatch):
    def answer(call: Call) -> bool | None:
        late = [call for call in application.sent if call.task == LATE]
        return False if call.task == LATE else len(late) > 2 or None

    application = Application(monkeypatch, answer)
    application.do(RUN)
    idle = [call.idle for call in application.sent if call.task == LATE]
    assert idle[0] < idle[1] < idle[2]


def test_a_call_without_an_answer_is_given_up_with_its_application_and_keeps_nobody_from_its_units(monkeypatch):
    monkeypatch.setattr(ledger, "GIVEN_UP_SECONDS", -1.0)
    claims = {}

    def answer(call: Call) -> bool | None:
        if call.task == LATE:
            return False
        if call.name not in claims:
            unit, holder = Unit(0, 0).name, Holder("a replica", call.name)
            application.ledger.begin(unit, holder)
            claims[call.name] = application.ledger.claim(unit, holder)
        if len(claims) == 2:
            return True
        application.seen = Seen()
        return None

    application = Application(monkeypatch, answer)
    application.do(RUN)
    assert list(claims.values()) == [Claim.MINE, Claim.MINE]


@pytest.mark.parametrize(
    "error", [RayServeException("full"), ActorUnavailableError("not reached", None)], ids=["full", "unavailable"]
)
def test_a_call_that_no_replica_takes_is_sent_again_and_nobody_died_of_it(monkeypatch, error):
    def answer(call: Call) -> bool | None:
        if len(application.sent) == 1:
            application.ledger.begin(Unit(0, 0).name, Holder("a replica", call.name))
            raise error
        return True

    application = Application(monkeypatch, answer)
    application.do(RUN)
    assert application.ledger.begin(Unit(0, 0).name, Holder("b", "b")).deaths == 0


def test_a_unit_is_told_of_the_death_of_its_replica(monkeypatch):
    def answer(call: Call) -> bool | None:
        if len(application.sent) == 1:
            application.ledger.begin(Unit(0, 0).name, Holder("a replica", call.name))
            raise ActorDiedError
        return True

    application = Application(monkeypatch, answer)
    application.do(RUN)
    assert application.ledger.begin(Unit(0, 0).name, Holder("b", "b")).deaths == 1


def test_a_task_that_dies_again_and_again_ends_the_job(monkeypatch):
    def answer(call: Call) -> bool | None:
        raise ActorDiedError

    monkeypatch.setattr(calls, "MOST_LOSSES", 3)
    application = Application(monkeypatch, answer)
    with pytest.raises(EncorpusError, match=r"^--through app: 3 replicas died at the same task"):
        application.do(RUN)
    assert [call.task for call in application.sent if call.task != LATE] == [RUN] * 3


def test_deaths_of_replicas_that_only_helped_end_no_job(monkeypatch):
    def answer(call: Call) -> bool | None:
        if call.task == LATE:
            raise ActorDiedError
        return sum(call.task == LATE for call in application.sent) > 3 or None

    monkeypatch.setattr(calls, "MOST_LOSSES", 3)
    application = Application(monkeypatch, answer)
    application.do(RUN)


def test_an_application_that_has_no_such_method_any_more_ends_the_job(monkeypatch):
    def answer(call: Call) -> bool | None:
        cause = RayServeException("Tried to call a method 'do_batch_work' that does not exist")
        raise RayTaskError("do_batch_work", "", cause).as_instanceof_cause()

    with pytest.raises(EncorpusError, match="its replica failed at a task: RayServeException"):
        Application(monkeypatch, answer).do(RUN)


def test_a_call_that_a_replica_has_no_room_for_is_sent_again(monkeypatch):
    def answer(call: Call) -> bool | None:
        if len(application.sent) == 1:
            raise RayTaskError("do_batch_work", "", ReplicaUnavailableError("stopping")).as_instanceof_cause()
        return True

    application = Application(monkeypatch, answer)
    application.do(RUN)
    assert [call.task for call in application.sent if call.task.file is not None] == [RUN, RUN]
