"""all-MiniLM-L6-v2 as packaged by encorpus against the same weights in sentence-transformers: the same vectors, and the
same figures on what they are for.

    .venv/bin/python -m tests.bench.quality [CORPUS.parquet]

Similarity: the pairs of texts that people judged in Lee (50 documents), WordSim-353 and SimLex-999, all from gensim's
test data. Retrieval: of each docstring of the standard library its first line finds the rest.
"""

import re
from itertools import combinations

import numpy as np

from cluster.docstrings import standard_library_docstrings
from pipelines.encoder.text_encoder import TextEncoder
from tests.bench import bench
from tests.bench.asking import all_of
from tests.bench.systems import LOG, peer, vectors_of, write_texts

TEXTS = 2000
DATA = next((bench.FOLDER / "venv" / "lib").glob("python*/site-packages/gensim/test/test_data"))


def main() -> None:
    encoder = TextEncoder.load(bench.minilm_spec())
    texts = bench.corpus_texts(bench.corpus_file())
    print(bench.machine())
    ours, theirs = both(encoder, texts[:: len(texts) // TEXTS][:TEXTS])
    print(f"cosine over {len(ours):,} texts: min {np.sum(ours * theirs, axis=1).min():.7f}")
    for name, (first, second, judged) in judged_pairs().items():
        figures = [
            spearman(np.sum(a * b, axis=1), judged)
            for a, b in zip(both(encoder, first), both(encoder, second), strict=True)
        ]
        print(f"{name}, {len(judged):,} pairs, Spearman: {figures[0]:.4f}, theirs {figures[1]:.4f}")
    lines, rests = first_lines()
    figures = [recall(q, d) for q, d in zip(both(encoder, lines), both(encoder, rests), strict=True)]
    for name, (mine, other) in zip(("recall@1", "recall@10", "MRR"), zip(*figures, strict=True), strict=True):
        print(f"retrieval over {len(lines):,} docstrings, {name}: {mine:.4f}, theirs {other:.4f}")


def both(encoder: TextEncoder, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Our unit vectors of the texts, and theirs."""
    theirs = peer("sentence-transformers, torch", "venv", "torch", "float32", write_texts("quality", texts))
    with all_of([theirs], LOG):
        theirs.work()
        theirs.end()
    return np.asarray(encoder.encode(texts)), vectors_of(theirs)


def judged_pairs() -> dict[str, tuple[list[str], list[str], np.ndarray]]:
    """Of each data set the first texts, the second texts, and how similar people found them."""
    documents = (DATA / "lee.cor").read_text(encoding="utf-8", errors="replace").splitlines()
    judged = np.loadtxt(DATA / "similarities0-1.txt")
    pairs = list(combinations(range(len(documents)), 2))
    sets = {
        "Lee": ([documents[a] for a, _ in pairs], [documents[b] for _, b in pairs], judged[tuple(np.transpose(pairs))])
    }
    for name, file in (("WordSim-353", "wordsim353.tsv"), ("SimLex-999", "simlex999.txt")):
        rows = [line.split("\t") for line in (DATA / file).read_text().splitlines() if not line.startswith("#")]
        rows = [row for row in rows if re.fullmatch(r"[\d.]+", row[2])]
        sets[name] = ([row[0] for row in rows], [row[1] for row in rows], np.array([float(row[2]) for row in rows]))
    return sets


def first_lines() -> tuple[list[str], list[str]]:
    """First lines of docstrings, and what follows each."""
    split = [text.split("\n", 1) for _, text in sorted(dict(standard_library_docstrings()).items())]
    pairs = {parts[0]: parts[1].strip() for parts in split if len(parts) == 2 and len(parts[1].split()) > 5}
    return list(pairs), list(pairs.values())


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation; ties get their mean rank."""
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def recall(queries: np.ndarray, documents: np.ndarray) -> tuple[float, float, float]:
    """Recall at 1 and 10, and mean reciprocal rank, where query i is to find document i."""
    scores = queries @ documents.T
    rank = 1 + np.sum(scores > np.diag(scores)[:, None], axis=1)
    return float(np.mean(rank <= 1)), float(np.mean(rank <= 10)), float(np.mean(1 / rank))


if __name__ == "__main__":
    main()
