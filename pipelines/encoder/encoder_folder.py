"""An encoder in a folder, from which it is loaded without `import tensorflow`.

The folder holds OpenVINO's model with its weights, the preprocessor's graphs for TensorFlow's C library, and what
TensorFlow itself gives for test texts, tokens and vectors, by which both are checked each time they are loaded.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.saved_token_graphs import SavedTokenGraphs
from pipelines.encoder.self_check import TEXTS, TOLERANCE, SelfCheck
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokenizer import Tokenizer
from pipelines.errors import first_line

if TYPE_CHECKING:
    from pipelines.encoder.openvino_runtime import OpenVinoModel, OpenVinoRuntime
    from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs

MODEL, GRAPHS, DESCRIPTION = "model.xml", "graphs", "encoder.json"
TOKENS_DUE, VECTORS_DUE = "tokens.npz", "vectors.npz"

# Most seconds to load a folder in a process of its own: the largest encoders take some twenty.
TRIAL_SECONDS = 300
TRIAL = "from pipelines.encoder.encoder_folder import load_folder; load_folder(sys.argv[1], 1)"
# They bring libraries of their own, and a worker has imported them before.
BESIDE_IN_A_WORKER = ("ray", "pyarrow.parquet", "pyarrow.fs")


class FolderError(Exception):
    """Why an encoder's folder is of no use."""


class FolderContents(NamedTuple):
    """What a folder holds."""

    tokenizer: Tokenizer
    facts: EncoderFacts
    runtime: "OpenVinoRuntime"


def fill_folder(
    folder: Path,
    resolved: ResolvedSpec,
    source: "OpenVinoModel",
    graphs: "PreprocessorGraphs",
    facts: EncoderFacts,
    check: SelfCheck,
) -> None:
    """Writes an encoder into an empty folder. Raises FolderError for a preprocessor that cannot be saved, and what the
    libraries raise."""
    import openvino as ov

    try:
        graphs.save(folder / GRAPHS)
    except Exception as error:  # which a preprocessor has brought with it may be of any kind
        raise FolderError(f"TensorFlow cannot save its preprocessor again: {first_line(error)}") from error
    np.savez(folder / TOKENS_DUE, *_test_tokens(Tokenizer(graphs, resolved.max_tokens)))
    check.save(folder / VECTORS_DUE)
    ov.save_model(source.model, folder / MODEL, compress_to_fp16=False)
    told = {
        "inputs": list(source.inputs),
        "precision": resolved.spec.precision,
        "max_tokens": resolved.max_tokens,
        "facts": asdict(facts),
        "files": _digests(folder),
    }
    (folder / DESCRIPTION).write_text(json.dumps(told), encoding="utf-8")


def load_folder(folder: str | Path, threads: int | None) -> FolderContents:
    """The encoder in a folder, which gives TensorFlow's tokens and vectors of test texts.

    threads: of the CPU, None for all. Raises FolderError where it does not, or its files are not what was written; and
    what the libraries raise.
    """
    folder = Path(folder)
    told = _description(folder)
    tokenizer = Tokenizer(SavedTokenGraphs(folder / GRAPHS, threads), told.max_tokens)
    with np.load(folder / TOKENS_DUE) as due:
        if not _equal(_test_tokens(tokenizer), list(due.values())):
            raise FolderError("its tokens of test texts are not TensorFlow's")
    runtime = _runtime(folder / MODEL, told.inputs, told.precision, threads)
    distance = SelfCheck.load(folder / VECTORS_DUE).worst_distance(runtime)
    if distance > TOLERANCE[runtime.precision]:
        raise FolderError(f"its vectors of test texts differ from TensorFlow's by {distance:.2g} of their length")
    return FolderContents(tokenizer, told.facts, runtime)


def try_folder(folder: Path) -> None:
    """Raises FolderError where a folder cannot be loaded. Not by this process, since a library may end the one that it
    cannot serve."""
    imports = ["sys", *(module for module in BESIDE_IN_A_WORKER if find_spec(module.partition(".")[0]))]
    paths = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    found = subprocess.run(
        # -P: not from the folder that the user is in, whose modules may have any names.
        [sys.executable, "-P", "-c", f"import {', '.join(imports)}; {TRIAL}", str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        timeout=TRIAL_SECONDS,
        check=False,
    )
    if found.returncode == -signal.SIGKILL:
        raise MemoryError("the process that tried it was killed, perhaps for its memory")
    if found.returncode:
        told = found.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise FolderError(f"a process that loads it ends with status {found.returncode}: {told}")


class _Description(NamedTuple):
    """As `fill_folder` has told it."""

    inputs: list[str]
    precision: str
    max_tokens: int
    facts: EncoderFacts


def _description(folder: Path) -> _Description:
    """What is in the folder, after a look at each file's content. Raises FolderError, and OSError where it is not the
    content that is at fault."""
    try:
        told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        digests = dict(told["files"])
        facts = EncoderFacts(**{**told["facts"], "flop": tuple(told["facts"]["flop"])})
        description = _Description(list(told["inputs"]), str(told["precision"]), int(told["max_tokens"]), facts)
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        raise FolderError(f"its {DESCRIPTION} is damaged: {first_line(error)}") from error
    found = _digests(folder)
    changed = sorted(name for name in found.keys() | digests.keys() if found.get(name) != digests.get(name))
    if changed:
        raise FolderError(f"not as it was written: {', '.join(changed)}")
    return description


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file but the description, by its path in the folder."""
    digests: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / DESCRIPTION:
            with path.open("rb") as file:
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _test_tokens(tokenizer: Tokenizer) -> list[np.ndarray]:
    """All that a tokenizer gives for TEXTS: packed, uncut, and packed from the uncut ids."""
    tokens = tokenizer(TEXTS)
    ids, counts = tokenizer.token_ids(TEXTS)
    packed = tokenizer.pack(np.split(ids, np.cumsum(counts)[:-1]))
    return [tokens.word_ids, tokens.mask, tokens.type_ids, tokens.truncated, ids, counts, *packed]


def _equal(got: list[np.ndarray], due: list[np.ndarray]) -> bool:
    return len(got) == len(due) and all(map(np.array_equal, got, due))


def _runtime(model: Path, inputs: list[str], precision: str, threads: int | None) -> "OpenVinoRuntime":
    import openvino as ov

    from pipelines.encoder.openvino_runtime import OpenVinoModel, OpenVinoRuntime

    return OpenVinoRuntime(OpenVinoModel(ov.Core().read_model(model), inputs), precision, threads)
