"""Reads a sentence-transformers folder: a Hugging Face folder, and how its vectors are pooled and normalised.

The layout is what `SentenceTransformer.save` writes: modules.json names the steps and their folders.
"""

from dataclasses import replace
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.packager.architecture import read_number
from pipelines.packager.checkpoint import Checkpoint
from pipelines.packager.hugging_face import read_hugging_face
from pipelines.packager.json_file import read_json, read_json_object
from pipelines.packager.tokenizer_config import TOKENIZER_FILE

MODULES_FILE = "modules.json"
STEPS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
POOLINGS = {
    "cls_token": "cls",
    "cls": "cls",
    "mean_tokens": "mean",
    "mean": "mean",
    "max_tokens": "max",
    "max": "max",
}


def read_sentence_transformers(folder: Path) -> Checkpoint:
    """Reads the folder. UsageError says in one line what is missing or unsupported."""
    steps = _steps(folder / MODULES_FILE)
    transformer = folder / steps["Transformer"]
    checkpoint = read_hugging_face(transformer)
    return replace(
        checkpoint,
        source="sentence-transformers folder",
        pooling=_pooling(folder / steps["Pooling"] / "config.json"),
        normalize="Normalize" in steps,
        max_tokens=_max_tokens(transformer, checkpoint),
        notes=checkpoint.notes + _prompt_notes(folder / "config_sentence_transformers.json"),
    )


def _steps(path: Path) -> dict[str, str]:
    """The folder of each step, by the step's kind."""
    modules = read_json(path)
    try:
        steps = [(str(module["type"]).rpartition(".")[2], str(module["path"])) for module in modules]
    except (TypeError, KeyError) as error:
        raise UsageError(f"{path} is not a list of modules with type and path") from error
    kinds = [kind for kind, _ in steps]
    if kinds not in STEPS:
        raise UsageError(
            f"{path}: {' → '.join(kinds) or 'no module'} is not supported;"
            " only Transformer → Pooling, with or without Normalize after it, is"
        )
    return dict(steps)


def _pooling(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"{path} is missing: it says how the vectors are pooled")
    config = read_json_object(path)
    modes = [key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on]
    if "pooling_mode" in config:
        modes = [str(config["pooling_mode"])]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise UsageError(
            f"{path}: pooling {' with '.join(modes) or 'by nothing'} is not supported; cls, mean or max is"
        )
    return POOLINGS[modes[0]]


def _max_tokens(transformer: Path, checkpoint: Checkpoint) -> int:
    """Where the source cuts texts: its own setting, else its tokeniser's, and never over the positions."""
    path, tokenizer_path = transformer / "sentence_bert_config.json", transformer / TOKENIZER_FILE
    settings = read_json_object(path) if path.is_file() else {}
    tokenizer = read_json_object(tokenizer_path) if tokenizer_path.is_file() else {}
    if settings.get("do_lower_case") and not checkpoint.do_lower_case:
        raise UsageError(f"{path}: do_lower_case with a cased tokenizer is not supported by BERT's preprocessor")
    positions = checkpoint.architecture.positions
    of_tokenizer = read_number(tokenizer, "model_max_length", str(tokenizer_path), positions)
    return int(min(read_number(settings, "max_seq_length", str(path), of_tokenizer), positions))


def _prompt_notes(path: Path) -> tuple[str, ...]:
    settings = read_json_object(path) if path.is_file() else {}
    name = settings.get("default_prompt_name")
    if not name:
        return ()
    prompts = settings.get("prompts")
    prompt = prompts.get(name, name) if isinstance(prompts, dict) else name
    return (f"The source puts {prompt!r} before every text; a SavedModel does not: put it into the corpus.",)
