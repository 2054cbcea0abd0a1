"""A corpus to be embedded while things die, and what its output has to be in the end."""

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.output.layout import Output
from pipelines.output.verify import verify
from tests.pipelines.job.jobs import json_lines, output_of, rows_written, spec_of
from tests.tiny_model import WORDS


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
        self.options = ["--model", str(model), "--id-column", "name", "--pooling", "mean", "--max-tokens", "32"]
        self.options += ["--workers", "2", "--shard-rows", str(shard_rows)]
        self.command = [str(self.corpus), "-o", str(self.output), *self.options]

    def _write_parquet(self, names: list[str]) -> None:
        texts = [self.texts[name] for name in names]
        table = pa.table({"name": [*names, "bad"], "text": pa.array([*texts, None], pa.string())})
        pq.write_table(table, self.corpus / "a.parquet", row_group_size=500)

    def _lines(self, names: list[str]) -> bytes:
        return json_lines({name: self.texts[name] for name in names})

    def assert_whole(self, model: Path) -> None:
        """The output has every row once with its vector, and every bad row among the rejects."""
        self.assert_proven(output_of(self.output))
        self.assert_vectors(rows_written(self.output), model)
        leftovers = [path.name for path in self.output.iterdir() if path.name.startswith(".")]
        assert leftovers == []

    def assert_proven(self, output: Output) -> None:
        """`verify` finds every row and every reject, and nothing wrong."""
        verified = verify(output, with_input=True)
        assert verified.violations == ()
        assert (verified.rows, verified.rejects) == (len(self.texts), self.rejects)

    def assert_vectors(self, found: Mapping[str, np.ndarray], model: Path) -> None:
        """The rows found, by id, are the corpus's, and a sample of them have the vectors that are due."""
        assert sorted(found) == sorted(self.texts)
        sample = random.Random(2).sample(sorted(self.texts), 500)
        due = TextEncoder.load(spec_of(model), threads=1).encode([self.texts[name] for name in sample])
        np.testing.assert_allclose([found[name] for name in sample], np.asarray(due), rtol=0, atol=1e-4)
