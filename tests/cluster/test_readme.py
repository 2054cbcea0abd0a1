"""The commands of the README's example fit each other."""

import shlex
from pathlib import Path

from cluster.arguments import parse

README = Path(__file__).parents[2] / "README.md"


def example(command):
    """The arguments of the README's example of a command."""
    lines = README.read_text().replace("\\\n", " ").splitlines()
    words = next(line for line in lines if line.startswith(f"    encorpus {command} "))
    return parse(shlex.split(words, comments=True)[1:])


def test_the_example_plans_the_text_that_it_embeds():
    plan, embed = example("plan"), example("embed")
    assert (plan.inputs, plan.model, plan.text_column) == (embed.inputs, embed.model, embed.text_column)
