"""What `package` reports, and that its output is there whole or not at all."""

from pathlib import Path

import pytest
from packaged_model import PackagedModel
from small_checkpoints import BERT, VOCABULARY, random_tensors, write_hugging_face, write_vocabulary

from pipelines.errors import StorageError, UsageError
from pipelines.packager.package import package, read_checkpoint


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_hugging_face(tmp_path / "source", BERT, random_tensors(BERT))


def test_report_tells_what_was_packaged(bert: PackagedModel) -> None:
    report = bert.report
    assert (report.architecture, report.layers, report.width, report.heads) == ("bert", 2, 24, 3)
    assert (report.vocabulary, report.max_positions) == (30, 20)
    assert report.parameters == sum(tensor.size for tensor in bert.tensors.values())
    assert (report.pooling, report.normalize, report.max_tokens, report.notes) == (None, None, None, ())


def test_output_is_one_folder_with_nothing_beside_it(bert: PackagedModel) -> None:
    assert {path.name for path in bert.folder.parent.iterdir()} == {"source", "packaged"}
    for name in ("saved_model.pb", "assets/vocab.txt", "preprocess/saved_model.pb", "encorpus.json"):
        assert (bert.folder / name).is_file()


def test_an_empty_folder_is_filled(electra: PackagedModel) -> None:
    assert (electra.folder / "saved_model.pb").is_file()


def test_an_output_that_is_there_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "mine").touch()
    for taken in ("output", "output/mine"):
        with pytest.raises(UsageError, match="is there already"):
            package(str(source), str(tmp_path / taken))
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["mine"]


def test_an_output_that_is_not_local_is_refused(source: Path) -> None:
    with pytest.raises(UsageError, match="local folder"):
        package(str(source), "s3://bucket/model")


def test_an_output_below_a_file_is_an_error(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        package(str(source), str(tmp_path / "file" / "output"))


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (["[PAD]", "[UNK]", "[CLS]", "the"], r"lacks \[SEP\], \[MASK\]"),
        ([token for token in VOCABULARY if token != "[UNK]"], r"lacks \[UNK\]"),
        ([*VOCABULARY, "the"], "is not a usable vocabulary"),
    ],
)
def test_an_unusable_vocabulary_is_refused_and_leaves_nothing(
    source: Path, tmp_path: Path, tokens: list[str], said: str
) -> None:
    write_vocabulary(source, tokens)
    with pytest.raises(UsageError, match=said):
        package(str(source), str(tmp_path / "output"))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_the_current_folder_can_hold_the_checkpoint(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    assert read_checkpoint(Path()).architecture.width == BERT["hidden_size"]


def test_a_checkpoint_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such checkpoint"):
        package(str(tmp_path / "missing"), str(tmp_path / "output"))
