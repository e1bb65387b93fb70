"""Tables that people work on in a spreadsheet: CSV or Excel, by the file's ending. Every cell is text.

Excel rounds long numbers, turns texts that look like formulas into formulas, and writes its CSV with semicolons where
the country does: ids stay whole, texts stay texts, and both kinds of CSV are read.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagezoho_pipelines.domain.errors import SagezohoError

#: What a spreadsheet would take for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXCEL = (".xlsx", ".xlsm")
#: Signs that no spreadsheet shows, and Excel takes in no cell.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: What pandas says of a line with more cells than there are columns.
_WIDE = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
#: A number in a cell of Excel keeps fifteen digits.
_EXACT = 10**15


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, with its number there: the header is line 1."""

    number: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        return self.cells.get(column, "")


def require_place(path: Path) -> None:
    """Raises SagezohoError where a table cannot be written: another ending, or a directory that is not there."""
    _is_excel(path)
    require_directory(path)


def require_directory(path: Path) -> None:
    """Raises SagezohoError where a file cannot be written since its directory is not there."""
    if not path.parent.is_dir():
        raise SagezohoError(f"{path}: there is no directory {path.parent}.")


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    """Write a table whole or not at all, and return how many rows it has. Raises SagezohoError as `require_place`."""
    import pandas as pd

    require_place(path)
    kept = [[_out(row.get(column)) for column in columns] for row in rows]
    frame = pd.DataFrame(kept, columns=list(columns), dtype=str)
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if _is_excel(path):
            with pd.ExcelWriter(part, engine="openpyxl") as book:
                frame.to_excel(book, index=False, sheet_name="sagezoho", freeze_panes=(1, 0))
                sheet = book.sheets["sagezoho"]
                for cells in sheet.columns:
                    widest = max(len(str(cell.value or "")) for cell in cells)
                    sheet.column_dimensions[cells[0].column_letter].width = min(60, widest + 2)
        else:
            frame.to_csv(part, index=False, encoding="utf-8-sig", lineterminator="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return len(kept)


def read(path: Path, *, needed: Sequence[str]) -> list[Line]:
    """The lines of a table that have anything in them. Raises SagezohoError naming a column that is missing, or twice.

    Columns go by their names, whatever their order, case and blanks; unknown ones are passed over.
    """
    header, *lines = _cells(path) or [[]]
    columns = [name.strip().casefold().replace(" ", "_") for name in header]
    if not any(columns):
        raise SagezohoError(f"{path}: is empty; the first line names the columns: {', '.join(needed)}.")
    missing = [column for column in needed if column not in columns]
    if missing:
        raise SagezohoError(f"{path}: the column {missing[0]!r} is missing; needed are {', '.join(needed)}.")
    twice = [column for column, count in Counter(filter(None, columns)).items() if count > 1]
    if twice:
        raise SagezohoError(f"{path}: the column {twice[0]!r} is there twice: leave the one that counts.")
    found = []
    for number, values in enumerate(lines, start=2):
        cells = {name: _in(value) for name, value in zip(columns, values, strict=False)}
        if any(cells.values()):
            found.append(Line(number, cells))
    return found


def _cells(path: Path) -> list[list[str]]:
    """All cells of a file as text, the header's first. Raises SagezohoError for a file that is no table."""
    import pandas as pd

    try:
        if _is_excel(path):
            frame = pd.read_excel(path, header=None, dtype=object, na_filter=False, engine="openpyxl")
        else:
            frame = pd.read_csv(
                path,
                header=None,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_filter=False,
                encoding="utf-8-sig",
                sep=_separator(path),
                skip_blank_lines=False,
            )
    except UnicodeDecodeError:
        raise SagezohoError(f"{path}: is not UTF-8. In Excel, save it as 'CSV UTF-8' or as .xlsx.") from None
    except pd.errors.EmptyDataError:
        return []
    except (pd.errors.ParserError, zipfile.BadZipFile, ValueError, KeyError) as error:
        wide = _WIDE.search(str(error))
        if wide:
            told = f"line {wide[2]} has {wide[3]} cells, and the header {wide[1]}"
            raise SagezohoError(f"{path}: {told}: put a text that holds the separator in quotes.") from None
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SagezohoError(f"{path}: cannot be read as a table: {first}") from None
    return [[_text(value) for value in row] for row in frame.itertuples(index=False, name=None)]


def _text(value: Any) -> str:
    """A cell as it is shown; a number of more digits than Excel keeps as what it is, a rounded one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and abs(value) >= _EXACT:
        return f"{value:.14E}"
    return "" if value is None or value != value else str(value)


def _is_excel(path: Path) -> bool:
    ending = path.suffix.casefold()
    if ending not in (*_EXCEL, ".csv"):
        raise SagezohoError(f"{path}: name a file that ends with .csv or .xlsx.")
    return ending in _EXCEL


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max((",", ";", "\t"), key=header.count)


def _out(value: object) -> str:
    text = _UNSEEN.sub(" ", "" if value is None else str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _in(value: str) -> str:
    text = _UNSEEN.sub("", value).strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
