"""Every video of a folder into one CSV: python examples/folder_to_csv.py FOLDER OUT.csv"""

import csv
import sys
from pathlib import Path

from mer_live.realtime import SourceError, watch

with open(sys.argv[2], "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["video", "onset_s", "apex_s", "label", "probability", "problem"])
    for video in sorted(Path(sys.argv[1]).glob("*.mp4")):
        try:
            with watch(video) as session:
                for event in session:
                    onset_s, apex_s = (m.t_ns / 1e9 for m in (event.span.onset, event.span.apex))
                    rows.writerow([video.name, onset_s, apex_s, event.label, f"{event.probs.max():.3f}", ""])
        except SourceError as error:  # one broken file does not stop the others
            rows.writerow([video.name, "", "", "", "", str(error)])
