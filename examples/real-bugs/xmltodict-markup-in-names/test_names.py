"""xmltodict.unparse takes no name that would be read as anything else."""

import unittest

import xmltodict

BAD = ["x><y", "x y", "x\ty", "x\ny", 'x"', "x'", "x/", "/x", "a=b", "", "?x", "!x"]
GOOD = ["a-b", "ns:a", "_x", "ä", "a.b", "A1"]


def unparse(value, **options):
    return xmltodict.unparse(value, full_document=False, **options)


class Elements(unittest.TestCase):
    def test_bad_names_are_refused(self):
        for name in BAD:
            for value in ({name: "1"}, {"a": {name: "1"}}, {"a": {"b": [{name: None}]}}, {"a": {name: ["1", "2"]}}):
                with self.subTest(value=value), self.assertRaises(ValueError):
                    unparse(value)

    def test_the_name_a_preprocessor_gives_is_looked_at(self):
        with self.assertRaises(ValueError):
            unparse({"a": "1"}, preprocessor=lambda key, value: (f"{key}><b", value))

    def test_good_names_work(self):
        for name in GOOD:
            self.assertEqual(unparse({name: {"x": "<1>"}}), f"<{name}><x>&lt;1&gt;</x></{name}>")


class Attributes(unittest.TestCase):
    def test_bad_names_are_refused(self):
        for name in BAD:
            with self.subTest(name=name), self.assertRaises(ValueError):
                unparse({"a": {f"@{name}": "1", "#text": "b"}})

    def test_prefixes_are_looked_at(self):
        with self.assertRaises(ValueError):
            unparse({"a": {"@xmlns": {'p="1" q': "http://p.example"}}})
        self.assertEqual(
            unparse({"a": {"@xmlns": {"": "http://d.example", "p": "http://p.example"}}}),
            '<a xmlns="http://d.example" xmlns:p="http://p.example"></a>',
        )

    def test_good_names_work(self):
        for name in GOOD:
            self.assertEqual(unparse({"a": {f"@{name}": 'b"c'}}), f"<a {name}='b\"c'></a>")


if __name__ == "__main__":
    unittest.main()
