"""Every file and every identifier that a document names is there."""

from __future__ import annotations

import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.tables import ROOT, rows

# What is made by installing, running and testing; no document may lean on it.
_NOT_OURS = {".git", ".venv", ".portico", "node_modules", "__pycache__", "build", "dist"}
_FILE = re.compile(
    r"(?<![\w/.:@-])[\w.*-]+(?:/[\w.*-]+)*\.(?:py|pyi|proto|lua|md|ya?ml|toml|json|lock|env|binpb|svg|ts)\b"
)
_FOLDER = re.compile(r"(?<![\w/.:@-])\w[\w.-]*(?:/[\w.-]+)*/(?![\w*{])")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
# A file that a page has its reader write; tests/house/test_pages.py does so.
_NEW = re.compile(r"^New `([^`]+)`:$", re.MULTILINE)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?")
_WORD = re.compile(r"[A-Za-z_]\w*")
# Python 3.12 and newer take f-strings apart.
_FSTRING = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)
# Names of headers and of packages.
_FOREIGN = re.compile(r"x-[a-z-]+|[a-z]+-[a-z-]+")


def documents() -> list[Path]:
    """Every document that people read; decisions keep the names of their time."""
    found = [path for path in tree() if path.suffix == ".md"]
    return [path for path in found if path.parent.name not in {"decisions", "bench"}]


@functools.cache
def tree() -> tuple[Path, ...]:
    """Every file of the project."""
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _NOT_OURS or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


@functools.cache
def paths() -> frozenset[str]:
    """Each file and folder, by every name that ends with its own: "rpc/errors.py", "errors.py"."""
    files = {path.relative_to(ROOT).parts for path in tree()}
    whole = {parts[:end] for parts in files for end in range(1, len(parts) + 1)}
    return frozenset("/".join(parts[at:]) for parts in whole for at in range(len(parts)))


@functools.cache
def words() -> frozenset[str]:
    """Each word of the sources, comments left out where that is easy to tell."""
    found: set[str] = set()
    for path in tree():
        if path.suffix == ".py" and path != Path(__file__):
            found |= set(_python_words(path))
        elif path.suffix in {".proto", ".lua", ".toml", ".yaml", ".yml", ".pyi"}:
            text = re.sub(r"(//|--).*", "", path.read_text())
            found |= set(_WORD.findall(text))
        elif path.name == "Makefile":
            found |= set(_WORD.findall(path.read_text()))
    return frozenset(found | {_camel(word) for word in found})


def _python_words(path: Path) -> Iterator[str]:
    """Names, and the words of strings that are no docstrings."""
    line_ends = {tokenize.NEWLINE, tokenize.INDENT, tokenize.NL, tokenize.COMMENT}
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        docstring = token.type == tokenize.STRING and before in line_ends
        if token.type in {tokenize.NAME, tokenize.STRING, _FSTRING} and not docstring:
            yield from _WORD.findall(token.string)
        before = token.type


def _camel(word: str) -> str:
    head, *rest = word.split("_")
    return head + "".join(part.capitalize() for part in rest)


def missing_paths(document: Path) -> list[str]:
    """The files and folders that a document names and that are not there."""
    text = document.read_text()
    links = [(document.parent / link) for link in _LINK.findall(text)]
    lost = [str(link) for link in links if not link.exists()]
    prose = _FENCE.sub("", _LINK.sub("", text))
    named = {*_FILE.findall(prose), *_named_folders(prose)}
    named -= written_by_readers()
    return lost + sorted(name for name in named if name.rstrip("/") not in paths())


@functools.cache
def written_by_readers() -> frozenset[str]:
    """The files that pages have their readers write."""
    return frozenset(name for page in documents() for name in _NEW.findall(page.read_text()))


def _named_folders(prose: str) -> set[str]:
    """Folders in code marks, or those below a folder that is there."""
    marked = {name for code in _CODE.findall(prose) for name in _FOLDER.findall(code)}
    return {name for name in marked if name.rstrip("/")}


