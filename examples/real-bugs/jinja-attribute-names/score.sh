# The part of the characters that are refused in names; nothing if good names no longer work.
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


SETUP = """
from jinja2 import Environment

template = Environment(autoescape=True).from_string("<p{{ given|xmlattr }}>")

def shown(given):
    return template.render(given=given)
"""
GOOD = {"class": "a", "data-x": 1, "xlink:href": "#b", "@click.prevent": "<c>", "left-out": None}
EXPECTED = '<p class="a" data-x="1" xlink:href="#b" @click.prevent="&lt;c&gt;">'
CHARACTERS = " \t\n\f\r/>="
bad = [{"good": "1", f"x{character}onclick": "alert(1)"} for character in CHARACTERS]
try:
    first, *answers = ask(SETUP, [f"shown({given!r})" for given in (GOOD, *bad)])
except AssertionError as error:
    print(error)
    first, answers = None, []
works = first == {"value": EXPECTED}
if not works:
    print(f"good names are shown as {first}, not as {EXPECTED}")
refused = 0
for character, answer in zip(CHARACTERS, answers):
    right = "ValueError" in answer.get("raised", [])
    print(f"{character!r} is {'refused' if right else 'let through'}: {answer}")
    refused += right
print(f"score={works * refused / len(CHARACTERS)}")
PYTHON
