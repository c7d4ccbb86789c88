"""``python -m wnverify``."""

import sys

from wnverify.cli import main

if __name__ == "__main__":
    sys.exit(main())
