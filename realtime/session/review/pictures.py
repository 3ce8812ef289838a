"""Any picture of a session's video, near one another quickly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.session.read import RecordedPictures, RecordedSession


class PictureIndex:
    """Reads rows of the frame table; going on where the last reading ended costs least. One thread at a time."""

    def __init__(self, session: RecordedSession) -> None:
        self._session = session
        self._open = RecordedPictures(session)
        self._next = 0

    def close(self) -> None:
        """Close the video."""
        self._open.close()

    def read_rows(self, rows: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(row, picture) for rows in rising order; those that are not whole are left out."""
        for row in rows:
            position = int(self._session.frames.picture[row])
            if position < self._next:
                self._open.close()
                self._open = RecordedPictures(self._session)
            self._open.skip_to(position)
            image = self._open.read(position)
            self._next = position + 1
            if image is not None:
                yield row, image
