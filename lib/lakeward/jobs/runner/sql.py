"""A file of SQL statements, run by Spark in this process."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lakeward.jobs.runner.tables import versions
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.settings import settings
from lakeward.workspace.spark import session
from lakeward.workspace.tables import quoted

# A statement ends at a semicolon that is in no text, quoted name or comment.
_PIECE = re.compile(
    r"""'(?:\\.|''|[^'\\])*' | "(?:\\.|""|[^"\\])*" | `(?:``|[^`])*` | --[^\n]* | /\*.*?\*/ | ; | [^'"`;/-]+ | .""",
    re.S | re.X,
)
_PARAMETER = re.compile(r"(?<![\w:]):([A-Za-z_]\w*)")


class SqlFailed(LakewardError):
    """A statement of a file failed."""


def run_file(path: Path, parameters: Mapping[str, str]) -> None:
    """Run the statements of a file one after the other, and print the rows of those that have some.

    Parameters
    ----------
    parameters : mapping of str to str
        What ``:name`` stands for in them.
    """
    spark = session(path.name)
    for table in versions(settings().home):
        area, name = table.split(".")
        folder = settings().home / area
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{area}` LOCATION {quoted(str(folder))}")
        spark.sql(f"CREATE TABLE IF NOT EXISTS `{area}`.`{name}` USING DELTA LOCATION {quoted(str(folder / name))}")
    for line, statement in statements(path.read_text(encoding="utf-8")):
        try:
            rows = spark.sql(filled(statement, parameters))
            if rows.columns:
                print(rows.limit(20).toPandas().to_string(index=False), flush=True)
        except Exception as error:
            raise SqlFailed(
                f"{path.name}, the statement at line {line}: {type(error).__name__}{_condition(error)}"
            ) from None


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of a text, each with the number of its first line."""
    statement, line, first = "", 1, 1
    for piece in [match[0] for match in _PIECE.finditer(text)] + [";"]:
        if piece == ";":
            if statement.strip():
                yield first, statement.strip()
            statement = ""
        elif piece.startswith(("--", "/*")):
            statement += " " if statement.strip() else ""
        else:
            if not statement.strip():
                first = line + piece[: len(piece) - len(piece.lstrip())].count("\n")
            statement += piece
        line += piece.count("\n")


def filled(statement: str, parameters: Mapping[str, str]) -> str:
    """Return a statement with its parameters as text: Spark's own way to bind them is lost in Delta's parser."""

    def literal(found: re.Match[str]) -> str:
        return quoted(parameters[found[1]]) if found[1] in parameters else found[0]

    pieces = [match[0] for match in _PIECE.finditer(statement)]
    return "".join(piece if piece[0] in "'\"`" else _PARAMETER.sub(literal, piece) for piece in pieces)


def _condition(error: Exception) -> str:
    """Return the name of Spark's own for an error, such as TABLE_OR_VIEW_NOT_FOUND: it quotes no value."""
    named = getattr(error, "getCondition", getattr(error, "getErrorClass", lambda: None))()
    return f" [{named}]" if named else ""
