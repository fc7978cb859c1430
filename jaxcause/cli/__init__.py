"""The command line: one module per command.

Nothing heavy is imported before a command runs, so ``--help`` and ``completion`` answer at once.

Exit codes: 0 done; 2 bad arguments or input, told in one line with its remedy; 130 interrupted
(Ctrl-C); 141 whoever read the output went away. Anything else is an error of jaxcause.
"""

from jaxcause.cli._main import main as main
