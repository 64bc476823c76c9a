"""sqlparse.split keeps a trigger whole, however many CASE expressions its body has."""

import json
import subprocess
import sys
import unittest

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


AFTER = "SELECT 2;"


def trigger(*body):
    return "\n".join(["CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW", "BEGIN", *body, "END;"])


class Split(unittest.TestCase):
    def assert_split(self, text, *parts):
        self.assertEqual(ask("import sqlparse", [f"sqlparse.split({text!r})"]), [{"value": list(parts)}])

    def assert_whole(self, *body):
        made = trigger(*body)
        self.assert_split(f"{made}\n{AFTER}", made, AFTER)

    def test_two_in_one_statement(self):
        self.assert_whole("  SELECT CASE WHEN 1 THEN 2 END, CASE WHEN 3 THEN 4 END FROM x;", "  UPDATE y SET z = 1;")

    def test_three_in_several_statements(self):
        self.assert_whole(
            "  UPDATE y SET z = CASE WHEN 1 THEN 2 END;",
            "  UPDATE y SET z = CASE WHEN 1 THEN 2 ELSE 3 END, w = CASE z WHEN 1 THEN 2 END;",
            "  DELETE FROM y;",
        )

    def test_one_and_none(self):
        self.assert_whole("  UPDATE y SET z = CASE WHEN 1 THEN 2 END;")
        self.assert_whole("  UPDATE y SET z = 1;", "  DELETE FROM x;")

    def test_case_outside_of_a_trigger(self):
        first = "SELECT CASE WHEN 1 THEN 2 END, CASE WHEN 3 THEN 4 END FROM x;"
        self.assert_split(f"{first} {AFTER}", first, AFTER)


if __name__ == "__main__":
    unittest.main(verbosity=2)
