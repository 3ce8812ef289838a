"""One clip that was cut by hand, onset to offset: python examples/classify_clip.py VIDEO APEX_FRAME"""

import sys

import cv2
import numpy as np

from mer_live.realtime import Clip, FacePath, Frame, LiveConfig, Recognizer, load_bundle

crops: list[np.ndarray] = []
times: list[int] = []
once = LiveConfig(landmark_period_ms=3_600_000)  # the first frame's crop for all, as the papers cut clips
capture = cv2.VideoCapture(sys.argv[1])
with FacePath(once) as path:
    while (read := capture.read())[0]:
        t_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        crop = path.step(Frame(len(crops), t_ns, np.asarray(read[1], np.uint8))).crop
        if crop is None:
            sys.exit("there is no face in the first frame")
        crops.append(crop.gray.copy())
        times.append(t_ns)

clip = Clip(np.stack(crops), np.array(times), onset=0, apex=int(sys.argv[2]), offset=len(crops) - 1)
with Recognizer([load_bundle("madtn"), load_bundle("atnet")]) as recognizer:
    for name, p in zip(recognizer.classes, recognizer.recognize(clip).probs, strict=True):
        print(f"{name:<8} {p:.3f}")
