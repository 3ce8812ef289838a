"""What the papers report, to stand beside ours. Published figures, not ours: of the real databases and of the
papers' own choices of epoch and parameters.

Rows have the names of `rows.all_rows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mer_live.training.datasets.published import CDMER_TASKS


@dataclass(frozen=True, slots=True)
class Published:
    """One line of a paper's table."""

    row: str
    protocol: str
    source: str
    cells: Mapping[str, Mapping[str, float]]
    """Part ("full", a database, a task) -> what is published of ``uf1``, ``uar`` and ``accuracy``, each 0..1."""
    database: str = ""
    """Of ``loso``."""
    classes: int = 3


_MADTN = "MADTN (Xia et al. 2020), Table"
_ATNET = "ATNet (Peng et al. 2019), Table"
_SA_AT = "SA-AT (Zhou et al. 2019), Table"
_MTM = "MTM (Xia, Wang 2021), Table"

# Mean F1 / accuracy in per cent for each task, then the average.
_TYPE_1 = """
lbp-top/linear     0.8002/80.28 0.5421/54.27 0.5455/53.52 0.4878/54.88 0.6186/63.38 0.6078/63.38 0.6003/61.62
iw-svm             0.8868/88.73 0.5852/58.54 0.7469/74.65 0.5427/54.27 0.6620/69.01 0.7228/73.24 0.6911/68.07
tca                0.8269/83.10 0.5477/54.88 0.5828/59.15 0.5443/57.32 0.5810/61.97 0.6598/67.61 0.6238/64.01
gfk                0.8448/84.51 0.5957/59.15 0.6977/70.42 0.6197/62.80 0.7619/76.06 0.8142/81.69 0.7223/72.44
subspace-alignment 0.8037/80.28 0.5955/59.15 0.7465/74.65 0.5644/56.10 0.7004/71.83 0.7394/74.65 0.6917/69.44
stm                0.8253/83.10 0.5059/51.22 0.6628/66.20 0.5351/56.10 0.6427/67.61 0.6922/70.42 0.6440/65.78
tkl                0.7742/77.46 0.5738/57.32 0.7051/70.42 0.6116/62.60 0.7558/76.06 0.7579/76.06 0.6964/69.92
tsrg               0.8869/88.73 0.5652/56.71 0.6484/64.79 0.5770/57.93 0.7056/70.42 0.8116/81.69 0.6991/70.05
drfs-t             0.8643/85.92 0.5767/57.32 0.7179/71.83 0.6163/61.59 0.7286/73.24 0.7732/77.46 0.7128/71.23
drls               0.8604/85.92 0.6120/60.98 0.6599/66.20 0.5599/55.49 0.6620/69.01 0.5771/61.97 0.6552/66.60
rstr               0.8721/87.32 0.6401/64.02 0.7466/74.65 0.5765/57.32 0.7506/76.06 0.8428/84.51 0.7381/73.98
madtn              0.8302/83.11 0.6704/66.46 0.7641/77.44 0.6252/62.21 0.8435/84.52 0.8732/87.30 0.7678/76.84
"""
_TYPE_2 = """
lbp-top/linear     0.3697/45.12 0.3245/48.46 0.4701/50.70 0.5367/53.08 0.5295/52.11 0.2368/23.85 0.4112/45.55
iw-svm             0.3541/41.46 0.5829/62.31 0.5778/59.15 0.5537/54.62 0.5117/50.70 0.3456/36.15 0.4876/50.73
tca                0.4637/46.34 0.4870/53.08 0.6834/69.01 0.5789/59.23 0.4992/50.70 0.3937/42.31 0.5177/53.45
gfk                0.4126/46.95 0.4776/50.77 0.6361/66.20 0.6056/61.50 0.5180/53.52 0.4469/46.92 0.5161/54.31
subspace-alignment 0.4302/47.56 0.5447/62.31 0.5939/59.15 0.5243/51.54 0.4738/47.89 0.3592/36.92 0.4877/50.90
stm                0.3604/43.90 0.6115/63.85 0.4015/52.11 0.2715/30.00 0.3523/42.25 0.3850/41.54 0.3982/45.61
tkl                0.3829/44.51 0.4661/54.62 0.6042/60.56 0.5378/53.08 0.5392/54.93 0.4248/43.85 0.4925/51.93
tsrg               0.5042/51.83 0.5171/60.77 0.5935/59.15 0.6208/63.08 0.5624/56.34 0.4105/46.15 0.5348/56.22
drfs-t             0.4524/46.95 0.5460/60.00 0.6217/63.38 0.6762/68.46 0.5369/56.34 0.4653/50.77 0.5498/57.65
drls               0.4924/53.05 0.5267/59.23 0.5757/57.75 0.5942/60.00 0.4885/49.83 0.3838/42.37 0.5102/53.71
rstr               0.5297/54.27 0.5622/60.77 0.5882/59.15 0.7021/70.77 0.5009/50.70 0.4693/50.77 0.5587/57.74
madtn              0.6100/62.79 0.7486/77.54 0.7056/70.41 0.7304/72.85 0.7305/73.24 0.7403/75.98 0.7109/72.14
"""
# UF1 / UAR: full, CASME II, SAMM, SMIC.
_ATNET_CDE = """
lbp-top/poly       0.293/0.294 0.285/0.288 0.301/0.302 0.246/0.246
hoof-frames/poly          0.350/0.350 0.361/0.368 0.295/0.293 0.367/0.379
micro-attention    0.508/0.493 0.539/0.517 0.403/0.340 0.473/0.466
atnet/spatial      0.494/0.484 0.521/0.501 0.348/0.366 0.454/0.455
atnet/temporal     0.581/0.581 0.691/0.679 0.487/0.490 0.527/0.530
atnet              0.631/0.613 0.798/0.775 0.496/0.482 0.553/0.543
"""
# UF1 / UAR: full, SMIC, CASME II, SAMM.
_MTM_CDE = """
lbp-top/linear     0.588/0.578 0.200/0.528 0.702/0.742 0.395/0.410
bi-woof/linear     0.629/0.622 0.572/0.582 0.780/0.802 0.521/0.513
off-apexnet        0.719/0.709 0.681/0.669 0.876/0.868 0.540/0.539
capsulenet         0.652/0.650 0.582/0.587 0.706/0.701 0.620/0.598
ststnet            0.735/0.760 0.680/0.701 0.838/0.868 0.658/0.681
dual-inception     0.732/0.727 0.664/0.672 0.862/0.856 0.586/0.566
neural             0.788/0.782 0.746/0.753 0.829/0.820 0.775/0.715
micronet           0.864/0.857 0.864/0.861 0.870/0.872 0.825/0.819
mtm                0.883/0.876 0.873/0.867 0.881/0.881 0.896/0.884
"""
_MTM_ABLATIONS = """
mtm/L_c                    0.801/0.798
mtm/L_c+L_s                0.843/0.840
mtm/L_c+L_sam+L_t          0.855/0.853
mtm/L_c+L_s+L_sam+L_t      0.871/0.866
mtm/L_c+L_con              0.839/0.835
"""
_SA_AT_FULL = "sa-at 0.5936/0.5958 0.5512/0.5463 0.7607/0.7552 0.4476/0.4868"
_SA_AT_ABLATIONS = """
sa-at/resnet     0.5415/0.5348
sa-at/resnet+sa  0.5611/0.5503
sa-at/resnet+at  0.5782/0.5794
"""
# UF1 / UAR on the database that is left out: CASME II, SAMM, SMIC.
_ATNET_HDE = """
lbp-top/poly       0.240/0.249 0.335/0.347 0.235/0.315
hoof-frames/poly          0.329/0.331 0.327/0.351 0.329/0.348
micro-attention    0.338/0.369 0.383/0.380 0.354/0.372
atnet/spatial      0.318/0.359 0.372/0.375 0.386/0.395
atnet/temporal     0.631/0.643 0.450/0.458 0.503/0.524
atnet              0.523/0.501 0.429/0.427 0.497/0.489
"""


