"""`encorpus plan`: what embedding a corpus would mean; writes nothing."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.job import estimate, shard_rows
from pipelines.numbers import size
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import MAX_TOKENS, ROWS, content_of, rows_of, write_parquet
from tests.tiny_model import WIDTH


def lines(*words):
    """What a plan that can be made says."""
    finished = encorpus("plan", *words)
    assert (finished.status, finished.err) == (0, "")
    return finished.out.splitlines()


@pytest.fixture(scope="module", autouse=True)
def short_probe():
    """Probes take a moment, and not ten seconds each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "PROBE_SECONDS", 0.5)
        yield


@pytest.fixture(scope="module")
def with_model(clean, tiny_model):
    """The plan of a corpus, what the model makes of it, and what it costs."""
    options = ("--max-tokens", str(MAX_TOKENS), "--workers", "1:2", "--price-per-hour", "7200")
    return lines(clean.corpus, "--model", tiny_model, *options)


@pytest.fixture(scope="module")
def sums(with_model):
    """What is said below the histogram."""
    return [line for line in with_model[3:] if not line.startswith("     ")]


@pytest.fixture(scope="module")
def found(sums):
    """Rows, seconds and rate of the probe."""
    probed = re.fullmatch(
        r"one worker on this machine: ([\d,]+) rows in ([\d.]+) s = ([\d,]+) rows/s, padding \d+\.\d%", sums[0]
    )
    assert probed
    return tuple(float(number.replace(",", "")) for number in probed.groups())


def test_files_rows_and_units(clean):
    told = lines(clean.corpus, "--shard-rows", "10")
    assert told[:2] == [f"1 file, {size((clean.corpus / 'a.parquet').stat().st_size)}", "30 rows in 3 units"]


def test_with_a_vector_a_token_units_are_as_large_as_a_shard_may_be(clean, tiny_model, monkeypatch):
    monkeypatch.setattr(shard_rows, "SEQUENCE_SHARD_BYTES", 10 * MAX_TOKENS * WIDTH * 4)
    words = (clean.corpus, "--model", tiny_model, "--pooling", "sequence", "--max-tokens", str(MAX_TOKENS))
    assert lines(*words)[1] == "30 rows in 3 units"


def test_rows_that_only_reading_would_tell_are_estimated_by_kind(mixed):
    held = {name: size((mixed.corpus / name).stat().st_size) for name in ("b.jsonl", "c.jsonl.gz", "d.csv")}
    assert lines(mixed.corpus, "--shard-rows", "10")[1:5] == [
        f"jsonl: 1 file, {held['b.jsonl']}, about 16 rows; 16 rows in {held['b.jsonl']} of it sampled",
        f"gzip jsonl: 1 file, {held['c.jsonl.gz']}, about 16 rows; 16 rows in {held['c.jsonl.gz']} of it sampled",
        f"csv: 1 file, {held['d.csv']}, about 13 rows; 13 rows in {held['d.csv']} of it sampled",
        "about 75 rows in 5 units and 2 streamed files",
    ]


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
        f"tokens a row, of {ROWS['parquet']} rows sampled: mean {np.mean(tokens):.1f}, half up to {half}, "
        f"90 % up to {most}, 99 % up to {nearly_all}; 0.0% are cut at {MAX_TOKENS}"
    )


def test_lengths_are_bars_of_plain_letters(tiny_model, tmp_path):
    texts = [*["the"] * 9, *["the " * 10] * 3, "the " * 100]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    told = lines(tmp_path, "--model", tiny_model, "--max-tokens", "30")
    assert told[3:6] == [
        f"      1 to 8      69.2%  {'#' * 40}",
        f"      9 to 16     23.1%  {'#' * 13}",
        f"     17 to 30      7.7%  {'#' * 4}",
    ]
    assert told[2].endswith("; 7.7% are cut at 30")


def test_the_rate_is_that_of_the_probe(found):
    rows, seconds, a_second = found
    assert a_second == pytest.approx(rows / seconds, rel=0.02)


def test_every_sum_is_shown(sums, clean, found):
    tokens = [row["tokens"] for row in rows_of(clean.output)]
    assert sums[1] == f"30 rows × {np.mean(tokens):.1f} tokens = {sum(tokens):,} tokens"
    assert sums[2] == f"30 rows × {WIDTH * 4} B = {size(ROWS['parquet'] * WIDTH * 4)} of vectors"
    assert sums[3] == f"30 rows / {found[2]:,.0f} rows/s = {30 / found[2] / 3600:.2f} hours of one worker"
    assert re.fullmatch(r"  on 2 workers: about \d+ s", sums[4])


def test_the_price_is_that_of_the_workers_hours(sums, found):
    told = re.fullmatch(r"[\d.]+ hours × 7,200 = ([\d.]+), by however many workers", sums[5])
    assert told
    assert float(told[1]) == pytest.approx(30 / found[2] * 2, abs=0.02)


def test_without_a_number_of_workers_several_are_told(clean, tiny_model):
    told = lines(clean.corpus, "--model", tiny_model, "--max-tokens", str(MAX_TOKENS))
    workers = [int(line.split()[1]) for line in told if line.startswith("  on ")]
    assert {10, 100} < set(workers) and len(workers) == 3 and workers == sorted(workers)


def test_a_price_needs_a_model(clean):
    finished = encorpus("plan", clean.corpus, "--price-per-hour", "1.5")
    assert finished.status == 2
    assert "--model" in finished.told


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
