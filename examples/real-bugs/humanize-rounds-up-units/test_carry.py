"""precisedelta carries what is rounded up to a full unit into that unit."""

import unittest
from datetime import timedelta

from humanize import precisedelta


class Carry(unittest.TestCase):
    def test_into_the_next_unit(self):
        self.assertEqual(precisedelta(timedelta(seconds=59.9996), format="%0.2f"), "1 minute")
        self.assertEqual(precisedelta(timedelta(seconds=119.9999), format="%0.2f"), "2 minutes")

    def test_through_several_units(self):
        self.assertEqual(precisedelta(timedelta(seconds=3599.9999), format="%0.2f"), "1 hour")
        self.assertEqual(precisedelta(timedelta(seconds=86399.9999), format="%0.2f"), "1 day")
        late = timedelta(days=1, hours=2, minutes=59, seconds=59.999)
        self.assertEqual(precisedelta(late, format="%.1f"), "1 day and 3 hours")

    def test_with_another_smallest_unit(self):
        near = timedelta(minutes=59, seconds=50)
        self.assertEqual(precisedelta(near, minimum_unit="minutes", format="%0.0f"), "1 hour")

    def test_what_is_not_rounded_up_reads_as_before(self):
        self.assertEqual(precisedelta(timedelta(seconds=59.25), format="%0.2f"), "59.25 seconds")
        self.assertEqual(precisedelta(timedelta(hours=1, seconds=3.5), format="%0.2f"), "1 hour and 3.50 seconds")
        self.assertEqual(precisedelta(timedelta(days=2, minutes=5)), "2 days and 5 minutes")


if __name__ == "__main__":
    unittest.main()
