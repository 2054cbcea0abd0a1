"""What a Hugging Face tokenizer does to a text, as far as the published preprocessors can do the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from pipelines.packager.json_file import read_json_object

TOKENIZER_FILE = "tokenizer_config.json"

# The classes that tokenise as BERT does; a fast one ends in Fast. None: the configuration names no class.
CLASSES = (None, "BertTokenizer", "ElectraTokenizer", "DistilBertTokenizer")

# Settings and the values that mean what the published preprocessors do. A setting that is missing means just that.
REPRODUCED: dict[str, tuple[Any, ...]] = {
    "tokenize_chinese_chars": (True,),
    "do_basic_tokenize": (True,),
    "do_word_tokenize": (True,),
    "do_subword_tokenize": (True,),
    "word_tokenizer_type": ("basic",),
    "subword_tokenizer_type": ("wordpiece",),
    "never_split": ([],),
    "cls_token": ("[CLS]",),
    "sep_token": ("[SEP]",),
    "unk_token": ("[UNK]",),
}


def lower_cases(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether the tokenizer of a checkpoint lower-cases; like transformers, it does unless told otherwise.

    config: the model's config.json, which may name the tokenizer too. Raises UsageError, naming file and setting, for
    a tokenizer that the published preprocessors cannot reproduce: its vectors would differ silently.
    """
    path = folder / TOKENIZER_FILE
    settings = read_json_object(path) if path.is_file() else {}
    for file, said in ((path, settings), (folder / "config.json", config)):
        _require_reproduced(file, said)
    do_lower_case = settings.get("do_lower_case") is not False
    if settings.get("strip_accents") not in (None, do_lower_case):
        raise UsageError(f"{path}: strip_accents differs from do_lower_case, which BERT's preprocessor cannot do")
    return do_lower_case


def _require_reproduced(path: Path, said: Mapping[str, Any]) -> None:
    kind = said.get("tokenizer_class")
    if (kind.removesuffix("Fast") if isinstance(kind, str) else kind) not in CLASSES:
        raise UsageError(f"{path}: tokenizer_class is {kind!r}, which tokenizes as BERT's preprocessor cannot do")
    for setting, values in REPRODUCED.items():
        value = said.get(setting)
        if isinstance(value, dict):  # a token may be spelled out, with its text as one of its properties
            value = value.get("content")
        if value is not None and value not in values:
            raise UsageError(f"{path}: {setting} is {value!r}, which BERT's preprocessor cannot do")
