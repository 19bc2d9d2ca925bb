"""The command line: starts, watches and administers a platform on this machine."""
