"""docs/architecture.md says what the imports say, and names files that exist. No file is a circle's part or too long."""

import ast
import pathlib
import re

import grimp
import pytest

pytestmark = pytest.mark.once
ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LARGEST_FOLDER, LONGEST_FILE, LONGEST_FUNCTION = 12, 400, 50
ALIKE = {"keras_lr/schedules/importers"}  # one library a file


def graph(**kwargs):
    return grimp.build_graph("keras_lr", "keras_lr_cli", cache_dir=None, **kwargs)


def drawn():
    """The arrows of the diagram."""
    diagram = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[1]
    names = {"cli": "keras_lr_cli"}
    for line in re.findall(r"(\w+)(?:\[.*?\])? --> (.*)", diagram):
        for target in line[1].split(" & "):
            yield names.get(line[0], line[0]), re.sub(r"\[.*\]", "", target).strip()


def package_of(module):
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] or first if first == "keras_lr" else first


def test_the_diagram_is_the_imports():
    every = graph()  # with those for type checkers, which show what the surface loads on first use
    imports = {
        (package_of(module), package_of(target))
        for module in every.modules
        for target in every.find_modules_directly_imported_by(module)
    }
    assert {(one, other) for one, other in imports if one != other} == set(drawn())


def test_no_module_imports_itself_by_way_of_others():
    executed = graph(exclude_type_checking_imports=True)
    circles = [
        (module, target)
        for module in executed.modules
        for target in executed.find_modules_directly_imported_by(module)
        if executed.chain_exists(target, module)
    ]
    assert not circles


def test_every_file_and_folder_that_the_page_names_exists():
    named = {name for name in re.findall(r"`([\w./]+(?:/|\.py))`", PAGE) if "/" in name}
    assert len(named) > 25
    places = [ROOT, ROOT / "src", ROOT / "src" / "keras_lr", *(ROOT / "src" / "keras_lr").glob("*/")]
    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert not missing


def test_every_package_is_on_the_page():
    for folder in (ROOT / "src" / "keras_lr").glob("*/__init__.py"):
        assert f"`keras_lr/{folder.parent.name}/`" in PAGE


def test_files_and_folders_are_small():
    long = {str(path.relative_to(ROOT)) for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE}
    assert not long
    for folder in {path.parent for path in SOURCES}:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= LARGEST_FOLDER or str(folder.relative_to(ROOT / "src")) in ALIKE, folder


def test_functions_are_short():
    long = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = [
                    one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
                ]
                length = node.end_lineno - body[0].lineno + 1 if body else 0
                if length > LONGEST_FUNCTION:
                    long.append(f"{path.name}:{node.lineno} {node.name}: {length} lines")
    assert not long


def test_no_two_classes_share_a_name():
    """But for the backends, which have the same names on purpose."""
    seen = {}
    for path in SOURCES:
        if path.parent.parent.name == "backends":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                seen.setdefault(node.name.lstrip("_"), []).append(path.name)
    assert {name: files for name, files in seen.items() if len(files) > 1} == {}
