from pathlib import Path

import click
import pytest

from pyflow.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("name", main.commands)
def test_every_command_and_option_has_help_and_is_in_the_docs(name):
    command = main.commands[name]
    _, _, section = PAGE.partition(f"\n## pyflow {name}")
    section = section.split("\n## ")[0]

    assert command.help
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option
            assert f"`{option.opts[0]}" in section, option
