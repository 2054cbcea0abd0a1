"""A cluster's Jobs API: its jobs as plain values, requests that end, and errors of one line."""

import os
from argparse import ArgumentTypeError
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import requests
from packaging.version import Version
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

from cluster.jobs.api_url import ADDRESS, DEFAULT_URL
from cluster.option_types import cluster_url
from pipelines.errors import EncorpusError, UsageError, first_line, last_line

OLDEST_RAY = "2.60"

# To connect, and for an answer.
REQUEST_SECONDS = (10, 60)

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
TOKEN_ADVICE = "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE, a file with the cluster's token"


class UnreachableError(UsageError):
    """Nothing answers at the URL, or nothing that is Ray's."""


class ClusterError(EncorpusError):
    """The cluster answers that it cannot do what it was asked for."""


@dataclass(frozen=True)
class ClusterJob:
    """A job as its cluster knows it. status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED. exit_code: of its command,
    None as long as that has not come to its end by itself. began, ended: seconds since 1970."""

    id: str
    status: str
    entrypoint: str
    metadata: Mapping[str, str]
    message: str
    error: str | None
    exit_code: int | None
    began: float
    ended: float | None

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.status in ENDED


class _TimelyClient(JobSubmissionClient):
    """Ray's own client waits without limit for a machine that does not answer."""

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        return super()._do_request(method, endpoint, timeout=REQUEST_SECONDS, **options)


class Cluster:
    """The jobs of the cluster at a URL. All methods raise UnreachableError and ClusterError."""

    def __init__(self, url: str | None) -> None:
        """url: of its Jobs API; None: what the environment says, else this machine's. Raises UsageError, too, where a
        token is missing or wrong."""
        self.url = url or _url_of_environment()
        with _one_line_errors(self.url), _address(self.url):
            self._client = _TimelyClient(self.url)

    def require_ray(self) -> None:
        """Raises UsageError where the cluster's Ray is too old for encorpus."""
        version = str(self._client._server_ray_version)
        if Version(version) < Version(OLDEST_RAY):
            raise UsageError(f"{self.url}: the cluster runs Ray {version}; encorpus needs {OLDEST_RAY} or newer there")

    def submit(self, job_id: str, entrypoint: str, runtime_env: dict[str, Any], metadata: dict[str, str]) -> None:
        """Hands a job in. Raises ClusterError where there is one of that id."""
        with _one_line_errors(self.url):
            self._client.submit_job(
                entrypoint=entrypoint, submission_id=job_id, runtime_env=runtime_env, metadata=metadata
            )

    def jobs(self) -> list[ClusterJob]:
        """All jobs handed in since the cluster began."""
        with _one_line_errors(self.url):
            return [_job(details) for details in self._client.list_jobs() if details.submission_id]

    def job(self, job_id: str) -> ClusterJob:
        """What has become of a job."""
        with _one_line_errors(self.url):
            return _job(self._client.get_job_info(job_id))

    def stop(self, job_id: str) -> bool:
        """Has a job's command sent SIGTERM; whether there was one."""
        with _one_line_errors(self.url):
            return self._client.stop_job(job_id)

    def log(self, job_id: str) -> str:
        """All that the job has written so far, and Ray about it."""
        with _one_line_errors(self.url):
            return self._client.get_job_logs(job_id)

    async def log_pieces(self, job_id: str) -> AsyncGenerator[str, None]:
        """The log from its beginning, piece by piece as it comes, until the job has ended."""
        with _one_line_errors(self.url):
            async for piece in self._client.tail_job_logs(job_id):
                yield piece


def _url_of_environment() -> str:
    try:
        return cluster_url(os.environ.get(ADDRESS) or DEFAULT_URL)
    except ArgumentTypeError as error:
        raise UsageError(f"{ADDRESS}: {error}") from None


def _job(details: JobDetails) -> ClusterJob:
    return ClusterJob(
        id=details.submission_id or "",
        status=details.status.value,
        entrypoint=details.entrypoint,
        metadata=details.metadata or {},
        message=details.message or "",
        error=details.error_type,
        exit_code=details.driver_exit_code,
        began=(details.start_time or 0) / 1000,
        ended=details.end_time / 1000 if details.end_time else None,
    )


@contextmanager
def _address(url: str) -> Iterator[None]:
    """Ray's client takes an address in the environment before the one that it is given."""
    before = os.environ.get(ADDRESS)
    os.environ[ADDRESS] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ[ADDRESS]
        else:
            os.environ[ADDRESS] = before


@contextmanager
def _one_line_errors(url: str) -> Iterator[None]:
    try:
        yield
    except AuthenticationError as error:
        if "Authentication failed" in str(error):
            raise UsageError(f"{url}: this is not the cluster's token; set {TOKEN_ADVICE}") from None
        raise UsageError(f"{url} asks for a token; set {TOKEN_ADVICE}") from None
    except (requests.exceptions.JSONDecodeError, KeyError):
        raise UnreachableError(f"{url}: what answers there is not Ray's Jobs API") from None
    except requests.exceptions.Timeout:
        raise UnreachableError(f"{url}: no answer in time") from None
    except (ConnectionError, requests.exceptions.ConnectionError, aiohttp.ClientConnectionError):
        raise UnreachableError(f"{url}: no Ray cluster answers there") from None
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(f"{url}: no Ray cluster answers there ({first_line(error)[:120]})") from None
    except RuntimeError as error:
        if "Version check returned 404" in str(error):
            raise UnreachableError(f"{url}: what answers there is not Ray's Jobs API") from None
        raise ClusterError(f"{url}: {last_line(str(error))}") from None
