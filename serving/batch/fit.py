"""Whether a served model gives a job just the vectors that the job's own encoder would.

What the encoder computes has to be the same. How texts are cut, and what becomes of the vectors after that, is for the
job alone to say: max_tokens, the chunk options, and the dtype in the shards.
"""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.encoder.folder_digest import folder_digest
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.errors import UsageError
from pipelines.version import encorpus_version
from serving.batch.batch_call import Wanted
from serving.batch.batch_lane import Served

# Of the options that decide a vector, those that the encoder itself computes by.
COMPUTED = ("pooling", "layers", "normalize", "precision")


def fit(models: Mapping[str, Served], wanted: Wanted) -> tuple[Served, ResolvedSpec]:
    """The first of the models that fits, and the job's spec as it is on this machine.

    Raises UsageError that says of each model what differs.
    """
    if wanted.version != encorpus_version():
        raise UsageError(f"it runs encorpus {encorpus_version()}, and this is {wanted.version}; use the same version")
    told = []
    for name, served in models.items():
        try:
            resolved = _resolved_here(served.encoder.resolved, wanted.encoder)
        except UsageError as error:  # what another model would take
            told.append(f"{name}: {error}")
            continue
        differing = _differences(served, resolved, wanted.fingerprint)
        if not differing:
            return served, resolved
        told.append(f"{name}: {', '.join(differing)}")
    raise UsageError(
        f"it serves no model that gives this job's vectors ({'; '.join(told)}); ask for what is served, or leave out "
        "--through"
    )


def _resolved_here(served: ResolvedSpec, wanted: EncoderSpec) -> ResolvedSpec:
    """The job's spec over the files that are served: its fingerprint is the job's if these are the job's files."""
    folder = served.preprocessor_folder
    preprocessor = str(folder) if wanted.preprocessor and folder else None
    return resolve_spec(replace(wanted, model=str(served.model_folder), preprocessor=preprocessor))


def _differences(served: Served, resolved: ResolvedSpec, fingerprint: str) -> list[str]:
    given, asked = served.encoder.resolved.describe(), resolved.describe()
    told = [f"{name} is {given[name]}, not {asked[name]}" for name in COMPUTED if given[name] != asked[name]]
    if resolved.fingerprint != fingerprint or not _same_preprocessor(served.encoder.resolved, resolved):
        told.insert(0, "the files of model or preprocessor are others")
    longest = served.encoder.ladder[-1]
    if resolved.max_tokens > longest:
        told.append(f"it takes {longest} tokens at most, not {resolved.max_tokens}")
    if served.encoder.resolved.spec.encoded_dtype == "float16":
        told.append("it gives float16, and jobs start from float32")
    return told


def _same_preprocessor(served: ResolvedSpec, resolved: ResolvedSpec) -> bool:
    """Whether the served encoder's tokens are the job's, which may name no preprocessor where the server does."""
    given, asked = served.preprocessor_folder, resolved.preprocessor_folder
    if given is None or asked is None:
        return given is asked
    try:
        return given == asked or folder_digest(given) == folder_digest(asked)
    except OSError:  # of a folder that is gone by now
        return False
