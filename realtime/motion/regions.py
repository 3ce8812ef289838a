"""Where on a face motion is read: regions as mesh points, their mean place and depth, their mirror."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POINTS = """
brow_inner_right: 107 55 66 65
brow_inner_left: 336 285 296 295
brow_outer_right: 70 46 63 53 105 52
brow_outer_left: 300 276 293 283 334 282
lid_right: 159 158 160 27 28 29
lid_left: 386 385 387 257 258 259
under_eye_right: 145 23 230 229 110
under_eye_left: 374 253 450 449 339
cheek_right: 50 101 118 205 36
cheek_left: 280 330 347 425 266
nose_right: 129 49 64 98 102 198
nose_left: 358 279 294 327 331 420
mouth_right: 61 76 186 57 92
mouth_left: 291 306 410 287 322
jaw_right: 212 32 140 182
jaw_left: 432 262 369 406
glabella: 9 8 55 285
upper_lip: 0 164 37 267 167 393
lower_lip: 17 84 314 18 83 313
chin: 199 200 175 201 421
"""
"""Mesh indices of the face model per region; right and left are the subject's own."""

_STABLE = """
168 6 197 195 5 133 362 243 463 33 263 130 359 226 446 35 265 122 351 196 419 193 417 245 465 188 412 174
399 116 345 111 340 143 372 34 264 227 447 151 108 337 69 299 104 333 67 297
"""
"""Points that facial muscles move little: nose bridge, eye corners, cheekbones, upper forehead."""

_CANONICAL = """
0:112,148,-23 5:112,102,-40 6:112,79,-19 8:112,59,-14 9:112,48,-15 17:112,169,-18 18:112,179,-10
23:72,84,4 27:67,59,1 28:77,60,1 29:59,61,4 32:84,193,-2 33:56,74,14 34:27,83,52 35:40,80,25
36:74,116,-5 37:103,146,-22 46:43,59,10 49:89,115,-19 50:51,116,5 52:61,50,-4 53:51,53,2 55:95,57,-11
57:72,158,1 61:80,158,0 63:46,48,6 64:90,123,-17 65:76,51,-9 66:74,44,-10 67:68,14,5 69:72,28,-3
70:39,56,17 76:81,158,-1 83:102,179,-10 84:102,169,-17 92:81,144,-9 98:92,128,-12 101:69,106,-1
102:88,119,-15 104:54,32,7 105:58,44,-2 107:93,47,-14 108:91,28,-9 110:59,83,10 111:41,91,21
116:33,97,30 118:56,99,6 122:105,80,-16 129:87,120,-7 130:52,75,16 133:91,77,8 140:82,202,2 143:34,81,33
145:72,79,5 151:112,28,-11 158:77,68,3 159:70,67,4 160:64,69,6 164:112,136,-20 167:102,136,-20
168:112,69,-13 174:100,92,-19 175:112,207,-7 182:92,176,-8 186:75,151,-4 188:100,85,-12 193:103,71,-8
195:112,94,-33 196:105,88,-24 197:112,87,-26 198:95,105,-19 199:112,199,-11 200:112,189,-11
201:99,188,-9 205:62,126,-2 212:64,160,5 226:47,77,19 227:26,100,54 229:61,90,8 230:71,90,5 243:94,77,6
245:100,80,-4 253:151,84,4 257:156,59,1 258:146,60,1 259:164,61,4 262:139,193,-2 263:167,74,14
264:196,83,52 265:183,80,25 266:149,116,-5 267:120,146,-22 276:180,59,10 279:134,115,-19 280:172,116,5
282:162,50,-4 283:172,53,2 285:128,57,-11 287:151,158,1 291:143,158,0 293:177,48,6 294:133,123,-17
295:147,51,-9 296:149,44,-10 297:155,14,5 299:151,28,-3 300:184,56,17 306:142,158,-1 313:121,179,-10
314:121,169,-17 322:142,144,-9 327:131,128,-12 330:154,106,-1 331:135,119,-15 333:169,32,7 334:165,44,-2
336:130,47,-14 337:132,28,-9 339:164,83,10 340:182,91,21 345:190,97,30 347:167,99,6 351:118,80,-16
358:136,120,-7 359:171,75,16 362:132,77,8 369:141,202,2 372:189,81,33 374:151,79,5 385:146,68,3
386:153,67,4 387:159,69,6 393:121,136,-20 399:123,92,-19 406:131,176,-8 410:148,151,-4 412:123,85,-12
417:120,71,-8 419:118,88,-24 420:128,105,-19 421:124,188,-9 425:161,126,-2 432:159,160,5 446:176,77,19
447:197,100,54 449:162,90,8 450:152,90,5 463:129,77,6 465:123,80,-4
"""
"""index:x,y,z of every point above, crop px (224), mean of 72 neutral faces made symmetric; z grows away
from the camera. Depth lets small nods and turns be told from expressions; x, y serve when landmarks lack."""

