# Asks git itself what is ignored, and compares.
exec python3 -I - <<'PYTHON'
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# The package is the agent's work, so its code runs apart: as another user, who cannot reach this process and its output.
ANSWERING = """
import json, sys
setup, questions = json.load(sys.stdin)
names, answers = {}, []
exec(setup, names)
for question in questions:
    try:
        answers.append({"value": eval(question, names)})
    except Exception as error:
        answers.append({"raised": [kind.__name__ for kind in type(error).__mro__]})
print(json.dumps(answers))
"""


def ask(setup, questions):
    """What the package answers to each of the questions, which are expressions; `setup` are statements before them."""
    command = ["sudo", "--non-interactive", "--user=nobody", "timeout", "60", "python3", "-B", "-c", ANSWERING]
    asked = subprocess.run(command, input=json.dumps([setup, questions]), capture_output=True, text=True)
    print(asked.stderr, file=sys.stderr)
    try:
        answers = json.loads(asked.stdout)
    except ValueError:
        answers = None
    if not isinstance(answers, list) or len(answers) != len(questions):
        raise AssertionError("the package did not answer")
    return answers


CASES = [
    (["*", "!lib/", "!lib/**"], ["lib/a.py", "lib/b/c.py", "other.py", "other/lib.py"]),
    (["*", "!lib", "!lib/**"], ["lib/a.py", "lib/b/c.py", "other.py", "libs/a.py"]),
    (["*", "!one/", "!one/**", "!two/", "!two/**"], ["one/1", "two/2/3", "three/4", "5"]),
    (["/*", "!/src/", "!/src/**"], ["src/a", "src/b/c", "x", "y/z"]),
    (["*.log", "!keep.log"], ["a.log", "keep.log", "d/keep.log", "d/b.log"]),
    (["*", "!*/", "!*.c"], ["a.c", "d/a.c", "d/a.h"]),
    (["dir/"], ["dir/a", "a/dir/b", "dirs/a"]),
]
questions = [f"bool(GitIgnoreSpec.from_lines({lines!r}).match_file({file!r}))" for lines, files in CASES for file in files]
answers = iter(ask("from pathspec import GitIgnoreSpec", questions))
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
            said = next(answers)
            if said != {"value": ignored}:
                print(f"{lines}: {file}: git says {ignored}, pathspec says {said}")
                wrong += 1
        subprocess.run(["git", "clean", "-fdxq"], cwd=folder, check=True)  # the next case starts from nothing
print(f"{wrong} answers differ")
raise SystemExit(wrong != 0)
PYTHON
