"""JUnit's XML, as most runners can write it."""

from xml.etree import ElementTree as ET

from ..outcomes import Statuses
from .unreadable import Unreadable
from .worst import add


def read(text: str) -> Statuses:
    """Tests are named `CLASSNAME.NAME`, `CLASSNAME::NAME` or, without a class, `NAME`.

    Raises:
        Unreadable: It is not JUnit's XML.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("a JUnit report has no DOCTYPE and no entities")
    start = text.find("<")
    try:
        root = ET.fromstring(text[max(start, 0) :])  # noqa: S314 - entities are refused
    except ET.ParseError as error:
        raise Unreadable("no XML: {}".format(error)) from error
    found: Statuses = {}
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case}
        status = (
            "FAILED" if "failure" in kinds else "ERROR" if "error" in kinds else
            "SKIPPED" if "skipped" in kinds else "PASSED"
        )  # fmt: skip
        name, of = case.get("name") or "", case.get("classname") or ""
        for one in ["{}.{}".format(of, name), "{}::{}".format(of, name)] if of else [name]:
            add(found, one, status)
    return found
