"""precisedelta carries what is rounded up to a full unit into that unit."""

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


SETUP = "from datetime import timedelta; from humanize import precisedelta"


class Carry(unittest.TestCase):
    def assert_answers(self, expected):
        answers = ask(SETUP, [f"precisedelta({question})" for question in expected])
        for (question, text), answer in zip(expected.items(), answers):
            self.assertEqual(answer, {"value": text}, question)

    def test_into_the_next_unit(self):
        self.assert_answers(
            {
                'timedelta(seconds=59.9996), format="%0.2f"': "1 minute",
                'timedelta(seconds=119.9999), format="%0.2f"': "2 minutes",
            }
        )

    def test_through_several_units(self):
        self.assert_answers(
            {
                'timedelta(seconds=3599.9999), format="%0.2f"': "1 hour",
                'timedelta(seconds=86399.9999), format="%0.2f"': "1 day",
                'timedelta(days=1, hours=2, minutes=59, seconds=59.999), format="%.1f"': "1 day and 3 hours",
            }
        )

    def test_with_another_smallest_unit(self):
        near = 'timedelta(minutes=59, seconds=50), minimum_unit="minutes", format="%0.0f"'
        self.assert_answers({near: "1 hour"})

    def test_what_is_not_rounded_up_reads_as_before(self):
        self.assert_answers(
            {
                'timedelta(seconds=59.25), format="%0.2f"': "59.25 seconds",
                'timedelta(hours=1, seconds=3.5), format="%0.2f"': "1 hour and 3.50 seconds",
                "timedelta(days=2, minutes=5)": "2 days and 5 minutes",
            }
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
