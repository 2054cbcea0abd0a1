"""`encorpus plan`: what embedding a corpus would mean; writes nothing."""

import math
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


@pytest.fixture(scope="module")
def on_nodes(clean, tiny_model):
    """The plan for 2 and 8 nodes of four workers, whose rate is told, and for as many as it takes within 1.8 s."""
    nodes = ("--nodes", "2,8", "--workers-per-node", "4", "--within", "0.0005", "--price-per-hour", "3600")
    return lines(clean.corpus, "--model", tiny_model, "--max-tokens", "8", "--tokens-per-second", "1", *nodes)


def tokens_in(told: list[str]) -> int:
    """All of the corpus."""
    (tokens,) = re.findall(r"= (\d+) tokens$", "\n".join(told), re.MULTILINE)
    return int(tokens)


def test_a_rate_that_is_told_is_not_measured(on_nodes):
    assert "one worker, as told: 1 tokens/s" in on_nodes


def test_each_number_of_nodes_has_hours_and_a_price(on_nodes):
    tokens = tokens_in(on_nodes)
    held = [line.split() for line in on_nodes if line.split()[0] in ("2", "8")]
    assert [(row[0], row[1], row[2]) for row in held] == [
        (nodes, f"{tokens / 4 / int(nodes) / 3600:.2f}", f"{tokens:.2f}") for nodes in ("2", "8")
    ]


def test_within_a_time_it_takes_so_many_nodes(on_nodes):
    tokens = tokens_in(on_nodes)
    assert on_nodes[-1] == f"within 0.0005 hours: {math.ceil(tokens / (4 * 1.8))} nodes"


def test_where_no_number_of_nodes_is_enough_it_says_what_to_change(clean, tiny_model):
    words = ("--model", tiny_model, "--shard-rows", "1", "--tokens-per-second", "1", "--within", "0.00000001")
    told = lines(clean.corpus, *words)[-1]
    assert told.startswith("within 1e-08 hours: on no number of nodes; driver alone takes")
    assert "--shard-rows" in told


@pytest.mark.parametrize("option", ["--workers-per-node", "--node-gbit"])
def test_what_a_node_is_needs_nodes(clean, tiny_model, option):
    finished = encorpus("plan", clean.corpus, "--model", tiny_model, option, "2")
    assert finished.status == 2
    assert "--nodes" in finished.told


def test_nodes_need_a_model(clean):
    finished = encorpus("plan", clean.corpus, "--nodes", "2")
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
