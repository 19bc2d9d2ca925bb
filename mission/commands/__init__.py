"""The groups of commands, one module each; :mod:`mission.cli` puts them together."""
