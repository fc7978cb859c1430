"""``jaxcause completion``: scripts with which shells complete commands and options."""

import argparse
import shlex
from pathlib import Path
from typing import NamedTuple

from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, Parser, add_command, add_output

SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "completion",
        _completion,
        brief="print a script with which a shell completes jaxcause",
        description="Print a script with which a shell completes commands, options and their "
        "values. The script is static: print it again after an upgrade.",
        examples=(
            'eval "$(jaxcause completion bash)"  # in ~/.bashrc; likewise zsh in ~/.zshrc',
            "jaxcause completion fish > ~/.config/fish/completions/jaxcause.fish",
        ),
    )
    command.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    add_output(command)
    # The other commands are known only when all have been added.
    command.set_defaults(commands=commands)


def _completion(arguments: argparse.Namespace) -> int:
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
    lines = write(arguments.commands)
    document = {"command": "completion", "shell": arguments.shell, "script": "\n".join(lines)}
    report(arguments, lines, document)
    return 0


class Argument(NamedTuple):
    """What a shell needs to know about an argument.

    Args:
        flags: Its options, such as ``--out``; empty for a positional argument.
        values: Its choices; empty if there are none.
        takes: ``nothing``, ``file``, ``folder`` or ``value``.
        about: Its help text.
    """

    flags: tuple[str, ...]
    values: tuple[str, ...]
    takes: str
    about: str


def describe(command: Parser) -> list[Argument]:
    """The arguments of a command."""
    found = []
    for action in command._actions:
        takes = "value"
        if action.nargs == 0:
            takes = "nothing"
        elif action.type is Path:
            takes = "folder" if action.metavar == "DIR" else "file"
        elif action.metavar == "DIR":
            takes = "folder"
        values = tuple(map(str, action.choices or ()))
        found.append(Argument(tuple(action.option_strings), values, takes, action.help or ""))
    return found


def _bash(commands: Commands) -> list[str]:
    lines = [
        "# bash completion of jaxcause; made by: jaxcause completion bash",
        "_jaxcause() {",
        "  local IFS=$'\\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
        "  local command=${COMP_WORDS[1]}",
        "  COMPREPLY=()",
        "  if [ $COMP_CWORD -eq 1 ]; then",
        f"    {_words((*commands.choices, '--help', '--version'))}",
        "    return",
        "  fi",
        '  case "$command $prev" in',
    ]
    for name, command in commands.choices.items():
        for argument in describe(command):
            if argument.flags and argument.takes != "nothing":
                keys = "|".join(f'"{name} {flag}"' for flag in argument.flags)
                lines.append(f"    {keys}) {_reply(argument)}; return;;")
    lines += ["  esac", '  case "$command" in']
    for name, command in commands.choices.items():
        flags = tuple(flag for argument in describe(command) for flag in argument.flags)
        free = next((a for a in describe(command) if not a.flags), None)
        lines.append(
            f'    {name}) case "$cur" in -*) {_words(flags)};; '
            f"*) {':' if free is None else _reply(free)};; esac;;"
        )
    return [*lines, "  esac", "}", "complete -o filenames -F _jaxcause jaxcause"]


def _reply(argument: Argument) -> str:
    """Shell code that offers the values of an argument."""
    if argument.values:
        return _words(argument.values)
    if argument.takes == "value":
        return ":"
    return f'COMPREPLY=($(compgen -{"d" if argument.takes == "folder" else "f"} -- "$cur"))'


def _words(words: tuple[str, ...]) -> str:
    joined = "\\n".join(words)
    return f"COMPREPLY=($(compgen -W $'{joined}' -- \"$cur\"))"


def _zsh(commands: Commands) -> list[str]:
    return [
        "# zsh completion of jaxcause; made by: jaxcause completion zsh",
        "autoload -Uz compinit bashcompinit",
        "(( $+functions[compdef] )) || compinit",
        "bashcompinit",
        *_bash(commands)[1:],
    ]


def _fish(commands: Commands) -> list[str]:
    lines = ["# fish completion of jaxcause; made by: jaxcause completion fish"]
    lines.append("complete -c jaxcause -f")
    for brief in commands._choices_actions:
        about = _quoted(brief.help or "")
        lines.append(f"complete -c jaxcause -n __fish_use_subcommand -a {brief.dest} -d {about}")
    for name, command in commands.choices.items():
        for argument in describe(command):
            parts = [f"complete -c jaxcause -n '__fish_seen_subcommand_from {name}'"]
            for flag in argument.flags:
                parts.append(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}")
            if argument.flags and argument.takes != "nothing":
                parts.append("-r")
            if argument.values:
                parts.append(f"-a {_quoted(' '.join(argument.values))}")
            elif argument.takes == "folder":
                parts.append("-a '(__fish_complete_directories)'")
            elif argument.takes == "file":
                parts.append("-F")
            lines.append(" ".join([*parts, f"-d {_quoted(argument.about)}"]))
    return lines


def _quoted(text: str) -> str:
    return shlex.quote(text.replace("%%", "%"))
