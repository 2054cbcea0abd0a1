"""What a failure of a store means: whether it passes by itself, and the one line that a user reads.

Each store's library has errors of its own, and hides the server's answer at another depth of them. The whole chain of
causes is looked at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from errno import EDQUOT, ENOSPC, EROFS
from typing import Any

from pipelines.errors import EncorpusError, StorageError, StorageFullError
from pipelines.local_files import local_path

# What a write fails with when every other one will fail too.
FULL = (ENOSPC, EDQUOT, EROFS)
FULL_STATUS = 507
FULL_CODES = ("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded")

PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504, 509)
# S3 gives these with a status of 400, or of any kind.
PASSING_CODES = (
    "BadDigest",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
)
EXPIRED_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "TokenRefreshRequired",
)
# The answer to a HEAD has no body, so that its code is the status, whatever the reason was.
BARE_CODES = ("400", "401", "403")

# Errors of the store's library, by name, that are no fault of the request: no answer, or half of one.
NO_ANSWER = (
    "ChecksumError",
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "CredentialRetrievalError",
    "FlexibleChecksumError",
    "HTTPClientError",
    "IncompleteRead",
    "IncompleteReadError",
    "MetadataRetrievalError",
    "ResponseParserError",
    "ServiceRequestError",
    "ServiceResponseError",
    "TimeoutError",
    "gaierror",
)
LASTING = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)


class Failure(Enum):
    """LASTING: again would be in vain. PASSING: it may work the next time. EXPIRED: it may, with new credentials.
    BARE: an answer that gives no reason, which may be that the credentials expired. NO_CREDENTIALS: none were found; of
    a store that has worked before, they are EXPIRED, as where a machine's own endpoint for them is busy."""

    LASTING = auto()
    PASSING = auto()
    EXPIRED = auto()
    BARE = auto()
    NO_CREDENTIALS = auto()


class ShortReadError(OSError):
    """A store gave fewer bytes than it was asked for and has."""


def failure_of(error: BaseException) -> Failure:
    """What a failure of a store means. What nobody knows of is taken to pass."""
    chain = list(_causes(error))
    code, status = server_answer(error)
    if code in EXPIRED_CODES:
        return Failure.EXPIRED
    if code in PASSING_CODES or status in PASSING_STATUS:
        return Failure.PASSING
    if _is_full(error):
        return Failure.LASTING
    if code in BARE_CODES:
        return Failure.BARE
    if status is not None:
        return Failure.LASTING
    if any(map(_is_no_answer, chain)):
        return Failure.PASSING
    if any("NoCredentialsError" in _type_names(one) for one in chain):
        return Failure.NO_CREDENTIALS
    return Failure.LASTING if isinstance(error, LASTING) or any(map(_is_our_fault, chain)) else Failure.PASSING


def server_answer(error: BaseException) -> tuple[str | None, int | None]:
    """The error code and the HTTP status with which the server answered, each None where it is not known."""
    for one in _causes(error):
        if _is_no_answer(one):
            return None, None
        response = getattr(one, "response", None)
        if isinstance(response, dict):  # botocore's
            metadata = response.get("ResponseMetadata", {})
            return str(response.get("Error", {}).get("Code", "")) or None, metadata.get("HTTPStatusCode")
        for name in ("status", "status_code", "code"):  # aiohttp's, Azure's, Google's
            status = getattr(one, name, None)
            if isinstance(status, int) and 400 <= status < 600:
                return None, status
    return None, None


def storage_error(uri: str, verb: str, error: BaseException, attempts: int = 1) -> StorageError:
    """The one line that says what could not be done, why, and after how many attempts."""
    told = _cause(error)
    if not isinstance(error, OSError):
        told = f"{type(error).__name__}: {told}"
    if verb == "write" and _is_full(error):
        remedy = "make it writable" if getattr(error, "errno", None) == EROFS else "make room"
        return StorageFullError(f"{uri}: cannot write: {told}; {remedy} and run again")
    after = f", after {attempts} attempts" if attempts > 1 else ""
    return StorageError(f"{uri}: cannot {verb}: {told}{after}")


@contextmanager
def one_line_errors(uri: str, verb: str) -> Iterator[None]:
    """Turns what a disk or a store raises in the block into a StorageError of one line that names the URI."""
    try:
        yield
    except EncorpusError:
        raise
    except Exception as error:
        # A local disk has OSErrors only; a store's library may have any, as for missing credentials.
        if not isinstance(error, OSError) and local_path(uri) is not None:
            raise
        raise storage_error(uri, verb, error) from error


def _is_full(error: BaseException) -> bool:
    code, status = server_answer(error)
    return getattr(error, "errno", None) in FULL or status == FULL_STATUS or code in FULL_CODES


def _is_our_fault(error: BaseException) -> bool:
    """Whether it is the request that cannot be right: an option, missing credentials."""
    if isinstance(error, OSError | EOFError | RuntimeError):
        return isinstance(error, NotImplementedError)
    return type(error).__module__ == "builtins" or "BotoCoreError" in _type_names(error)


def _is_no_answer(error: BaseException) -> bool:
    return any(name in NO_ANSWER for name in _type_names(error))


def _type_names(error: BaseException) -> Iterator[str]:
    return (kind.__name__ for kind in type(error).__mro__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    one: Any = error
    while one is not None:
        yield one
        one = one.__cause__


def _cause(error: BaseException) -> str:
    silent = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    text = getattr(error, "strerror", None) or str(error) or silent
    where = getattr(error, "filename", None)
    return " ".join(str(text).split())[:300] + (f" ({where})" if where else "")
