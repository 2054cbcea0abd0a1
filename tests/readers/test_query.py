"""The query of docs/readers.md is encoded as the output's texts were."""

import numpy as np
import pytest

from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.output.job_file import JobFile, job_to_bytes
from tests.pipelines.output.fake_job import output_in
from tests.readers.recipes import run

TEXT = "elections in small towns"


@pytest.mark.parametrize(
    "options", [{"pooling": "mean"}, {"pooling": "cls", "layers": (-1, -2), "max_tokens": 16, "dtype": "float16"}]
)
def test_the_query_comes_from_the_outputs_own_encoder(options, tiny_model, tmp_path):
    spec = EncoderSpec(str(tiny_model), **options)
    resolved = resolve_spec(spec)
    output = output_in(tmp_path)
    job = JobFile(resolved.describe(), resolved.fingerprint, {}, 10, [], "0")
    output.storage.write_atomic(output.job_uri, job_to_bytes(job))
    query = run("query", OUTPUT=output.uri)["query"]
    due = np.asarray(TextEncoder.load(spec).encode([TEXT]))[0].astype(np.float32)
    np.testing.assert_allclose(query, due / np.linalg.norm(due), atol=1e-4)
    assert query.dtype == np.float32
