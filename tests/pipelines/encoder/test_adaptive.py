"""Graph or XLA: a shape is compiled when the time it took would have paid for it, and only where it pays."""

import numpy as np
import pytest

from pipelines.encoder.adaptive import AdaptiveFunction

SHAPE = (4, 8)


class Machine:
    """A clock that the functions under test move by what they cost. compiled_lives: calls until compiled code fails."""

    def __init__(
        self,
        graph_cost=1.0,
        compiled_cost=0.5,
        compile_cost=2.0,
        compiled_offset=0.0,
        fails=False,
        compiled_lives=1000,
        first_graph_cost=None,
    ):
        self.now = 0.0
        self.graph_calls = self.compiled_calls = self.compilations = 0
        self._costs = graph_cost, compiled_cost, compile_cost
        self._offset = compiled_offset
        self._first_graph_cost = graph_cost if first_graph_cost is None else first_graph_cost
        self._fails = fails
        self._lives = compiled_lives
        self.function = AdaptiveFunction(self._graph, self._compile, clock=lambda: self.now)

    def _graph(self, word_ids, mask, type_ids):
        self.graph_calls += 1
        self.now += self._costs[0] if self.graph_calls > 1 else self._first_graph_cost
        return word_ids.sum(axis=1).astype(np.float32)

    def _compile(self, shape):
        if self._fails:
            raise RuntimeError("no XLA kernel")
        self.compilations += 1
        first = [self._costs[2]]

        def compiled(word_ids, mask, type_ids):
            self.compiled_calls += 1
            if self.compiled_calls > self._lives:
                raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
            self.now += first.pop() if first else self._costs[1]
            return word_ids.sum(axis=1).astype(np.float32) + self._offset

        return compiled

    def run(self, times, shape=SHAPE, full=True):
        batch = np.ones(shape, np.int32)
        for _ in range(times):
            value = self.function(batch, batch, batch, full=full)
            assert value.tolist() == [shape[1]] * shape[0]


def test_a_shape_seldom_seen_is_never_compiled():
    machine = Machine()
    machine.run(3)
    assert machine.compilations == 0


def test_a_shape_often_seen_is_compiled_once():
    machine = Machine()
    machine.run(100)
    assert machine.compilations == 1
    assert machine.compiled_calls > 80


def test_partial_batches_always_run_as_a_graph():
    machine = Machine()
    machine.run(100, full=False)
    assert machine.compilations == 0


def test_what_compiling_saves_decides_when_the_next_shape_is_compiled():
    machine = Machine(graph_cost=1.0, compiled_cost=0.2, compile_cost=2.0)
    machine.run(50)
    graph_calls_before = machine.graph_calls
    machine.run(50, shape=(2, 16))
    # 80 % saved for 2 s of compiling pays after 2.5 s.
    assert machine.graph_calls - graph_calls_before == 3


def test_where_compiling_saves_nothing_no_further_shape_is_compiled():
    machine = Machine(graph_cost=1.0, compiled_cost=1.0)
    machine.run(50)
    machine.run(500, shape=(2, 16))
    assert machine.compilations == 1


@pytest.mark.parametrize("machine", [Machine(fails=True), Machine(compiled_offset=1.0)], ids=["fails", "differs"])
def test_an_encoder_that_xla_cannot_compile_rightly_stays_a_graph(machine):
    machine.run(100)
    assert machine.function.compiled_shapes == frozenset()
    assert machine.graph_calls == 100


def test_compiled_code_that_fails_later_gives_way_to_the_graph_for_good():
    machine = Machine(compiled_lives=3)
    machine.run(100)
    machine.run(100, shape=(2, 16))
    assert machine.function.compiled_shapes == frozenset()
    assert (machine.compilations, machine.compiled_calls) == (1, 4)


@pytest.mark.parametrize(("offset", "kept"), [(5e-5, 1), (2e-4, 0)])
@pytest.mark.parametrize("scale", [1, 100])
def test_compiled_values_may_differ_by_a_ten_thousandth_of_the_largest(offset, kept, scale):
    values = np.linspace(-scale, scale, 384, dtype=np.float32)[None]
    function = AdaptiveFunction(
        lambda *batch: values,
        lambda shape: lambda *batch: values + np.float32(offset * scale),
        clock=iter(range(1000)).__next__,
    )
    for _ in range(10):
        function(*[np.ones((1, 8), np.int32)] * 3, full=True)
    assert len(function.compiled_shapes) == kept


def test_a_warm_shape_is_compiled_before_it_is_asked_for():
    machine = Machine()
    batch = np.ones(SHAPE, np.int32)
    machine.function.warm(batch, batch, batch)
    machine.function.warm(batch, batch, batch)
    machine.run(10)
    assert machine.compilations == 1
    assert machine.compiled_calls == 11


def test_the_first_call_of_a_shape_does_not_tell_what_compiling_saves():
    machine = Machine(graph_cost=1.0, compiled_cost=1.0, compile_cost=0.1, first_graph_cost=50.0)
    batch = np.ones(SHAPE, np.int32)
    machine.function.warm(batch, batch, batch)
    machine.run(10)
    machine.run(200, shape=(8, 4))
    assert machine.compilations == 1
