"""job.json: what made an output, so that nothing else is mixed into it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from pipelines.encoder.spec import DTYPES, POOLINGS, PRECISIONS, EncoderSpec
from pipelines.errors import StorageError
from pipelines.output.layout import Output


@dataclass(frozen=True)
class JobFile:
    """encoder: the spec, settled, as plain values. columns: text, id, keep. inputs: as given last."""

    encoder: dict[str, Any]
    fingerprint: str
    columns: dict[str, Any]
    shard_rows: int
    inputs: list[str]
    encorpus_version: str


# Where the models lie may change from run to run; what they hold is in the fingerprint.
PLACES = ("model", "preprocessor")


def load_job_file(output: Output) -> JobFile | None:
    """The output's job.json; None if there is none. Raises StorageError when it is damaged."""
    data = output.storage.read_if_there(output.job_uri)
    return None if data is None else job_from_bytes(output, data)


def job_from_bytes(output: Output, data: bytes) -> JobFile:
    """The output's job.json, which has been read. Raises StorageError when it is damaged."""
    try:
        job = JobFile(**json.loads(data))
        if _is_sound(job):
            return job
    except (ValueError, TypeError, KeyError):
        pass
    raise StorageError(f"{output.job_uri}: not a job.json of encorpus; embed into a new folder")


def job_to_bytes(job: JobFile) -> bytes:
    """job.json."""
    return (json.dumps(asdict(job), indent=2) + "\n").encode()


def difference(old: JobFile, new: JobFile) -> str | None:
    """What of the new job does not fit the old one's output, in words; None if everything does."""
    pairs = [(name, old.encoder.get(name), new.encoder.get(name)) for name in new.encoder if name not in PLACES]
    pairs += [(f"{name} column", old.columns.get(name), new.columns.get(name)) for name in new.columns]
    pairs.append(("shard-rows", old.shard_rows, new.shard_rows))
    told = [f"{name.replace('_', '-')} was {was}, now {now}" for name, was, now in pairs if was != now]
    if not told and old.fingerprint != new.fingerprint:
        told = ["the model or preprocessor is another one (the fingerprint differs)"]
    return "; ".join(told) or None


def _is_sound(job: JobFile) -> bool:
    """Whether the values are such as `embed` writes. Raises TypeError or KeyError where they are of another shape."""
    encoder, columns = job.encoder, job.columns
    lists = (encoder["layers"], columns["keep"], job.inputs)
    if encoder.keys() != {field.name for field in fields(EncoderSpec)} or not all(isinstance(x, list) for x in lists):
        return False
    texts = (encoder["model"], job.fingerprint, columns["text"], *columns["keep"], *job.inputs, job.encorpus_version)
    numbers = (*encoder["layers"], encoder["max_tokens"], job.shard_rows)
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(text, str | None) for text in (encoder["preprocessor"], columns["id"]))
        and all(type(number) is int for number in numbers)
        and job.shard_rows > 0
        and isinstance(encoder["normalize"], bool)
        and encoder["pooling"] in POOLINGS
        and encoder["dtype"] in DTYPES
        and encoder["precision"] in PRECISIONS
    )
