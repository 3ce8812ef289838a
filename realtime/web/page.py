"""The page's files as they are sent: read once, its words filled in from one JSON catalogue a language."""

from __future__ import annotations

import html
import json
import mimetypes
import re
from importlib.resources import files

LANGUAGES = ("en", "de")
"""The first one is for those who read none of them."""
_WORD = re.compile(r"\{([a-z][\w.]*)\}")


class Page:
    """Every file by path; ``index`` by language."""

    def __init__(self) -> None:
        folder = files("mer_live.realtime.web") / "static"
        self.files = {
            f"/static/{file.name}": (file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/plain")
            for file in folder.iterdir()
        }
        text = self.files["/static/index.html"][0].decode()
        self.index: dict[str, bytes] = {}
        for language in LANGUAGES:
            words: dict[str, str] = json.loads(self.files[f"/static/{language}.json"][0])
            self.index[language] = _WORD.sub(lambda m, w=words: html.escape(w[m[1]]), text).encode()  # type: ignore[misc]


def language(asked: str | None, accepted: str) -> str:
    """Which of LANGUAGES to answer in.

    Args:
        asked: chosen by the visitor, if anything.
        accepted: an Accept-Language header, RFC 9110 section 12.5.4.
    """
    if asked in LANGUAGES:
        return asked
    best, best_q = LANGUAGES[0], 0.0
    for part in accepted[:500].split(","):
        name, _, rest = part.strip().lower().partition(";")
        given = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", rest)
        q = 1.0 if not rest else float(given[1]) if given else 0.0
        if name[:2] in LANGUAGES and q > best_q:
            best, best_q = name[:2], q
    return best
