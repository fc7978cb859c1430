"""``python -m jaxcause``."""

import sys

from jaxcause.cli import main

if __name__ == "__main__":
    sys.exit(main())
