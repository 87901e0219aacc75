"""`python -m tests.simulation.mutate`: every deliberate bug must be caught within its budget."""

import sys

from tests.simulation.mutants import main

if __name__ == "__main__":
    sys.exit(main())
