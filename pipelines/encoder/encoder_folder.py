"""An encoder in a folder, from which it is loaded without `import tensorflow`.

The folder holds OpenVINO's model with its weights, the preprocessor's graphs for TensorFlow's C library, and what
TensorFlow itself gives for test texts, tokens and vectors, by which both are checked each time they are loaded.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.saved_token_graphs import SavedTokenGraphs
from pipelines.encoder.self_check import TEXTS, TOLERANCE, SelfCheck, sample_batches
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pipelines.encoder.openvino_runtime import OpenVinoModel, OpenVinoRuntime
    from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs

MODEL, TOKENS, CHECK, DESCRIPTION = "model.xml", "tokens", "check.npz", "encoder.json"

# Most seconds to load a folder in a process of its own: the largest encoders take some twenty.
TRIAL_SECONDS = 300
TRIAL = "import sys; from pipelines.encoder.encoder_folder import load_folder; load_folder(sys.argv[1], 1)"


class FolderError(Exception):
    """Why an encoder's folder is of no use."""


class Loaded(NamedTuple):
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
    """Writes an encoder into an empty folder. Raises what OpenVINO and TensorFlow raise, and OSError."""
    import openvino as ov

    ov.save_model(source.model, folder / MODEL, compress_to_fp16=False)
    graphs.save(folder / TOKENS)
    check.save(folder / CHECK)
    told = {
        "inputs": list(source.inputs),
        "precision": resolved.spec.precision,
        "max_tokens": resolved.max_tokens,
        "facts": asdict(facts),
    }
    (folder / DESCRIPTION).write_text(json.dumps(told), encoding="utf-8")


def load_folder(folder: str | Path, threads: int | None) -> Loaded:
    """The encoder in a folder, which gives TensorFlow's tokens and vectors of test texts.

    threads: of the CPU, None for all. Raises FolderError where it does not; and what the libraries raise.
    """
    folder = Path(folder)
    told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    facts = EncoderFacts(**{**told["facts"], "flop": tuple(told["facts"]["flop"])})
    check = SelfCheck.load(folder / CHECK)
    tokenizer = Tokenizer(SavedTokenGraphs(folder / TOKENS, threads), told["max_tokens"])
    if not check.same_tokens(sample_batches(tokenizer(TEXTS), facts.fixed_length)):
        raise FolderError("its tokens of test texts are not TensorFlow's")
    runtime = _runtime(folder / MODEL, told["inputs"], told["precision"], threads)
    distance = check.worst_distance(runtime)
    if distance > TOLERANCE[runtime.precision]:
        raise FolderError(f"its vectors of test texts differ from TensorFlow's by {distance:.2g} of their length")
    return Loaded(tokenizer, facts, runtime)


def try_folder(folder: Path) -> None:
    """Raises FolderError where a folder cannot be loaded. Not by this process, since a library may end the one that it
    cannot serve."""
    found = subprocess.run(
        [sys.executable, "-c", TRIAL, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=TRIAL_SECONDS,
        check=False,
    )
    if found.returncode:
        told = found.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise FolderError(f"a process that loads it ends with status {found.returncode}: {told}")


def _runtime(model: Path, inputs: list[str], precision: str, threads: int | None) -> "OpenVinoRuntime":
    import openvino as ov

    from pipelines.encoder.openvino_runtime import OpenVinoModel, OpenVinoRuntime

    return OpenVinoRuntime(OpenVinoModel(ov.Core().read_model(model), inputs), precision, threads)
