"""A job that may do what storage/aws_embed_policy.json allows, and nothing else, does its work. The server, moto, looks
at actions and resources of a policy, not at its conditions."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from pipelines.storage import Storage
from tests.cluster.command_line import encorpus
from tests.cluster.deploy.files import DEPLOY
from tests.s3_server import KEY, SECRET, moto_server

POLICY = DEPLOY / "storage" / "aws_embed_policy.json"
CORPUS = "your-corpus-bucket/your-corpus"
MODEL = "your-model-bucket/your-model"
OUTPUT = "your-output-bucket/your-output"


def write_corpus(fs: Any, file: str, rows: int) -> None:
    with fs.open(f"{CORPUS}/{file}", "wb") as out:
        pq.write_table(pa.table({"text": [f"the file {row}" for row in range(rows)]}), out)


@pytest.fixture(scope="module")
def options(tiny_model: Path) -> Iterator[dict[str, str]]:
    """Storage options of a user who has the policy; the buckets have a corpus and a model."""
    with moto_server() as storage:
        endpoint = storage.options["endpoint_url"]
        owner = s3fs.S3FileSystem(**storage.options)
        for place in (CORPUS, MODEL, OUTPUT):
            owner.mkdir(place.partition("/")[0])
        write_corpus(owner, "a.parquet", 30)
        owner.put(str(tiny_model), MODEL, recursive=True)
        iam = boto3.client(
            "iam", "us-east-1", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET
        )
        iam.create_user(UserName="worker")
        iam.put_user_policy(UserName="worker", PolicyName="embed", PolicyDocument=POLICY.read_text())
        keys = iam.create_access_key(UserName="worker")["AccessKey"]
        ask = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urllib.request.urlopen(ask, timeout=10).close()  # from now on policies are looked at
        yield {"endpoint_url": endpoint, "key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"]}


def embed(options: dict[str, str], *more: str):
    given = [word for name, value in options.items() for word in ("--storage-option", f"{name}={value}")]
    words = ("embed", f"s3://{CORPUS}/*.parquet", "-o", f"s3://{OUTPUT}", "--model", f"s3://{MODEL}", "--workers", "1")
    return encorpus(*words, "--shard-rows", "10", *given, *more)


@pytest.fixture(scope="module")
def embedded(options: dict[str, str], ray_session: None):
    return embed(options)


def test_it_is_enough_to_embed(embedded):
    assert embedded.status == 0, embedded.err


def test_it_is_enough_to_delete_below_the_output(embedded, options):
    user, place = s3fs.S3FileSystem(**options), f"{OUTPUT}/sub/x"
    user.pipe(place, b"a")
    Storage(options).delete(f"s3://{place}")
    with pytest.raises(FileNotFoundError):
        user.cat(place)


@pytest.mark.parametrize("place", [f"{CORPUS}/b.parquet", f"{MODEL}/saved_model.pb", "your-output-bucket/other/x"])
def test_it_lets_nobody_write_elsewhere(embedded, options, place):
    with pytest.raises(PermissionError):
        s3fs.S3FileSystem(**options).pipe(place, b"no")


def test_it_lets_nobody_read_elsewhere(embedded, options):
    with pytest.raises(PermissionError):
        s3fs.S3FileSystem(**options).cat("your-corpus-bucket/other/x")
