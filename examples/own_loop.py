"""Your loop, frame by frame, without a thread of ours: python examples/own_loop.py VIDEO"""

import sys

import cv2
import numpy as np

from mer_live.realtime import FacePath, Frame, Recognizer, load_bundle

capture = cv2.VideoCapture(sys.argv[1])
with Recognizer([load_bundle("madtn")]) as recognizer, FacePath(adm=recognizer.adm) as path:
    index = 0
    while True:
        ok, image = capture.read()
        if not ok:
            break
        t_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        step = path.step(Frame(index, t_ns, np.asarray(image, np.uint8)))
        for found in step.spotted:
            if found.clip is not None:
                probs = recognizer.recognize(found.clip).probs
                print(found.spot.phase, recognizer.classes[int(probs.argmax())], found.spot.span.apex)
        index += 1
