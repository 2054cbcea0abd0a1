"""Uploads in parts that nobody finished: never an object, and swept when they are old."""

from typing import Any

import pytest
import s3fs

from pipelines.storage import Storage
from tests.s3_server import new_bucket


@pytest.fixture
def begun(s3):
    """A function that begins an upload and stores a part of it; the client, and the URI of a folder."""
    uri = f"{new_bucket(s3)}/folder"
    client: Any = s3fs.S3FileSystem(**s3.options)

    def begin(place: str) -> None:
        bucket, key, _ = client.split_path(place)
        upload = client.call_s3("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
        client.call_s3("upload_part", Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half")

    return begin, client, uri


def uploads(client: Any, uri: str) -> list[str]:
    bucket = uri.removeprefix("s3://").split("/")[0]
    return [upload["Key"] for upload in client.call_s3("list_multipart_uploads", Bucket=bucket).get("Uploads", ())]


def test_an_unfinished_upload_is_no_object(s3, begun):
    begin, _, uri = begun
    begin(f"{uri}/part-000000-000000.parquet")
    assert s3.names(uri) == []
    assert not s3.exists(f"{uri}/part-000000-000000.parquet")


def test_sweep_ends_old_uploads_below_the_folder_and_no_others(s3, begun):
    """The server dates all uploads to 2010."""
    begin, client, uri = begun
    begin(f"{uri}/a")
    begin(f"{uri}/b/c")
    begin(f"{uri}-beside/d")
    s3.sweep(uri)
    assert uploads(client, uri) == ["folder-beside/d"]


def test_a_sweep_of_a_folder_and_those_inside_it_is_one_listing(faulty):
    storage, proxy = faulty
    uri = f"{new_bucket(storage)}/folder"
    proxy.requests.clear()
    storage.sweep(uri, f"{uri}/inner", f"{uri}/inner/most")
    assert proxy.requests == {"GET": 1}


def test_sweep_leaves_young_uploads_alone(rclone_s3):
    client = s3fs.S3FileSystem(**rclone_s3.options)
    uri = f"{new_bucket(rclone_s3)}/folder"
    bucket, key, _ = client.split_path(f"{uri}/a")
    client.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    rclone_s3.sweep(uri)
    assert uploads(client, uri) == ["folder/a"]


def test_sweep_is_content_where_uploads_cannot_be_listed(faulty):
    storage, proxy = faulty
    uri = f"{new_bucket(storage)}/folder"
    proxy.expired.add("any")
    storage.sweep(uri)
    Storage().sweep("memory://folder")
