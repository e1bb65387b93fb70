"""Tables that people work on in a spreadsheet: CSV or Excel, by the file's ending. Every cell is text.

Excel rounds long numbers, turns texts that look like formulas into formulas, and writes its CSV with semicolons where
the country does: ids stay whole, texts stay texts, and both kinds of CSV are read.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagezoho_pipelines.domain.errors import SagezohoError

#: What a spreadsheet would take for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXCEL = (".xlsx", ".xlsm")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, with its number there: the header is line 1."""

    number: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        return self.cells.get(column, "")


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    """Write a table whole or not at all, and return how many rows it has. Raises SagezohoError for another ending."""
    import pandas as pd

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
    """The lines of a table that have anything in them. Raises SagezohoError naming a column that is missing.

    Columns go by their names, whatever their order, case and blanks; unknown ones are passed over.
    """
    import pandas as pd

    excel = _is_excel(path)
    try:
        if excel:
            frame = pd.read_excel(path, dtype=str, keep_default_na=False, na_filter=False, engine="openpyxl")
        else:
            frame = pd.read_csv(
                path,
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
        raise SagezohoError(f"{path}: is empty; the first line names the columns: {', '.join(needed)}.") from None
    except (pd.errors.ParserError, zipfile.BadZipFile, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SagezohoError(f"{path}: cannot be read as a table: {first}") from None
    frame.columns = [str(name).strip().casefold().replace(" ", "_") for name in frame.columns]
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise SagezohoError(f"{path}: the column {missing[0]!r} is missing; needed are {', '.join(needed)}.")
    lines = []
    for number, values in enumerate(frame.itertuples(index=False, name=None), start=2):
        cells = {name: _in(value) for name, value in zip(frame.columns, values, strict=True)}
        if any(cells.values()):
            lines.append(Line(number, cells))
    return lines


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
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _in(value: object) -> str:
    text = str(value).strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
