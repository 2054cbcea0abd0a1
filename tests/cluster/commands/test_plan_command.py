"""`encorpus plan`: what embedding a corpus would mean; writes nothing."""

import re

import numpy as np
import pytest

from cluster.numbers import size
from pipelines.job import shard_rows
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import MAX_TOKENS, ROWS, content_of, rows_of, write_parquet
from tests.tiny_model import WIDTH


def lines(*words):
    """What a plan that can be made says."""
    finished = encorpus("plan", *words)
    assert (finished.status, finished.err) == (0, "")
    return finished.out.splitlines()


@pytest.fixture(scope="module")
def with_model(clean, tiny_model):
    """The plan of a corpus, and what the model makes of it."""
    return lines(clean.corpus, "--model", tiny_model, "--max-tokens", str(MAX_TOKENS), "--workers", "1:2")


def test_files_rows_and_units(clean):
    told = lines(clean.corpus, "--shard-rows", "10")
    assert told[:2] == [f"1 file, {size((clean.corpus / 'a.parquet').stat().st_size)}", "30 rows in 3 units"]


def test_with_a_vector_a_token_units_are_as_large_as_a_shard_may_be(clean, tiny_model, monkeypatch):
    monkeypatch.setattr(shard_rows, "SEQUENCE_SHARD_BYTES", 10 * MAX_TOKENS * WIDTH * 4)
    words = (clean.corpus, "--model", tiny_model, "--pooling", "sequence", "--max-tokens", str(MAX_TOKENS))
    assert lines(*words)[1] == "30 rows in 3 units"


def test_streamed_files_are_told_apart(mixed):
    held = size(sum((mixed.corpus / name).stat().st_size for name in ("c.jsonl.gz", "d.csv")))
    assert f"2 streamed files, {held}, whose rows only reading them tells" in lines(mixed.corpus, "--shard-rows", "10")


def test_rows_of_byte_ranges_are_estimated(mixed):
    told = lines(mixed.corpus, "--shard-rows", "10")[1]
    assert re.fullmatch(r"about [45]\d rows in 5 units", told)


def test_without_a_model_it_asks_for_one(clean):
    assert lines(clean.corpus)[-1] == "name a --model for tokens, rates and time"


@pytest.mark.parametrize(("broken", "more"), [(1, []), (7, ["  and 2 more"])])
def test_files_that_will_be_rejects(broken, more, tmp_path):
    write_parquet(tmp_path / "good.parquet", ["a-0"])
    for number in range(broken):
        (tmp_path / f"bad-{number}.parquet").write_bytes(b"no Parquet")
    told = lines(tmp_path)[2:-1]
    shown = min(broken, 5)
    start = f"cannot be read, will be a reject: {tmp_path}/bad-"
    assert [line.startswith(start) for line in told[:shown]] == [True] * shown
    assert told[shown:] == more


def test_tokens_are_those_of_the_texts(with_model, clean):
    tokens = [row["tokens"] for row in rows_of(clean.output)]
    half, most, nearly_all = (int(number) for number in np.percentile(tokens, (50, 90, 99)))
    assert with_model[2] == (
        f"tokens a row, of {ROWS['parquet']} rows sampled: mean {np.mean(tokens):.0f}, half up to {half}, "
        f"90 % up to {most}, 99 % up to {nearly_all}; 0.0% are cut at {MAX_TOKENS}"
    )


def test_the_rate_is_measured(with_model):
    assert re.fullmatch(r"one worker on this machine: [1-9][\d,]* rows/s, padding \d+\.\d%", with_model[3])


def test_time_and_size_follow(with_model):
    vectors = size(ROWS["parquet"] * WIDTH * 4)
    assert re.fullmatch(rf"30 rows on 2 workers: about \d+ s, {vectors} of vectors", with_model[4])


def test_a_corpus_without_texts_cannot_be_sampled(tiny_model, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    told = lines(tmp_path, "--model", tiny_model, "--max-tokens", str(MAX_TOKENS))
    assert told[-1] == "no texts to sample"


def test_nothing_is_written(clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = content_of(clean.corpus)
    lines(clean.corpus)
    assert content_of(clean.corpus) == before
    assert list(tmp_path.iterdir()) == []
