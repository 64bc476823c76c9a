# Whatever unparse takes, parse gives back. Half for documents with names from outside, half on top for many of them.
python3 - <<'PYTHON'
import itertools

import xmltodict


def kept(document):
    """Whether the document is refused, or comes back the same."""
    try:
        text = xmltodict.unparse(document)
    except ValueError:
        return True
    try:
        return xmltodict.parse(text) == document
    except Exception:
        return False


few = ["x><price>0</price><y", "x paid", "a/b"]
many = ["".join(pair) for pair in itertools.product(["a", "b>", "<c", "d/"], ["e", '"f', "/", "=g", " h"])]
assert all(kept({"order": {"item": name}}) for name in many), "text is not kept"
assert xmltodict.parse(xmltodict.unparse({"order": {"ae": "1"}})) == {"order": {"ae": "1"}}
score = 0.0
for names in (few, many):
    lost = [name for name in names if not kept({"order": {name: "1"}}) or not kept({"order": {f"@{name}": "1"}})]
    print(f"{len(names) - len(lost)} of {len(names)} are refused or kept; lost: {lost}")
    score += 0.0 if lost else 0.5
print(f"score={score}")
PYTHON
