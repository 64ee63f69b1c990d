"""Lets `python -m cli` stand for `portico`: how `portico run` starts the other commands."""

from cli.main import main

main()
