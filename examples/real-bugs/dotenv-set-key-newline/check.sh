python3 - <<'PYTHON'
import tempfile
from pathlib import Path

from dotenv import dotenv_values, set_key

# What the file holds, the key that is set, what the file must hold then.
CASES = [
    ("HOST=db.example", "PORT", "HOST=db.example\nPORT='5432'\n"),
    ("A=1\n# the end", "PORT", "A=1\n# the end\nPORT='5432'\n"),
    ("export A='x y'", "PORT", "export A='x y'\nPORT='5432'\n"),
    ("A=1\n", "PORT", "A=1\nPORT='5432'\n"),
    ("", "PORT", "PORT='5432'\n"),
    ("PORT=1\nB=2", "PORT", "PORT='5432'\nB=2"),
]
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, ".env")
    for before, key, after in CASES:
        path.write_text(before)
        set_key(str(path), key, "5432")
        found = path.read_text()
        assert found == after, f"{before!r} became {found!r}, not {after!r}"
        assert dotenv_values(path)[key] == "5432"
print(f"{len(CASES)} files are as they should be")
PYTHON
