"""`--runtime`: what computes the vectors does not decide them."""

import json

import numpy as np
import pytest

from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import embed, names_of, rows_of, write_parquet


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_parquet(tmp_path_factory.mktemp("corpus") / "a.parquet", names_of("parquet"))


@pytest.fixture(scope="module")
def outputs(corpus, tiny_model, tmp_path_factory):
    """The same corpus by each of the runtimes."""
    folder = tmp_path_factory.mktemp("outputs")
    return {
        name: embed(corpus, folder / name, tiny_model, "--shard-rows", "10", "--runtime", name)
        for name in ("tensorflow", "openvino")
    }


def vectors_in(small):
    return np.array([row["embedding"] for row in rows_of(small.output)])


def fingerprint_of(small):
    return json.loads((small.output / "_encorpus" / "job.json").read_text())["fingerprint"]


def test_both_give_the_same_vectors_under_the_same_fingerprint(outputs):
    ours, theirs = outputs["tensorflow"], outputs["openvino"]
    assert (ours.finished.status, theirs.finished.status) == (0, 0)
    np.testing.assert_allclose(vectors_in(theirs), vectors_in(ours), rtol=0, atol=1e-4)
    assert fingerprint_of(theirs) == fingerprint_of(ours)


def test_a_rerun_by_the_other_one_goes_on_with_the_output(outputs):
    small = outputs["openvino"]
    next(small.output.glob("part-*.parquet")).unlink()
    assert small.again("--runtime", "tensorflow").status == 0
    assert encorpus("verify", small.output, "--deep").status == 0


def test_an_application_has_its_own(corpus, tiny_model, tmp_path):
    words = ("embed", corpus, "-o", tmp_path / "out", "--model", tiny_model)
    refused = encorpus(*words, "--through", "live", "--runtime", "openvino")
    assert (refused.status, "--through and --runtime exclude each other" in refused.err) == (2, True)
