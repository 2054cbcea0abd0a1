"""Retries: what is tried again, how long between, what is counted, and what is said when it was in vain."""

import pickle
from types import SimpleNamespace

import aiohttp
import botocore.exceptions as boto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import retries
from pipelines.errors import StorageError, StorageFullError
from pipelines.retries import Retries, RetryPolicy, repeated
from pipelines.storage import Storage
from pipelines.store_errors import Failure, failure_of, storage_error


def answered(code: str, status: int) -> OSError:
    """What s3fs raises for a server's answer."""
    error = OSError("told")
    error.__cause__ = boto.ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[arg-type]
        "GetObject",
    )
    return error


def from_cause(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        answered("InternalError", 500),
        answered("SlowDown", 503),
        answered("502", 502),
        answered("TooManyRequests", 429),
        answered("RequestTimeout", 400),
        answered("BadDigest", 400),
        TimeoutError(),
        ConnectionResetError(),
        ConnectionRefusedError(),
        aiohttp.ClientPayloadError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientResponseError(None, (), status=503),  # type: ignore[arg-type]
        boto.EndpointConnectionError(endpoint_url="u"),
        boto.ReadTimeoutError(endpoint_url="u"),
        boto.ConnectionClosedError(endpoint_url="u"),
        boto.CredentialRetrievalError(provider="p", error_msg="m"),
        from_cause(FileNotFoundError(), aiohttp.ClientResponseError(None, (), status=502)),  # type: ignore[arg-type]
        OSError("nobody knows"),
        type("SomebodysError", (Exception,), {"__module__": "somebody"})(),
    ],
    ids=repr,
)
def test_what_may_pass(error):
    assert failure_of(error) is Failure.PASSING


@pytest.mark.parametrize(
    "error",
    [
        answered("NoSuchKey", 404),
        answered("NoSuchBucket", 404),
        answered("AccessDenied", 403),
        answered("SignatureDoesNotMatch", 403),
        answered("InvalidBucketName", 400),
        answered("XMinioStorageFull", 507),
        FileNotFoundError(),
        PermissionError(),
        IsADirectoryError(),
        OSError(28, "No space left on device"),
        TypeError("unexpected keyword"),
        ValueError("no such option"),
        NotImplementedError(),
        boto.ProfileNotFound(profile="p"),
        boto.ParamValidationError(report="r"),
        aiohttp.ClientResponseError(None, (), status=404),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_will_not_pass(error):
    assert failure_of(error) is Failure.LASTING


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidAccessKeyId"])
def test_what_new_credentials_may_help(code):
    assert failure_of(answered(code, 400)) is Failure.EXPIRED


@pytest.mark.parametrize("status", [400, 403])
def test_an_answer_without_a_reason_may_mean_expired_credentials(status):
    assert failure_of(answered(str(status), status)) is Failure.BARE


class Failing:
    """Fails so many times, then gives 7. waits: what was slept; renewals: how often new credentials were asked for."""

    def __init__(self, times: int, error: Exception, proven: bool = True, **policy: float) -> None:
        self.left = times
        self.error = error
        self.retries = Retries()
        self.retries.proven = proven
        self.waits: list[float] = []
        self.renewals = 0
        self.policy = RetryPolicy(**policy, sleep=self.waits.append)  # type: ignore[arg-type]

    def work(self) -> int:
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return 7

    def renew(self) -> None:
        self.renewals += 1

    def run(self) -> int:
        return repeated(self.work, self.renew, self.policy, self.retries, "s3://b/a", "read")


def test_each_retry_is_counted_and_the_result_comes():
    failing = Failing(3, TimeoutError())
    assert failing.run() == 7
    assert (failing.retries.take(), failing.retries.take()) == (3, 0)


def test_after_the_last_attempt_one_line_says_where_what_and_how_often():
    with pytest.raises(StorageError) as raised:
        Failing(9, OSError("slow down"), attempts=4).run()
    assert str(raised.value) == "s3://b/a: cannot read: slow down, after 4 attempts"


def test_a_timeout_without_words_is_told():
    assert str(storage_error("s3://b/a", "read", TimeoutError())) == "s3://b/a: cannot read: no answer in time"


def test_what_will_not_pass_is_raised_at_once():
    failing = Failing(9, FileNotFoundError())
    with pytest.raises(FileNotFoundError):
        failing.run()
    assert failing.waits == []


@given(st.integers(1, 12), st.floats(0, 2), st.floats(0, 20))
def test_waits_double_up_to_the_longest_and_lose_no_more_than_half_by_chance(attempts, first, longest):
    failing = Failing(
        attempts - 1, TimeoutError(), attempts=attempts, first_wait=first, longest_wait=longest, most_seconds=1e9
    )
    failing.run()
    due = [min(first * 2**number, longest) for number in range(attempts - 1)]
    assert all(full / 2 <= wait <= full for wait, full in zip(failing.waits, due, strict=True))


def test_a_store_that_was_never_reached_is_soon_given_up():
    failing = Failing(9, ConnectionRefusedError(), proven=False, first_wait=4, unproven_seconds=1)
    with pytest.raises(StorageError):
        failing.run()
    assert failing.waits == []


@pytest.mark.parametrize(("error", "proven"), [(ConnectionRefusedError(), True), (answered("SlowDown", 503), False)])
def test_a_store_that_was_reached_once_or_answers_is_given_more_time(error, proven):
    failing = Failing(2, error, proven=proven, first_wait=4, unproven_seconds=1)
    assert failing.run() == 7


@pytest.mark.parametrize(("seconds", "attempts"), [(0, 7), (20, 4), (31, 3), (600, 3)])
def test_there_are_three_attempts_however_long_each_takes_and_from_the_third_on_time_counts(
    seconds, attempts, monkeypatch
):
    failing = Failing(99, TimeoutError())
    # A clock that only attempts move: each fails once and takes its time.
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: (99 - failing.left) * seconds))
    with pytest.raises(StorageError, match=f", after {attempts} attempts$"):
        failing.run()


