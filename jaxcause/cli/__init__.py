"""The command line: one module per command.

Heavy libraries are imported only when a command runs, so ``--help`` and ``completion`` are fast.

Exit codes: 0 done; 2 bad arguments or input, with a message of one line that names the remedy; 130
interrupted (Ctrl-C); 141 the reader of the output closed it. Any other code is a bug of jaxcause.
"""

from jaxcause.cli._main import main as main
