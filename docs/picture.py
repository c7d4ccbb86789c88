"""``make picture``: the head of the report as docs/images/report.png, by Chromium without a screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPORT: Final = Path(__file__).parents[1] / "reports" / "report.html"
PICTURE: Final = Path(__file__).parent / "images" / "report.png"
LARGEST: Final = 250_000
"""Bytes; the README is read over slow lines too."""
SIZE: Final = (1280, 900)
# No sandbox: it needs privileges that a container lacks, and the page is our own.  No request leaves the machine.
OPTIONS: Final = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking")


def main() -> int:
    """Write the picture; the exit code is 1 where it is too large, 2 where there is no browser or no report."""
    browser = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if browser is None or not REPORT.exists():
        print("needs Chromium (Debian: apt-get install chromium) and reports/report.html", file=sys.stderr)
        return 2
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        window = f"--window-size={SIZE[0]},{SIZE[1]}"
        command = [browser, *OPTIONS, f"--user-data-dir={profile}", window, f"--screenshot={PICTURE}", REPORT.as_uri()]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {size:,} bytes")
    return int(size > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
