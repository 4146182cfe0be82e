# SPDX-License-Identifier: Apache-2.0
"""The files of the repository, with or without git."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
MADE = re.compile(r'^(build[^/]*|demo|\.git|models/\.cache)/|__pycache__/|\.pyc$')


def files():
    """Paths relative to the top: tracked and about to be, or all that is not made by a build."""
    listing = subprocess.run(['git', '-c', f'safe.directory={ROOT}', 'ls-files', '-co',
                              '--exclude-standard'], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:
        names = [p.relative_to(ROOT).as_posix() for p in ROOT.rglob('*')]
    return sorted(n for n in names if not MADE.search(n) and (ROOT / n).is_file())
