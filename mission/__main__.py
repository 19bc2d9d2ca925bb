"""``python -m mission``."""

from mission.cli import main

main()
