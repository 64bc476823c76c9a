# A third of the score for each kind of text that is treated as the issue asks.
python3 - <<'PYTHON'
from datetime import date, datetime, time, timedelta

import isodate


def invalid(parse, *texts):
    for text in texts:
        try:
            parse(text)
        except isodate.ISO8601Error:
            continue
        return False
    return True


def after_dates():
    assert isodate.parse_date("2024-01-02") == date(2024, 1, 2)
    assert isodate.parse_date("20240102") == date(2024, 1, 2)
    assert isodate.parse_date("2024-W01-2") == date(2024, 1, 2)
    assert invalid(isodate.parse_date, "2024-01-02garbage", "20240102x", "2024-W01-2 ")


def after_times():
    assert isodate.parse_time("10:11:12") == time(10, 11, 12)
    assert isodate.parse_time("101112Z").utcoffset() == timedelta(0)
    assert isodate.parse_time("10:11+01:30").utcoffset() == timedelta(minutes=90)
    assert invalid(isodate.parse_time, "10:11:12Zfoo", "10:11:12 and more", "1011+01:30?")


def fractions():
    assert isodate.parse_time("23:59:59.9999999") == time(23, 59, 59, 999999)
    assert isodate.parse_time("10:11:12.345678901") == time(10, 11, 12, 345678)
    assert isodate.parse_datetime("2024-12-31T23:59:59.99999999") == datetime(2024, 12, 31, 23, 59, 59, 999999)
    assert isodate.parse_time("10:11:12.5") == time(10, 11, 12, 500000)


parts = [after_dates, after_times, fractions]
passed = 0
for part in parts:
    try:
        part()
    except Exception as error:
        print(f"{part.__name__}: failed: {type(error).__name__} {error}")
    else:
        print(f"{part.__name__}: passed")
        passed += 1
print(f"score={passed / len(parts)}")
PYTHON
