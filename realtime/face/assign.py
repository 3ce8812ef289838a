"""Which of the faces in a picture is whose: by place where it was followed, else by person."""

from __future__ import annotations

from collections.abc import Sequence

from mer_live.realtime.face.choice import choose_face
from mer_live.realtime.face.followed import Followed
from mer_live.realtime.face.identity import People
from mer_live.realtime.face.landmarks import FaceDetection

_WAIT_NS = 2_000_000_000
"""Someone else is taken up when the person has been away this long."""


def assign(
    faces: Sequence[FaceDetection],
    t_ns: int,
    places: Sequence[Followed],
    asked: Sequence[Followed],
    people: People,
) -> tuple[dict[Followed, FaceDetection], list[FaceDetection]]:
    """Find the face of each place; a face goes to one of them.

    Args:
        faces: What one look saw.
        t_ns: Time of that frame.
        places: All that are followed.
        asked: Those for whom the look was; the faces of the others stay theirs.
        people: Who is who.

    Returns:
        The face of each place that was found, with its ``person`` set (0: somebody new), and the faces of nobody.
    """
    left = list(faces)
    found: dict[Followed, FaceDetection] = {}
    numbers = {id(face): -1 for face in faces}

    def who(face: FaceDetection) -> int:
        if numbers[id(face)] < 0:
            numbers[id(face)] = people.who(face.landmarks, t_ns)
        return numbers[id(face)]

    def others(place: Followed) -> set[int]:
        return {one.person for one in places if one is not place}

    def take(place: Followed, face: FaceDetection, person: int) -> None:
        found[place], place.person = face, person
        left[:] = [one for one in left if one is not face]

    def again(place: Followed, wanted: set[int]) -> None:
        face = choose_face(tuple(one for one in left if who(one) in wanted - {0}), None)
        if face is not None:
            take(place, face, who(face))

    mains = set(people.mains(len(places)))
    held = [place for place in places if place.face is not None]
    for place in held:
        if place.person and place.person not in mains:  # whom the run is about comes first
            again(place, mains - others(place))
            if place in found:
                place.policy.drop()
    for place in held:
        if place.face is None or place in found:
            continue
        same = choose_face(tuple(left), place.face.landmarks)
        if same is not None and place in asked:
            take(place, same, place.person)
        elif same is not None:
            left[:] = [one for one in left if one is not same]
    empty = [place for place in asked if place.face is None]
    for place in empty:
        again(place, {place.person})
    for place in empty:
        if place not in found:
            again(place, mains - others(place))
    for place in empty:
        largest = choose_face(tuple(left), None)
        if place in found or largest is None:
            continue
        waited = place.gone_ns is None or not place.person or t_ns - place.gone_ns >= _WAIT_NS
        if waited and place.large(largest):
            take(place, largest, 0 if who(largest) in others(place) else who(largest))
        elif not place.person and not held:
            take(place, largest, 0)  # so that it is told to be small
    return found, left