# UF1 / UAR with other settings: full, CASME II, SAMM, SMIC; points and frames of LBP-TOP, bins and frames of HOOF.
_ATNET_OTHERS = {
    "P 4, TIM 10": "lbp-top/poly 0.329/0.335 0.372/0.391 0.363/0.361 0.255/0.257",
    "P 4, TIM 64": "lbp-top/poly 0.321/0.328 0.314/0.321 0.300/0.299 0.289/0.301",
    "P 8, TIM 64": "lbp-top/poly 0.305/0.305 0.302/0.302 0.289/0.288 0.281/0.279",
    "N 4, TIM 10": "hoof-frames/poly 0.338/0.340 0.297/0.297 0.349/0.365 0.346/0.345",
    "N 4, TIM 64": "hoof-frames/poly 0.346/0.350 0.324/0.331 0.366/0.366 0.318/0.330",
    "N 8, TIM 64": "hoof-frames/poly 0.328/0.337 0.372/0.375 0.316/0.326 0.257/0.268",
}
# The same left out: CASME II, SAMM, SMIC.
_ATNET_OTHERS_HDE = {
    "P 4, TIM 10": "lbp-top/poly 0.295/0.298 0.330/0.360 0.271/0.382",
    "P 4, TIM 64": "lbp-top/poly 0.338/0.339 0.281/0.295 0.275/0.338",
    "P 8, TIM 64": "lbp-top/poly 0.313/0.317 0.248/0.263 0.289/0.334",
    "N 4, TIM 10": "hoof-frames/poly 0.355/0.356 0.279/0.281 0.297/0.312",
    "N 4, TIM 64": "hoof-frames/poly 0.332/0.339 0.348/0.351 0.275/0.293",
    "N 8, TIM 64": "hoof-frames/poly 0.328/0.344 0.284/0.292 0.280/0.304",
}
# Mean F1 / accuracy in per cent of MADTN's inputs: C>H, C>V; H>N.
_MADTN_INPUTS = """
madtn/face        0.4115/42.07 0.4715/52.10
madtn/onof-face   0.5598/56.69 0.6207/61.96
madtn/onof-offof  0.5858/59.13 0.6520/64.79
"""
_MADTN_INPUTS_1 = """
madtn/face        0.4673/52.10
madtn/onof-face   0.5713/57.76
madtn/onof-offof  0.7352/73.24
"""
_MTM_ABLATIONS_MMI = """
mtm/L_c                    0.801/0.798
mtm/L_c+L_s                0.835/0.835
mtm/L_c+L_sam+L_t          0.851/0.848
mtm/L_c+L_s+L_sam+L_t      0.851/0.848
mtm/L_c+L_con              0.820/0.822
mtm                        0.863/0.860
"""
# Accuracy / F1 within one database, leave one subject out: CASME II in 5 classes, SMIC in 3, SAMM.
_MTM_SINGLE = """
lbp-top/linear  0.490/0.510 0.580/0.600 0.590/0.364
lbp-sip/linear  0.465/0.448 0.445/0.449 0.415/0.406
stlbp-ip/linear 0.595/0.570 0.579/0.580 0.568/0.527
stclqp          0.640/0.638 0.583/0.583 0.638/0.611
higo/linear     0.672/-     0.682/-     -/-
fhofo/linear    0.566/0.524 0.518/0.524 -/-
bi-woof/linear  0.588/0.610 0.622/0.620 0.583/0.397
off-apexnet     -/-         0.676/0.670 0.681/0.542
boost           0.709/-     0.689/-     -/-
dssn            0.708/0.730 0.634/0.646 0.574/0.464
au-gacn         0.712/0.355 -/-         0.702/0.433
dynamic         0.726/0.670 0.761/0.710 -/-
micronet        0.756/0.701 0.768/0.744 0.741/0.736
graph-tcn       0.740/0.725 -/-         0.750/0.699
mtm             0.799/0.759 0.786/0.778 0.767/0.764
"""
_MTM_SINGLE_CK = """
mtm/L_c                    0.715/0.636 0.695/0.672 0.701/0.693
mtm/L_c+L_s                0.751/0.681 0.744/0.729 0.729/0.724
mtm/L_c+L_sam+L_t          0.763/0.706 0.750/0.736 0.735/0.730
mtm/L_c+L_s+L_sam+L_t      0.771/0.722 0.762/0.750 0.751/0.748
mtm/L_c+L_con              0.747/0.683 0.738/0.738 0.731/0.726
mtm                        0.791/0.748 0.786/0.778 0.767/0.764
"""
_MTM_SINGLE_MMI = """
mtm/L_c                    0.715/0.636 0.695/0.672 0.701/0.693
mtm/L_c+L_s                0.755/0.691 0.726/0.701 0.725/0.722
mtm/L_c+L_sam+L_t          0.763/0.705 0.726/0.701 0.731/0.727
mtm/L_c+L_s+L_sam+L_t      0.779/0.733 0.762/0.750 0.741/0.740
mtm/L_c+L_con              0.755/0.694 0.726/0.703 0.725/0.722
mtm                        0.799/0.759 0.774/0.761 0.758/0.754
"""
_UNSTATED = "; SAMM's classes are not stated"


