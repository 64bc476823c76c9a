# The part of the characters that are refused in names; nothing if good names no longer work.
python3 - <<'PYTHON'
from jinja2 import Environment

template = Environment(autoescape=True).from_string("<p{{ given|xmlattr }}>")
good = {"class": "a", "data-x": 1, "xlink:href": "#b", "@click.prevent": "<c>", "left-out": None}
shown = template.render(given=good)
expected = '<p class="a" data-x="1" xlink:href="#b" @click.prevent="&lt;c&gt;">'
works = shown == expected
if not works:
    print(f"good names are shown as {shown}, not as {expected}")

refused = []
characters = " \t\n\f\r/>="
for character in characters:
    try:
        shown = template.render(given={"good": "1", f"x{character}onclick": "alert(1)"})
    except ValueError as error:
        print(f"{character!r} is refused: {error}")
        refused.append(character)
    else:
        print(f"{character!r} is let through: {shown}")
print(f"score={works * len(refused) / len(characters)}")
PYTHON
