"""An output follows a corpus that changes under it, whatever dies when: readers see one state, and all ends well.

Files are written, broken, mended and removed, vectors are NaN for a time, and embed, --update, --prune and retry
run, often into a crash after any of their writes. What the manifest lists is there, whole, at every moment.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipelines.corpus.plan import Columns, Unit
from pipelines.errors import EncorpusError
from pipelines.job.retry import due_again
from pipelines.output.layout import Output, unit_named
from pipelines.output.manifest import load_manifest
from pipelines.output.seal import check_seal
from pipelines.output.shard import read_info
from pipelines.output.status import status
from pipelines.output.vectors import vectors_of
from pipelines.output.verify import verify
from tests.pipelines.output.crashing_storage import Crash, CrashingStorage
from tests.pipelines.output.fake_job import FakeJob, fake_vector, write_json_lines, write_parquet

NAMES = st.sampled_from(["a.parquet", "b.parquet", "c.jsonl", "d.jsonl.gz", "e.jsonl.gz"])
LEFT = st.none() | st.integers(0, 12)
# Rows of a unit of ten of which this one is NaN for a time, and this one is always bad.
SICK, BAD = 3, 6


@dataclass(frozen=True)
class SickJob(FakeJob):
    """A job that makes NaN of some rows while `sick` holds anything."""

    sick: list[bool] = field(default_factory=list)

    def vectors(self, texts):
        """As FakeJob.vectors, but for the sick rows."""
        vectors = np.asarray(super().vectors(texts))
        if self.sick:
            vectors[[int(text.split()[-1]) % 10 == SICK for text in texts]] = np.nan
        return vectors


class FollowingOutput(RuleBasedStateMachine):
    """The corpus as it should be, and the output that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="following-"))
        self.corpus: dict[str, list[str | None] | None] = {}
        self.storage = CrashingStorage()
        self.job = SickJob(
            (self.folder / "corpus",), Output(str(self.folder / "out"), self.storage), Columns("text", keep=("text",))
        )
        self.times = 0
        self.made_again: frozenset[Unit] = frozenset()
        self.has_manifest = False
        self.write("a.parquet", 12, False)

    @rule(name=NAMES, rows=st.integers(0, 34), bad=st.booleans())
    def write(self, name: str, rows: int, bad: bool) -> None:
        texts = [None if bad and row % 10 == BAD else f"{name} {self.times} {row}" for row in range(rows)]
        (write_parquet if name.endswith("parquet") else write_json_lines)(self.path(name), texts)
        self.written(name, texts)

    @rule()
    def break_a_file(self) -> None:
        self.path("b.parquet").write_bytes(b"PAR1 but no footer")
        self.written("b.parquet", None)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)
        self.corpus.pop(name, None)

    @rule()
    def fall_sick_or_recover(self) -> None:
        self.job.sick[:] = [] if self.job.sick else [True]

    @rule(name=st.integers(0, 20))
    def lose_a_shard(self, name: int) -> None:
        shards = sorted((self.folder / "out").glob("part-*"))
        if shards:
            lost = shards[name % len(shards)]
            lost.unlink()
            unit = unit_named(lost.stem)
            self.made_again |= set() if unit is None else {unit}

    @rule(left=LEFT)
    def embed(self, left: int | None) -> None:
        self.until_the_crash(left, self.job.run)

    @rule(left=LEFT)
    def update(self, left: int | None) -> None:
        self.until_the_crash(left, lambda: self.job.run(update=True))

    @rule(left=LEFT)
    def prune(self, left: int | None) -> None:
        self.until_the_crash(left, lambda: self.job.run(update=True, prune=True))

    @rule(left=LEFT)
    def retry(self, left: int | None) -> None:
        self.until_the_crash(left, self.make_again)

    def make_again(self) -> None:
        due = due_again(self.job.found())
        if due is not None:
            self.made_again |= due.prepared.replaced
            self.job.work(due.prepared)

    def until_the_crash(self, left: int | None, run: Callable[[], object]) -> None:
        """Runs; a run may be refused, too, as where a file has changed."""
        self.storage.left[0] = left
        try:
            run()
        except (Crash, EncorpusError):
            return
        finally:
            self.storage.left[0] = None
        self.made_again = frozenset()

    @invariant()
    def what_the_manifest_lists_is_there_and_whole(self) -> None:
        manifest = load_manifest(self.job.output)
        assert manifest is not None or not self.has_manifest
        # One that no shard is left of goes: numbers start anew then.
        self.has_manifest = manifest is not None and bool(self.job.output.committed())
        for entry in manifest.shards if manifest else ():
            unit = unit_named(entry.unit)
            assert unit is not None
            if unit not in self.made_again:
                uri = self.job.output.shard_uri(unit)
                assert check_seal(memoryview(self.storage.read_bytes(uri))) is None
                assert read_info(self.storage, uri).checksum == entry.checksum

    def teardown(self) -> None:
        try:
            if self.corpus:
                self.the_output_becomes_the_corpus()
        finally:
            shutil.rmtree(self.folder)

    def the_output_becomes_the_corpus(self) -> None:
        self.job.sick.clear()
        self.job.run(update=True, prune=True)
        self.job.retry()
        assert status(self.job.output).finished
        assert verify(self.job.output, with_input=True).violations == ()
        table = ds.dataset(self.folder / "out", format="parquet").to_table()
        texts = table["text"].to_pylist()
        assert Counter(texts) == Counter(text for rows in self.corpus.values() for text in rows or () if text)
        due = np.array([fake_vector(text) for text in texts], np.float32).reshape(-1, 8)
        np.testing.assert_array_equal(vectors_of(table["embedding"]).reshape(-1, 8), due)
        rejects = sum(status(self.job.output).reasons.values())
        assert rejects == sum(1 if rows is None else rows.count(None) for rows in self.corpus.values())
        assert self.job.output.rejected() <= self.job.output.committed()

    def path(self, name: str) -> Path:
        return self.folder / "corpus" / name

    def written(self, name: str, texts: list[str | None] | None) -> None:
        """Each change is at a time of its own: a clock that ticks seldom would hide some."""
        self.times += 1
        self.corpus[name] = texts
        os.utime(self.path(name), ns=(self.times, self.times))


FollowingOutput.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAnOutputFollowsItsCorpus = FollowingOutput.TestCase
