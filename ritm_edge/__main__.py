"""`python -m ritm_edge` is the command `ritm-edge`."""

from .cli.main import main

main()
