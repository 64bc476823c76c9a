# Asks git itself what is ignored, and compares.
python3 - <<'PYTHON'
import subprocess
import tempfile
from pathlib import Path

from pathspec import GitIgnoreSpec

CASES = [
    (["*", "!lib/", "!lib/**"], ["lib/a.py", "lib/b/c.py", "other.py", "other/lib.py"]),
    (["*", "!lib", "!lib/**"], ["lib/a.py", "lib/b/c.py", "other.py", "libs/a.py"]),
    (["*", "!one/", "!one/**", "!two/", "!two/**"], ["one/1", "two/2/3", "three/4", "5"]),
    (["/*", "!/src/", "!/src/**"], ["src/a", "src/b/c", "x", "y/z"]),
    (["*.log", "!keep.log"], ["a.log", "keep.log", "d/keep.log", "d/b.log"]),
    (["*", "!*/", "!*.c"], ["a.c", "d/a.c", "d/a.h"]),
    (["dir/"], ["dir/a", "a/dir/b", "dirs/a"]),
]
wrong = 0
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for lines, files in CASES:
        Path(folder, ".gitignore").write_text("\n".join(lines) + "\n")
        for file in files:
            path = Path(folder, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            asked = subprocess.run(["git", "check-ignore", "--quiet", file], cwd=folder)
            assert asked.returncode in (0, 1), asked
            ignored = asked.returncode == 0
            said = GitIgnoreSpec.from_lines(lines).match_file(file)
            if said != ignored:
                print(f"{lines}: {file}: git says {ignored}, pathspec says {said}")
                wrong += 1
        subprocess.run(["git", "clean", "-fdxq"], cwd=folder, check=True)  # the next case starts from nothing
print(f"{wrong} answers differ")
raise SystemExit(wrong != 0)
PYTHON
