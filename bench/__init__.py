"""How fast the platform is, as ratios against bare scripts that do the same work, measured in the same run."""