_LINES = dict(line.split(": ") for line in _POINTS.strip().splitlines())
_MEMBERS = [[int(i) for i in ids.split()] for ids in _LINES.values()]

REGIONS: tuple[str, ...] = tuple(_LINES)
"""Names of the R regions, in the order of the first axis of Motion's arrays."""

MIRROR: tuple[int, ...] = tuple(
    REGIONS.index(name.replace("right", "left") if name.endswith("right") else name.replace("left", "right"))
    for name in REGIONS
)
"""Region k of a face is region MIRROR[k] of its mirror image, with x negated."""

POINTS: NDArray[np.intp] = np.array(
    sorted({i for ids in _MEMBERS for i in ids} | {int(i) for i in _STABLE.split()}), np.intp
)
"""(P,) mesh indices of all points that are tracked."""

STABLE: NDArray[np.float64] = np.isin(POINTS, [int(i) for i in _STABLE.split()]).astype(np.float64)
"""(P,) 1 for points that follow the head and nothing else, 0 for those that expressions move."""

MEMBERSHIP: NDArray[np.float64] = np.array([np.isin(POINTS, ids) for ids in _MEMBERS], np.float64)
"""(R, P) 1 where a point belongs to a region."""


def _padded() -> NDArray[np.intp]:
    """(R, K) rows of POINTS per region, cycled to the longest region's length."""
    longest = max(len(ids) for ids in _MEMBERS)
    rows = [np.searchsorted(POINTS, ids) for ids in _MEMBERS]
    return np.stack([np.resize(r, longest) for r in rows])


PADDED: NDArray[np.intp] = _padded()
ONCE: NDArray[np.float64] = np.array([np.arange(PADDED.shape[1]) < len(ids) for ids in _MEMBERS], np.float64)
"""(R, K) 0 where a row of PADDED repeats a point."""


def _canonical() -> NDArray[np.float64]:
    table = {}
    for item in _CANONICAL.split():
        index, values = item.split(":")
        table[int(index)] = [float(v) for v in values.split(",")]
    return np.array([table[i] for i in POINTS])


_MEAN = _canonical()
CANONICAL: NDArray[np.float32] = _MEAN[:, :2].astype(np.float32)
"""(P, 2) mean place of each point, crop px at S = 224."""
DEPTH: NDArray[np.float64] = _MEAN[:, 2]
"""(P,) mean depth of each point, crop px at S = 224, away from the camera."""


def region(*names: str) -> list[int]:
    """Positions of the regions whose names begin with one of ``names``."""
    return [k for k, name in enumerate(REGIONS) if name.startswith(names)]


def points_of(landmarks: NDArray[np.float32] | None, size: int) -> NDArray[np.float32]:
    """(P, 2) crop px of the tracked points; the mean face where the crop has no landmarks.

    Points too near the edge for a window around them are moved inside.
    """
    scale = size / 224
    points = CANONICAL * np.float32(scale) if landmarks is None else landmarks[POINTS]
    return np.asarray(np.clip(points, 8 * scale, size - 1 - 8 * scale), np.float32)
