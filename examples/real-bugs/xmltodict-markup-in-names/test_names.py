"""xmltodict.unparse takes no name that would be read as anything else."""

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


BAD = ["x><y", "x y", "x\ty", "x\ny", 'x"', "x'", "x/", "/x", "a=b", "", "?x", "!x"]
GOOD = ["a-b", "ns:a", "_x", "ä", "a.b", "A1"]


def unparse(*values, options=""):
    return ask("import xmltodict", [f"xmltodict.unparse({value!r}, full_document=False{options})" for value in values])


class Names(unittest.TestCase):
    def assert_refused(self, *values, options=""):
        for value, answer in zip(values, unparse(*values, options=options)):
            self.assertIn("ValueError", answer.get("raised", []), (value, answer))

    def assert_taken(self, expected):
        answers = unparse(*(value for value, _ in expected))
        self.assertEqual(answers, [{"value": text} for _, text in expected])


class Elements(Names):
    def test_bad_names_are_refused(self):
        for name in BAD:
            self.assert_refused(
                {name: "1"}, {"a": {name: "1"}}, {"a": {"b": [{name: None}]}}, {"a": {name: ["1", "2"]}}
            )

    def test_the_name_a_preprocessor_gives_is_looked_at(self):
        self.assert_refused({"a": "1"}, options=", preprocessor=lambda key, value: (key + '><b', value)")

    def test_good_names_work(self):
        self.assert_taken([({name: {"x": "<1>"}}, f"<{name}><x>&lt;1&gt;</x></{name}>") for name in GOOD])


class Attributes(Names):
    def test_bad_names_are_refused(self):
        self.assert_refused(*({"a": {f"@{name}": "1", "#text": "b"}} for name in BAD))

    def test_prefixes_are_looked_at(self):
        self.assert_refused({"a": {"@xmlns": {'p="1" q': "http://p.example"}}})
        prefixes = {"a": {"@xmlns": {"": "http://d.example", "p": "http://p.example"}}}
        self.assert_taken([(prefixes, '<a xmlns="http://d.example" xmlns:p="http://p.example"></a>')])

    def test_good_names_work(self):
        self.assert_taken([({"a": {f"@{name}": 'b"c'}}, f"<a {name}='b\"c'></a>") for name in GOOD])


if __name__ == "__main__":
    unittest.main(verbosity=2)
