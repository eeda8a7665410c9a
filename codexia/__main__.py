"""`python -m codexia`."""

from codexia.cli import main

main()
