"""Animated faces with exact truth: action-unit-like warps of a photograph, filmed by a simulated camera.

Read in this order: ``face_model`` (a photograph in the frame of the live crop), ``actions`` (what
moves), ``timeline`` and ``script`` (when), ``render`` (pixels), ``camera`` (sensor), then ``clips``
(training clips), ``video`` (whole files) and ``inject`` (warps put into real footage).
"""
