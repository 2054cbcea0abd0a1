"""Paths of a job: only what all nodes can have."""

import pytest

from cluster.arguments import parse
from cluster.jobs.places import places_of, shared_paths
from pipelines.errors import UsageError


def places(*options, corpus="s3://b/in"):
    words = ["submit", corpus, "-o", "s3://b/out", "--model", "s3://b/model", *options]
    return tuple(places_of(parse(words)))


@pytest.mark.parametrize("more", [("-o", "out"), ("--model", "./model"), ("--preprocessor", "~/p")])
def test_a_relative_path_is_refused_in_any_option(more):
    with pytest.raises(UsageError, match=f"^{more[-1]}: a relative path means a folder of this machine"):
        shared_paths(places(*more))


def test_a_relative_input_is_refused():
    with pytest.raises(UsageError, match=r"^corpus: a relative path"):
        shared_paths(places(corpus="corpus"))


def test_absolute_paths_are_those_that_nodes_share():
    given = places("--preprocessor", "file:///data/p", corpus="/data/in/*.parquet")
    assert shared_paths(given) == ["/data/in/*.parquet", "file:///data/p"]


def test_uris_are_no_paths():
    assert shared_paths(places("--model", "https://tfhub.dev/x/1")) == []
