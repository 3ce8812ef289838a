"""An industrial camera (GenICam) as a source of mer-live: pip install harvesters, and a maker's .cti file.

A package of yours registers it once, in its pyproject.toml:

    [project.entry-points."mer_live.sources"]
    genicam = "genicam_source:GenicamSource"

Then `GENICAM_CTI=/opt/maker/producer.cti mer-live --camera genicam:SERIAL --fps 200 --exposure 4` runs on it.
"""

import os
import time

import numpy as np
from harvesters.core import Harvester
from numpy.typing import NDArray

from mer_live.realtime import CameraConfig, FrameSource, SourceError

_PATIENCE_S = 3.0


class GenicamSource(FrameSource):
    """Frames of a GenICam camera; a frame's time is the monotonic clock when it was complete."""

    def __init__(self, cfg: CameraConfig) -> None:
        """Open the camera whose serial number follows ``genicam:``; the first one without. Raises SourceError."""
        serial = str(cfg.source).partition(":")[2]
        self._harvester = Harvester()
        try:
            self._harvester.add_file(os.environ["GENICAM_CTI"])
            self._harvester.update()
            self._camera = self._harvester.create({"serial_number": serial} if serial else 0)
            node = self._camera.remote_device.node_map
            node.PixelFormat.value = "BGR8"
            if isinstance(cfg.exposure_ms, float):
                node.ExposureTime.value = cfg.exposure_ms * 1000  # us
            if cfg.fps is not None:
                node.AcquisitionFrameRate.value = cfg.fps
            size = int(node.Width.value), int(node.Height.value)
        except Exception as error:  # every maker has errors of its own
            self._harvester.reset()
            raise SourceError(
                f"{cfg.source} cannot be opened ({error}): check GENICAM_CTI and the cable"
            ) from error
        super().__init__(
            cfg,
            size=size,
            recorded=False,
            nominal_fps=float(node.AcquisitionFrameRate.value),
            description=f"{cfg.source}: {size[0]}x{size[1]}, GenICam",
        )
        self._camera.start()

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Wait for the next frame and copy it into ``slot`` (H, W, 3); its time, ns."""
        buffer = self._camera.try_fetch(timeout=_PATIENCE_S)
        if buffer is None:
            raise SourceError(f"{self.cfg.source} stopped giving frames: check its cable and its trigger")
        t_ns = time.monotonic_ns()
        with buffer:
            part = buffer.payload.components[0]
            slot[:] = part.data.reshape(part.height, part.width, 3)
        return t_ns

    def release(self) -> None:
        """Give the camera back."""
        self._camera.stop()
        self._camera.destroy()
        self._harvester.reset()
