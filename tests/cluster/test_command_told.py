"""The command as reports tell it: to be run again as it is, and without secrets."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.arguments import parse
from cluster.summary import command_told


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=6))
def test_a_shell_reads_the_words_that_were_typed(words):
    assert shlex.split(command_told(words)) == ["encorpus", *words]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--storage-option", "secret=hunter2"), "--storage-option secret=…"),
        (("--storage-option=secret=hunter2",), "--storage-option=secret=…"),
        (("--storage-option", 'client_kwargs={"a": "hunter2"}'), "--storage-option client_kwargs=…"),
        (("--storage-option", "a=1", "--storage-option", "b=2"), "--storage-option a=… --storage-option b=…"),
        (("--storage-option", "a=1", "b=2"), "--storage-option a=… b=2"),
    ],
)
def test_values_of_storage_options_are_left_out(words, told):
    assert command_told(("embed", *words)) == f"encorpus embed {told}"


def test_the_words_are_those_of_the_command_line():
    words = ("embed", "my corpus", "-o", "out", "--model", "model")
    assert command_told(parse(words).words) == "encorpus embed 'my corpus' -o out --model model"
