"""Encoders that OpenVINO runs, kept in this machine's cache folder as they came out of TensorFlow.

So TensorFlow is imported once for a model and a machine, and not in each worker: that takes seconds, and some hundred
MB a process. It is always safe to remove such a folder.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cache_folder import cache_folder
from pipelines.encoder.calibration import OPENVINO, TENSORFLOW
from pipelines.encoder.encoder_folder import FolderError, fill_folder, load_folder, try_folder
from pipelines.encoder.execution import AS_ASKED, AS_SETTLED, CPU_TOKEN_BUDGET, Chosen, Execution
from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.kept_calibration import calibration_key, kept_calibration, package_version
from pipelines.encoder.parts import EncoderParts
from pipelines.encoder.self_check import SelfCheck
from pipelines.encoder.spec import ResolvedSpec, resolve_spec
from pipelines.errors import first_line
from pipelines.local_files import write_atomic
from pipelines.whole_folder import whole_folder

if TYPE_CHECKING:
    from pipelines.encoder.openvino_runtime import OpenVinoModel
    from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs

log = logging.getLogger(__name__)

# A folder is filled where there is room for so many of them.
ROOM = 4
WEIGHT_BYTES = 4

# Any of them tells of a GPU's driver: NVIDIA's on Linux, and under Windows, and AMD's.
GPU_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/dxg"), Path("/dev/kfd"))


def kept_parts(resolved: ResolvedSpec, execution: Execution) -> EncoderParts | None:
    """An encoder out of the cache folder; None where there is none, or it is not what is to run."""
    if execution.wanted == TENSORFLOW or _gpu_may_be_here():
        return None
    settled = _settled(resolved, execution)
    if settled is None:
        return None
    folder = _folder(resolved)
    if not os.path.isdir(folder):  # noqa: PTH112  Path's own raises where the user may not look
        return None
    try:
        tokenizer, facts, runtime = load_folder(folder, execution.threads)
    except FolderError as error:
        log.warning("%s: of no use, so TensorFlow loads the model: %s", folder, error)
        _remove(folder)
        return None
    except Exception as error:  # of OpenVINO or of TensorFlow's library, of which the folder may know nothing
        log.warning("%s: cannot be loaded, so TensorFlow loads the model: %s", folder, first_line(error))
        return None
    return EncoderParts(tokenizer, facts, Chosen(runtime, *settled))


def keep(
    resolved: ResolvedSpec,
    source: "OpenVinoModel",
    graphs: "PreprocessorGraphs",
    facts: EncoderFacts,
    check: Callable[[], SelfCheck],
) -> None:
    """Keeps an encoder that OpenVINO runs, unless it is there, another process is at it, or it has failed before. What
    prevents it is told to the log.

    source: of the encoder. graphs: of its preprocessor. check: what both give in TensorFlow.
    """
    folder = _folder(resolved)

    def fill(partial: Path) -> None:
        fill_folder(partial, resolved, source, graphs, facts, check())
        try_folder(partial)
        # TensorFlow may have read other files than those whose digest the fingerprint has.
        if _fingerprint_now(resolved) != resolved.fingerprint:
            raise OSError("the model has changed since the job was planned")

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if _gpu_may_be_here() or folder.is_dir() or _failed(folder).exists():
            return
        with _locked(folder):
            if not folder.is_dir():
                _require_room(folder.parent, ROOM * WEIGHT_BYTES * facts.parameters)
                whole_folder(folder, folder.name, fill)
    except BlockingIOError:
        return
    except FolderError as error:
        log.warning("%s: the encoder cannot be kept for a faster start: %s", folder, first_line(error))
        with suppress(OSError):
            write_atomic(_failed(folder), f"{first_line(error)}\n".encode())
    except Exception as error:  # of a disk, of a machine with too much to do, and of what the libraries say of such
        log.warning("%s: the encoder is not kept this time for a faster start: %s", folder, first_line(error))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError where another process has the lock."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _failed(folder: Path) -> Path:
    """A file that says why the encoder is not kept, so that not each start tries again."""
    return folder.with_suffix(".failed")


def _remove(folder: Path) -> None:
    """Unless another process is about to replace it, which makes it a good one."""
    aside = folder.with_name(f"{folder.name}.partial-removed")
    with suppress(OSError), _locked(folder):
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _settled(resolved: ResolvedSpec, execution: Execution) -> tuple[str, int] | None:
    """Why OpenVINO is to run it, and with which token budget; None where it is not, or that is not known yet."""
    if execution.wanted == OPENVINO:
        return AS_ASKED, CPU_TOKEN_BUDGET
    if execution.settled:
        return AS_SETTLED, CPU_TOKEN_BUDGET
    known = kept_calibration(calibration_key(resolved.fingerprint, execution.threads), execution.calibrated_since)
    return (known.reason, known.token_budget) if known and known.runtime == OPENVINO else None


def _folder(resolved: ResolvedSpec) -> Path:
    """Where the encoder of this fingerprint is kept, for this machine and these versions, there or not."""
    versions = [package_version(package) for package in ("tensorflow-text", "ray", "pyarrow")]
    told = [calibration_key(resolved.fingerprint, None), *versions, sys.version, sys.prefix, _code()]
    return cache_folder() / "encoders" / hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _fingerprint_now(resolved: ResolvedSpec) -> str:
    preprocessor = str(resolved.preprocessor_folder) if resolved.preprocessor_folder else None
    spec = replace(resolved.spec, model=str(resolved.model_folder), preprocessor=preprocessor)
    return resolve_spec(spec).fingerprint


def _code() -> str:
    """What changes with the code that makes such a folder."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()


def _gpu_may_be_here() -> bool:
    """Whether TensorFlow, which is not asked, might find one."""
    return any(map(os.path.exists, GPU_DRIVERS)) and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"it needs {needed:,} free bytes, and there are {free:,}")
