"""`python -m tests.simulation`: see gate.py."""

import sys

from tests.simulation.gate import main

if __name__ == "__main__":
    sys.exit(main())
