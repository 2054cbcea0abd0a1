"""Secrets never reach a job's command line, and their values never reach the error."""

import pytest

from cluster.jobs.secret_options import require_no_secrets, secret_names
from pipelines.errors import UsageError


@pytest.mark.parametrize(
    "options",
    [
        {"key": "AKIA"},
        {"secret": "hunter2"},
        {"account_key": "hunter2"},
        {"sas_token": "hunter2"},
        {"connection_string": "hunter2"},
        {"token": {"private_key": "hunter2"}},
        {"token": "/home/me/gcs.json"},
        {"client_kwargs": {"aws_secret_access_key": "hunter2"}},
        {"client_kwargs": {"headers": {"Authorization": "Bearer hunter2"}}},
        {"s3_additional_kwargs": {"SSECustomerKey": "hunter2"}},
        {"endpoint_url": "https://me:hunter2@store.example"},
        {"proxy": "http://store.example/?sig=hunter2"},
    ],
)
def test_a_secret_is_refused_by_its_name_or_form(options):
    with pytest.raises(UsageError, match="seems to be a secret") as refused:
        require_no_secrets(options, ())
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"anon": True, "endpoint_url": "http://store.example:9000", "client_kwargs": {"verify": False}},
        {"s3_additional_kwargs": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu:1:key/2"}},
        {"token": "anon", "project": "mine"},
        {"token": "cloud"},
        {"use_listings_cache": "no", "default_cache_type": "none", "account_name": "mine"},
    ],
)
def test_what_is_no_secret_travels(options):
    assert list(secret_names(options)) == []


@pytest.mark.parametrize(
    "place",
    [
        "https://me:hunter2@store.example/model.tar.gz",
        "https://hunter2@store.example/model.tar.gz",
        "https://b.s3.amazonaws.com/model.tar.gz?X-Amz-Signature=hunter2",
        "https://a.blob.core.windows.net/c/model.tar.gz?sv=1&sig=hunter2",
        "simplecache::https://me:hunter2@store.example/a.parquet",
        "zip://a.csv::https://b.s3.amazonaws.com/a.zip?X-Amz-Signature=hunter2",
    ],
)
def test_a_url_that_opens_something_is_refused(place):
    with pytest.raises(UsageError, match="the URL holds a secret") as refused:
        require_no_secrets({}, [place])
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "place",
    [
        "s3://bucket/key/secret",
        "abfs://container@account.dfs.core.windows.net/x",
        "/data/x",
        "https://tfhub.dev/a/1?b=c",
        "simplecache::s3://bucket/key/secret",
    ],
)
def test_other_places_travel(place):
    require_no_secrets({}, [place])
