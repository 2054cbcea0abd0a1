"""What a job does with its storage, tried: list and read the input; list, write, read, overwrite and delete in OUTPUT.

What is written is a probe whose name begins with `_`, as everything does that no reader takes for a shard.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cluster.doctor.finding import Finding, failure, ok
from pipelines.errors import EncorpusError, StorageError
from pipelines.local_files import local_path
from pipelines.numbers import count
from pipelines.retries import RetryPolicy
from pipelines.storage import Storage
from pipelines.store_errors import server_answer

PROBE = "_encorpus-doctor-"
CONTENT, OTHER_CONTENT = b"written by encorpus doctor, may be deleted", b"overwritten by encorpus doctor"
READ_BYTES = 1024
# A store that does not answer is told of soon.
POLICY = RetryPolicy(attempts=3, unproven_seconds=4.0)

DENIED_STATUS = (401, 403)
CLOCK_CODES = ("RequestTimeTooSkewed", "RequestInTheFuture")


class Right(NamedTuple):
    """verb: what is to be done. s3: what S3 calls the right to do it."""

    verb: str
    s3: str


LIST = Right("list", "s3:ListBucket")
READ = Right("read", "s3:GetObject")
WRITE = Right("write", "s3:PutObject")
OVERWRITE = Right("overwrite", "s3:PutObject")
DELETE = Right("delete", "s3:DeleteObject")


def probing(storage: Storage) -> Storage:
    """The storage, less patient."""
    return replace(storage, policy=POLICY)


class Input(NamedTuple):
    """first: a file of it, None where there is none."""

    finding: Finding
    first: str | None


def check_input(uri: str, storage: Storage) -> Input:
    """Whether it can be listed, and holds something."""
    try:
        files = list(storage.list_files(uri))
    except EncorpusError as error:
        return Input(_not_possible("input", LIST, uri, error), None)
    return Input(ok("input", f"{uri}: can be listed, {count(len(files), 'file')}"), files[0].uri)


def check_readable(uri: str, storage: Storage) -> Iterator[Finding]:
    """Whether a file of the input can be read here."""
    try:
        storage.read_range(uri, 0, READ_BYTES)
    except EncorpusError as error:
        yield _not_possible("input", READ, uri, error)
    else:
        yield ok("input", f"{uri}: can be read")


def check_listable(output: str, storage: Storage) -> Iterator[Finding]:
    """Whether what is in OUTPUT can be listed."""
    try:
        storage.names(output)
    except EncorpusError as error:
        yield _not_possible("output", LIST, output, error)
    else:
        yield ok("output", f"{output}: can be listed")


def check_writable(output: str, storage: Storage) -> Iterator[Finding]:
    """Whether a file in OUTPUT can be written, read, overwritten and deleted here. Leaves nothing behind."""
    probe = storage.join(output, PROBE + secrets.token_hex(8))
    wrong: list[Finding] = []

    def can(right: Right, work: Callable[[], None]) -> bool:
        try:
            work()
        except EncorpusError as error:
            wrong.append(_not_possible("output", right, output, error))
            return False
        return True

    with _no_new_folders(output):
        written = False
        try:
            written = can(WRITE, lambda: storage.write_atomic(probe, CONTENT, lasting=False))
            if written and can(READ, lambda: _require(storage, probe, CONTENT)):
                can(OVERWRITE, lambda: storage.write_atomic(probe, OTHER_CONTENT, lasting=False))
        finally:
            # Tried in any case: an answer that was lost may have been that of a write.
            deleted = can(DELETE, lambda: storage.delete(probe))
    if written and not deleted:
        wrong[-1] = _left_behind(probe, wrong[-1])
    elif not written:
        wrong = wrong[:1] + [one for one in wrong[1:] if "missing" in one.found]
    yield from wrong
    if not wrong:
        yield ok("output", f"{output}: can be written, read, overwritten, deleted")


@contextmanager
def shared_marker(output: str, storage: Storage, findings: list[Finding]) -> Iterator[str | None]:
    """A file in OUTPUT, for other nodes to see, for the time of the block; None where it cannot be written.

    findings: gets one more where the file cannot be deleted.
    """
    marker = storage.join(output, PROBE + secrets.token_hex(8))
    with _no_new_folders(output):
        try:
            storage.write_atomic(marker, CONTENT, lasting=False)
        except EncorpusError:
            yield None  # the nodes find out, too, and say why
            return
        try:
            yield marker
        finally:
            try:
                storage.delete(marker)
            except EncorpusError as error:
                findings.append(_left_behind(marker, _not_possible("output", DELETE, output, error)))


def check_shared(output: str, marker: str, storage: Storage) -> Iterator[Finding]:
    """Whether this node's OUTPUT is that of the machine which wrote the marker."""
    try:
        content = storage.read_if_there(marker)
    except EncorpusError as error:
        yield _not_possible("output", READ, output, error)
        return
    if content is None:
        found = f"{output}: another folder on this node than on the one that starts the job"
        yield failure("output", found, "use object storage, or a folder that all nodes mount")


def check_output(output: str, marker: str | None, storage: Storage) -> list[Finding]:
    """`check_shared` and `check_writable`, what they say alike once. marker: None where no other machine wrote one."""
    shared = () if marker is None else check_shared(output, marker, storage)
    return list(dict.fromkeys([*shared, *check_writable(output, storage)]))


def _left_behind(probe: str, finding: Finding) -> Finding:
    return replace(finding, advice=f"{finding.advice}; then delete {probe}")


def _require(storage: Storage, uri: str, content: bytes) -> None:
    if storage.read_bytes(uri) != content:
        raise StorageError(f"{uri}: cannot read: it holds something else than was written")


def _not_possible(about: str, right: Right, uri: str, error: EncorpusError) -> Finding:
    code, status = server_answer(error)
    if code in CLOCK_CODES:
        return failure(about, f"{uri}: the store says that this machine's clock is wrong", "keep it with NTP")
    denied = status in DENIED_STATUS or isinstance(error.__cause__, PermissionError)
    if not denied:
        return failure(about, str(error), _advice(uri))
    if local_path(uri) is not None:
        found = f"{uri}: cannot {right.verb} there: permission denied"
        return failure(about, found, "give the folder to the user that runs the job, or choose another one")
    name = f" {right.s3}" if uri.startswith(("s3://", "s3a://")) else f" to {right.verb}"
    told = f", says {code}" if code and not code.isdecimal() else ""
    found = f"{uri}: cannot {right.verb}: the right{name} is missing{told}"
    return failure(about, found, "give it to the role or key that the nodes use")


def _advice(uri: str) -> str:
    if local_path(uri) is not None:
        return "use object storage, or a folder that is there on every node"
    return "look at the URI, at credentials and --storage-option, and at the network (docs/storage.md)"


@contextmanager
def _no_new_folders(output: str) -> Iterator[None]:
    """Takes away the local folders that writing makes, where nothing else is in them by then."""
    path = local_path(output)
    new: list[Path] = [] if path is None else [one for one in (path, *path.parents) if not one.exists()]
    try:
        yield
    finally:
        for folder in new:
            try:
                folder.rmdir()
            except OSError:
                break
