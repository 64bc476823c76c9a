# A third of the score for each kind of text that is treated as the issue asks.
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
import isodate

def date(text):
    return isodate.parse_date(text).isoformat()

def time(text):
    return isodate.parse_time(text).isoformat()

def both(text):
    return isodate.parse_datetime(text).isoformat()
"""
INVALID = "ISO8601Error"
PARTS = {
    "after_dates": {
        "date('2024-01-02')": "2024-01-02",
        "date('20240102')": "2024-01-02",
        "date('2024-W01-2')": "2024-01-02",
        "date('2024-01-02garbage')": INVALID,
        "date('20240102x')": INVALID,
        "date('2024-W01-2 ')": INVALID,
    },
    "after_times": {
        "time('10:11:12')": "10:11:12",
        "time('101112Z')": "10:11:12+00:00",
        "time('10:11+01:30')": "10:11:00+01:30",
        "time('10:11:12Zfoo')": INVALID,
        "time('10:11:12 and more')": INVALID,
        "time('1011+01:30?')": INVALID,
    },
    "fractions": {
        "time('23:59:59.9999999')": "23:59:59.999999",
        "time('10:11:12.345678901')": "10:11:12.345678",
        "both('2024-12-31T23:59:59.99999999')": "2024-12-31T23:59:59.999999",
        "time('10:11:12.5')": "10:11:12.500000",
    },
}
passed = 0
for name, questions in PARTS.items():
    try:
        for (question, expected), answer in zip(questions.items(), ask(SETUP, list(questions))):
            right = expected in answer.get("raised", []) if expected == INVALID else answer == {"value": expected}
            assert right, f"{question} gives {answer}, not {expected}"
    except AssertionError as error:
        print(f"{name}: failed: {error}")
    else:
        print(f"{name}: passed")
        passed += 1
print(f"score={passed / len(PARTS)}")
PYTHON