def published(protocol: str, databases: Sequence[str] = (), classes: int = 3) -> tuple[Published, ...]:
    """Return the lines that the papers have for a protocol; none for ``holdout`` and ``split``.

    Args:
        protocol: Of the table.
        databases: Whose clips are in it; ``loso`` has lines for each database alone.
        classes: How many there are.
    """
    return tuple(
        line
        for line in _lines()
        if line.protocol == protocol
        and line.classes == classes
        and (not line.database or [line.database] == list(databases))
    )


def _lines() -> Iterator[Published]:
    full, casme2, samm, smic = "full", "casme2", "samm", "smic-hs"
    f1, single = ("uf1", "accuracy"), ("accuracy", "uf1")
    yield from _read(_TYPE_1, "cdmer1", f"{_MADTN} 1", (*CDMER_TASKS["cdmer1"], full), f1, 100)
    yield from _read(_TYPE_2, "cdmer2", f"{_MADTN} 2", (*CDMER_TASKS["cdmer2"], full), f1, 100)
    yield from _read(_MADTN_INPUTS_1, "cdmer1", f"{_MADTN} 3", ("H>N",), f1, 100)
    yield from _read(_MADTN_INPUTS, "cdmer2", f"{_MADTN} 3", ("C>H", "C>V"), f1, 100)
    yield from _read(_MTM_CDE, "cde", f"{_MTM} 5", (full, smic, casme2, samm))
    yield from _read(_ATNET_CDE, "cde", f"{_ATNET} II", (full, casme2, samm, smic))
    for settings, text in _ATNET_OTHERS.items():
        yield from _read(text, "cde", f"{_ATNET} II, {settings}", (full, casme2, samm, smic))
    yield from _read(_SA_AT_FULL, "cde", f"{_SA_AT} 4", (full, smic, casme2, samm))
    yield from _read(_SA_AT_ABLATIONS, "cde", f"{_SA_AT} 3", (full,))
    yield from _read(_MTM_ABLATIONS, "cde", f"{_MTM} 3, CK+", (full,))
    yield from _read(_MTM_ABLATIONS_MMI, "cde", f"{_MTM} 3, MMI", (full,))
    yield from _read(_ATNET_HDE, "hde", f"{_ATNET} III", (casme2, samm, smic))
    for settings, text in _ATNET_OTHERS_HDE.items():
        yield from _read(text, "hde", f"{_ATNET} III, {settings}", (casme2, samm, smic))
    for source, text in (
        (f"{_MTM} 4", _MTM_SINGLE),
        (f"{_MTM} 2, CK+", _MTM_SINGLE_CK),
        (f"{_MTM} 2, MMI", _MTM_SINGLE_MMI),
    ):
        for line in _read(text, "loso", source, (casme2, smic, samm), single):
            for database, classes in ((casme2, 5), (smic, 3), (samm, 5)):
                if found := line.cells.get(database):
                    said = source + (_UNSTATED if database == samm else "")
                    yield Published(line.row, "loso", said, {full: found}, database, classes)


def _read(
    text: str,
    protocol: str,
    source: str,
    parts: tuple[str, ...],
    scores: tuple[str, str] = ("uf1", "uar"),
    percent: float = 1,
) -> Iterator[Published]:
    """Lines of ``row a/b a/b ...``: two scores for each part, the second in per cent where it says so; - is unknown."""
    for line in text.strip().splitlines():
        row, *pairs = line.split()
        cells = {}
        for part, pair in zip(parts, pairs, strict=True):
            values = zip(scores, pair.split("/"), (1, percent), strict=True)
            found = {name: round(float(v) / by, 4) for name, v, by in values if v != "-"}
            if found:
                cells[part] = found
        yield Published(row, protocol, source, cells)
