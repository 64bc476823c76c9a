exec python3 -I - <<'PYTHON'
import json
import subprocess
import sys

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


# What the file holds, the key that is set, what the file must hold then.
CASES = [
    ("HOST=db.example", "PORT", "HOST=db.example\nPORT='5432'\n"),
    ("A=1\n# the end", "PORT", "A=1\n# the end\nPORT='5432'\n"),
    ("export A='x y'", "PORT", "export A='x y'\nPORT='5432'\n"),
    ("A=1\n", "PORT", "A=1\nPORT='5432'\n"),
    ("", "PORT", "PORT='5432'\n"),
    ("PORT=1\nB=2", "PORT", "PORT='5432'\nB=2"),
]
SETUP = """
import tempfile
from pathlib import Path
from dotenv import dotenv_values, set_key

def change(before, key):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_text(before)
        set_key(str(path), key, "5432")
        return [path.read_text(), dotenv_values(path)[key]]
"""
answers = ask(SETUP, [f"change({before!r}, {key!r})" for before, key, _ in CASES])
for (before, _, after), answer in zip(CASES, answers):
    assert answer == {"value": [after, "5432"]}, f"{before!r} became {answer}, not {after!r}"
print(f"{len(CASES)} files are as they should be")
PYTHON
