"""Rows a second of `embed` with its default workers, in steady state, against sentence-transformers, in one run.

    .venv/bin/python tests/bench/throughput.py [CORPUS.parquet]

In turn: the peer over a sample, the job, the peer again.
"""

import bench

SAMPLE_ROWS = 4000


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    sample = texts[:: len(texts) // SAMPLE_ROWS][:SAMPLE_ROWS]
    print(bench.machine())
    before = bench.run_peer(sample)
    summary, _ = bench.run_embed(bench.write_corpus(texts, len(texts)))
    after = bench.run_peer(sample)
    steady = summary.progress.rows_per_second
    print(f"sentence-transformers, {len(sample):,} of the rows: {before:.0f} rows/s before, {after:.0f} after")
    print(f"embed, {len(texts):,} rows: {steady:.0f} rows/s, padding {summary.stats.padding:.1%}")
    print(f"ratio {steady / before:.2f}, {steady / after:.2f}")
    print(f"first shard after {summary.seconds_to_first_shard:.0f} s")


main()
