"""sqlparse.split keeps a trigger whole, however many CASE expressions its body has."""

import unittest

import sqlparse

AFTER = "SELECT 2;"


def trigger(*body):
    return "\n".join(["CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW", "BEGIN", *body, "END;"])


class Split(unittest.TestCase):
    def assert_whole(self, *body):
        made = trigger(*body)
        self.assertEqual(sqlparse.split(f"{made}\n{AFTER}"), [made, AFTER])

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
        self.assertEqual(sqlparse.split(f"{first} {AFTER}"), [first, AFTER])


if __name__ == "__main__":
    unittest.main()