def missing_identifiers(document: Path) -> list[str]:
    """The identifiers in code marks that no source has."""
    text = document.read_text()
    prose = _FENCE.sub("", text)
    # What a reader writes is there, too.
    shown = "\n".join(_FENCE.findall(text)) if _NEW.search(text) else ""
    named = {code for code in _CODE.findall(prose) if _IDENTIFIER.fullmatch(code)}
    named -= {name for name in named if name.rstrip("/") in paths() or _FOREIGN.fullmatch(name)}
    named -= set(_WORD.findall(shown))
    return sorted(name for name in named if not _is_known(name))


def _is_known(name: str) -> bool:
    if name.startswith("PORTICO_"):
        # Held against the settings themselves by test_settings.py.
        return any(name == row[0] for row in rows("settings.md")) or name in words()
    return all(part in words() or part.lower() in words() for part in name.rstrip("()").split("."))


def misplaced_identifiers(document: Path) -> list[str]:
    """In an item about a file, "- `models.py`: ...", the identifiers that the file has not."""
    items = re.findall(r"^- `([\w/]+\.py)`: (.*)$", document.read_text(), re.MULTILINE)
    lost = []
    for name, text in items:
        files = [path for path in tree() if path.as_posix().endswith(f"/{name}")]
        found = {word for path in files for word in _python_words(path)}
        named = [code for code in _CODE.findall(text) if _IDENTIFIER.fullmatch(code)]
        lost += [f"{name}: {code}" for code in named if code.split(".")[-1] not in found]
    return lost


def test_there_are_documents_to_read() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in documents()}
    assert {"README.md", "docs/tour.md", "envoy/README.md", "CHANGELOG.md"} <= names


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    assert missing_paths(document) == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_identifier_that_a_document_names_is_there(document: Path) -> None:
    assert missing_identifiers(document) == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_an_identifier_is_in_the_file_that_a_document_says(document: Path) -> None:
    assert misplaced_identifiers(document) == []


def test_the_gateways_filters_are_told_by_their_names_and_in_their_order() -> None:
    config = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
    public = next(x for x in config["static_resources"]["listeners"] if x["name"] == "public")
    manager = public["filter_chains"][0]["filters"][0]["typed_config"]
    names = [
        filter_["name"].removeprefix("envoy.filters.http.") for filter_ in manager["http_filters"]
    ]
    text = (ROOT / "envoy" / "README.md").read_text().split("| filter |")[1].split("\n\n")[0]
    told = [line.split("|")[1].strip() for line in text.splitlines()[2:]]
    assert [name for cell in told for name in cell.split(", ")] == names


def test_no_page_is_listed_twice() -> None:
    overview = (ROOT / "README.md").read_text().split("## Where to go next")[1]
    links = _LINK.findall(overview)
    assert sorted(set(links)) == sorted(links)


def test_a_document_that_has_drifted_is_found(tmp_path: Path) -> None:
    document = tmp_path / "tour.md"
    document.write_text(
        "`server/gone/service.py`, `gone.lua`, [there](nowhere.md), `NeverWritten`, "
        "`Errors.never_called()`, `PORTICO_NEVER_READ`, `server/nowhere/`, but `portico_kit` is.\n"
    )
    assert missing_paths(document) == [
        str(tmp_path / "nowhere.md"),
        "gone.lua",
        "server/gone/service.py",
        "server/nowhere/",
    ]
    assert missing_identifiers(document) == [
        "Errors.never_called()",
        "NeverWritten",
        "PORTICO_NEVER_READ",
    ]


def test_an_identifier_in_the_wrong_file_is_found(tmp_path: Path) -> None:
    document = tmp_path / "tour.md"
    document.write_text("- `tests/docs/tables.py`: reads `rows`, and `misplaced_identifiers`.\n")
    assert misplaced_identifiers(document) == ["tests/docs/tables.py: misplaced_identifiers"]
