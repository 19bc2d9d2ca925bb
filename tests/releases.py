"""Other releases of the code: copies of this directory, changed by patches, which run as it does."""

import os
import shutil
import subprocess
from pathlib import Path

from infra.local.stack import CACHE, ROOT


def copy_to(root: Path) -> None:
    """A fresh copy at ``root`` of the code as it is in this directory, with the downloads of this one."""
    shutil.rmtree(root, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for file in listed.stdout.splitlines():
        if (source := ROOT / file).is_file():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, root / file)
    CACHE.mkdir(parents=True, exist_ok=True)
    (root / ".local").mkdir()
    (root / ".local" / "cache").symlink_to(CACHE)


def patch(root: Path, change: Path, *, back: bool = False) -> None:
    """Changes the copy at ``root`` by a patch, or ``back`` to what it was before.

    Raises :class:`LookupError` when the code is another than the patch is for.
    """
    # As if the copy were in no repository, whose paths the patch would else be taken to mean.
    result = subprocess.run(
        ["git", "apply", "--verbose", *(["--reverse"] if back else []), str(change)],
        cwd=root,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise LookupError(f"{change.stem} does not fit the code, which is another by now:\n{result.stderr}")
