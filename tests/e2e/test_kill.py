"""`kill -9` of a running job, and the same command again: nothing lost, nothing doubled, nothing made twice."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.output.verify import verify
from tests.e2e.killing import TARGETS, running, wait_for_shards
from tests.pipelines.job.jobs import json_lines, output_of, rows_written, shards_of, spec_of
from tests.tiny_model import WORDS

SOAK_KILLS = 20


class Case:
    """A corpus of cut and streamed files with a few bad rows, and the command that embeds it."""

    def __init__(self, folder: Path, model: Path, rows: int, shard_rows: int, seed: int = 1) -> None:
        choice = random.Random(seed)
        self.texts = {f"row-{n}": " ".join(choice.choices(WORDS, k=choice.randint(1, 40))) for n in range(rows)}
        self.corpus, self.output, self.log = folder / "corpus", folder / "out", folder / "run.log"
        self.corpus.mkdir()
        names = list(self.texts)
        cut, lines, stream = (names[start::3] for start in range(3))
        self._write_parquet(cut)
        (self.corpus / "b.jsonl").write_bytes(self._lines(lines) + b"{broken\n")
        (self.corpus / "c.csv").write_text(
            "name,text\n" + "".join(f"{name},{self.texts[name]}\n" for name in stream) + "too,many,fields\n"
        )
        self.rejects = 3
        self.command = [str(self.corpus), "-o", str(self.output), "--model", str(model), "--id-column", "name"]
        self.command += ["--pooling", "mean", "--max-tokens", "32", "--workers", "2", "--shard-rows", str(shard_rows)]

    def _write_parquet(self, names: list[str]) -> None:
        texts = [self.texts[name] for name in names]
        table = pa.table({"name": [*names, "bad"], "text": pa.array([*texts, None], pa.string())})
        pq.write_table(table, self.corpus / "a.parquet", row_group_size=500)

    def _lines(self, names: list[str]) -> bytes:
        return json_lines({name: self.texts[name] for name in names})

    def assert_whole(self, model: Path) -> None:
        """The output has every row once with its vector, and every bad row among the rejects."""
        verified = verify(output_of(self.output), with_input=True)
        assert verified.violations == ()
        assert (verified.rows, verified.rejects) == (len(self.texts), self.rejects)
        found = rows_written(self.output)
        assert sorted(found) == sorted(self.texts)
        sample = random.Random(2).sample(sorted(self.texts), 500)
        due = TextEncoder.load(spec_of(model), threads=1).encode([self.texts[name] for name in sample])
        np.testing.assert_allclose([found[name] for name in sample], np.asarray(due), rtol=0, atol=1e-4)
        leftovers = [path.name for path in self.output.iterdir() if path.name.startswith(".")]
        assert leftovers == []


def test_a_job_killed_whole_goes_on_from_what_was_committed(tiny_model, tmp_path):
    case = Case(tmp_path, tiny_model, rows=6000, shard_rows=20)
    with running(*case.command, log=case.log) as run:
        assert wait_for_shards(run, case.output, 40)
        assert run.kill("everything", random.Random(0))
    before = shards_of(case.output)
    with running(*case.command, log=case.log) as run:
        assert run.wait() == 3
    after = shards_of(case.output)
    assert len(before) < len(after)
    assert {name: after[name] for name in before} == before
    case.assert_whole(tiny_model)


@pytest.mark.soak
def test_twenty_kills_at_random_moments_lose_and_double_nothing(tiny_model, tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"\nSEED={seed}")
    choice = random.Random(seed)
    case = Case(tmp_path, tiny_model, rows=60_000, shard_rows=20)
    units = 3 * (20_000 // 20)
    killed = dict.fromkeys(TARGETS, 0)
    committed: dict[str, tuple[int, bytes]] = {}
    while sum(killed.values()) < SOAK_KILLS:
        left = SOAK_KILLS - sum(killed.values())
        with running(*case.command, log=case.log) as run:
            while run.alive and sum(killed.values()) < SOAK_KILLS:
                here = len(shards_of(case.output))
                assert wait_for_shards(run, case.output, here + choice.randint(0, (units - here) // (left + 1)))
                target = choice.choice(TARGETS)
                if run.kill(target, choice):
                    killed[target] += 1
                    left = SOAK_KILLS - sum(killed.values())
        found = shards_of(case.output)
        assert {name: found.get(name) for name in committed} == committed
        committed = found
        print(f"{sum(killed.values())} kills, {len(committed)} of {units} shards")
    with running(*case.command, log=case.log) as run:
        assert run.wait() == 3
    found = shards_of(case.output)
    assert {name: found.get(name) for name in committed} == committed
    case.assert_whole(tiny_model)
    print(json.dumps({"kills": killed, "shards": len(found), "lost": 0, "doubled": 0}))
