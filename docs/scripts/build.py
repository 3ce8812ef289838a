"""``python docs/scripts/build.py OUT``: the pages of the site, those made from code and cards included.

Pages that stand beside their code (`training/README.md`, `benchmarks/README.md`) are taken from there; links to source
files become links to a page that shows the source, at the line of the name that the link carries.
"""

from __future__ import annotations

import inspect
import os.path
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from cards import models_page  # beside this file

from mer_live import realtime

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "docs": ".",
    "training/README.md": "database.md",
    "training/synthesis/README.md": "synthesis.md",
    "benchmarks/README.md": "performance.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def line_of(file: Path, name: str) -> int:
    """Line, from 1, where ``Class.method``, a class, a function or a constant is made; LookupError if nowhere."""
    lines = file.read_text(encoding="utf-8").splitlines()
    at = 0
    for part in name.strip("`").removesuffix("()").split("."):
        pattern = re.compile(rf"\s*(?:(?:async )?def|class) {re.escape(part)}\b|{re.escape(part)}\b.*=")
        at = next((k for k in range(at, len(lines)) if pattern.match(lines[k])), -1)
        if at < 0:
            raise LookupError(f"{file} has no {name}: docs/architecture.md must follow the code")
    return at + 1


def stage(out: Path) -> Path:
    """Write every page of the site below ``out`` as Markdown; returns ``out``."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ROOT / "docs", out, ignore=shutil.ignore_patterns("scripts", "__pycache__"))
    where = {(ROOT / source).resolve(): out / page for source, page in PAGES.items() if source != "docs"}
    where |= {path.resolve(): out / path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.*")}
    for source, page in list(where.items()):
        if page.suffix == ".md":
            page.write_text(_relinked(source, page, where, out), encoding="utf-8")
    (out / "api.md").write_text(api_page(), encoding="utf-8")
    (out / "models.md").write_text(models_page(), encoding="utf-8")
    return out


def _relinked(source: Path, page: Path, where: dict[Path, Path], out: Path) -> str:
    staged = {*where.values(), out / "api.md", out / "models.md"}

    def replace(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, _, fragment = target.partition("#")
        file = (source.parent / path).resolve()
        if file in where:
            to, mark = where[file], f"#{fragment}" if fragment else ""
        elif file == (ROOT / "README.md"):
            to, mark = out / "index.md", ""
        elif file.is_file():
            to = _source_page(file, out)
            mark = f"#line-0-{line_of(file, text)}" if file.suffix == ".py" else ""
        elif out / os.path.relpath(file, ROOT / "docs") in staged:
            return found[0]
        else:
            raise LookupError(f"{source.relative_to(ROOT)}: the link to {target} leads nowhere")
        return f"{picture}[{text}]({os.path.relpath(to, page.parent)}{mark})"

    return LINK.sub(replace, source.read_text(encoding="utf-8"))


def _source_page(file: Path, out: Path) -> Path:
    name = str(file.relative_to(ROOT))
    page = out / "source" / (name.replace("/", "-") + ".md")
    page.parent.mkdir(exist_ok=True)
    kind = {".py": "python", ".toml": "toml", ".json": "json"}.get(file.suffix, "text")
    page.write_text(
        f"# {name}\n\n~~~~~ {{ .{kind} linenums=1 }}\n{file.read_text(encoding='utf-8')}\n~~~~~\n",
        encoding="utf-8",
    )
    return page


def api_page() -> str:
    """Names of ``mer_live.realtime`` with their signatures and docstrings."""
    parts = ["# Python API\n", "Everything here is imported from `mer_live.realtime`.\n"]
    for name in realtime.__all__:
        value = getattr(realtime, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        try:
            signature = str(inspect.signature(value)).replace("mer_live.realtime.", "")
        except (TypeError, ValueError):
            signature = ""
        parts.append(f"## {name}\n\n```python\n{name}{signature}\n```\n\n{_prose(value)}\n")
        if inspect.isclass(value):
            for member, inner in vars(value).items():
                if not member.startswith("_") and (inspect.isfunction(inner) or isinstance(inner, property)):
                    parts.append(f"### {name}.{member}\n\n{_prose(inner)}\n")
    return "\n".join(parts)


def _prose(value: Any) -> str:
    text = re.sub(r"``([^`]+)``", r"`\1`", inspect.getdoc(value) or "")
    return re.sub(r"^(Args|Returns|Raises):$", r"**\1:**\n", text, flags=re.MULTILINE)


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
