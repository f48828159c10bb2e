"""`python -m burngraph` is the command line."""

import sys

from burngraph.cli import main

sys.exit(main())