def test_the_defaults_take_well_under_a_minute():
    policy = RetryPolicy()
    assert sum(policy.first_wait * 2**number for number in range(policy.attempts - 1)) < policy.most_seconds < 40
    assert policy.unproven_seconds < 10


def test_expired_credentials_are_renewed_before_each_retry():
    failing = Failing(3, answered("ExpiredToken", 400))
    assert failing.run() == 7
    assert failing.renewals == 3


def test_credentials_that_never_worked_are_renewed_once():
    failing = Failing(9, answered("InvalidAccessKeyId", 403), proven=False)
    with pytest.raises(OSError, match="told"):
        failing.run()
    assert failing.renewals == 1


def test_no_credentials_are_looked_for_again_where_there_were_some():
    failing = Failing(3, boto.NoCredentialsError())
    assert failing.run() == 7
    assert failing.renewals == 3


def test_no_credentials_at_the_first_request_are_an_error_at_once():
    failing = Failing(9, boto.NoCredentialsError(), proven=False)
    with pytest.raises(boto.NoCredentialsError):
        failing.run()
    assert (failing.waits, failing.renewals) == ([], 0)


def test_a_refusal_without_a_reason_is_tried_with_new_credentials_once():
    failing = Failing(9, answered("403", 403))
    with pytest.raises(OSError, match="told"):
        failing.run()
    assert failing.renewals == 1


def test_a_full_store_is_told_apart():
    error = storage_error("s3://b/a", "write", answered("XMinioStorageFull", 507))
    assert isinstance(error, StorageFullError)
    assert str(error) == "s3://b/a: cannot write: told; make room and run again"


def test_counts_start_anew_in_another_process_and_make_no_storage_unequal():
    storage = Storage({"key": "any"}, RetryPolicy(attempts=2))
    storage.retries.add()
    arrived = pickle.loads(pickle.dumps(storage))
    assert arrived == storage
    assert (arrived.retries.take(), storage.retries.take()) == (0, 1)
