"""Style aggregation: faces of several databases are given one look, before anything is learnt from them.

Dong, Yan, Ouyang, Yang (CVPR 2018) aggregate styles with CycleGAN (Zhu, Park, Isola, Efros, ICCV 2017),
and SA-AT (Zhou, Mao, Xue 2019) uses their network. That one was never released for gray crops, so this
package trains one: `train.train_style` gives the generator of ``engines/networks/style.py``.
"""
