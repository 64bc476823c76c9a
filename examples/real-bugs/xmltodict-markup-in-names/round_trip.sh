# Whatever unparse takes, parse gives back. Half for documents with names from outside, half on top for many of them.
exec python3 -I - <<'PYTHON'
import itertools
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
import xmltodict

def there_and_back(document):
    text = xmltodict.unparse(document)
    try:
        return xmltodict.parse(text)
    except Exception:
        return None
"""


def kept(*documents):
    """Whether each document is refused, or comes back the same."""
    answers = ask(SETUP, [f"there_and_back({document!r})" for document in documents])
    return [
        "ValueError" in answer.get("raised", []) or answer == {"value": document}
        for document, answer in zip(documents, answers)
    ]


few = ["x><price>0</price><y", "x paid", "a/b"]
many = ["".join(pair) for pair in itertools.product(["a", "b>", "<c", "d/"], ["e", '"f', "/", "=g", " h"])]
score = 0.0
try:
    texts = [{"order": {"item": name}} for name in many] + [{"order": {"ae": "1"}}]
    assert ask(SETUP, [f"there_and_back({document!r})" for document in texts]) == [{"value": one} for one in texts]
    for names in (few, many):
        elements = kept(*({"order": {name: "1"}} for name in names))
        attributes = kept(*({"order": {f"@{name}": "1"}} for name in names))
        lost = [name for name, *both in zip(names, elements, attributes) if not all(both)]
        print(f"{len(names) - len(lost)} of {len(names)} are refused or kept; lost: {lost}")
        score += 0.0 if lost else 0.5
except AssertionError as error:
    print(f"what worked before does not work: {error}")
    score = 0.0
print(f"score={score}")
PYTHON
