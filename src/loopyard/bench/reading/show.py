"""Shows sections: as tables in a terminal, or as Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loopyard.bench.reading.section import Section


def tables(console: Console, sections: Sequence[Section]) -> None:
    """Print each section as a table below its title."""
    for section in sections:
        table = Table(title=escape(section.title), title_justify="left", title_style="bold", header_style="bold")
        for name in section.columns:
            table.add_column(escape(_plain(name)), justify="right" if _is_number(name) else "left", overflow="fold")
        for row in section.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        for note in section.notes:
            console.print(escape(note), soft_wrap=True)


def markdown(sections: Sequence[Section]) -> str:
    """GitHub's Markdown, one heading and one table for each section."""
    blocks: list[str] = []
    for section in sections:
        lines = [f"### {section.title}", ""]
        lines.append(_line([_plain(name) for name in section.columns]))
        lines.append(_line(["---:" if _is_number(name) else "---" for name in section.columns]))
        lines += [_line([_cell(text) for text in row]) for row in section.rows]
        lines += [text for note in section.notes for text in ("", note)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _is_number(column: str) -> bool:
    return column.startswith(">")


def _plain(column: str) -> str:
    return column.removeprefix("> ")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
