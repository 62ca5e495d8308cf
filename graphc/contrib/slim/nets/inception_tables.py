"""The layers of Inception networks.

A line is a layer, or a module ``name: branch | branch …`` whose branches are layers after each
other (indented lines continue it); layers joined by ``+`` see the same input. A layer is
``C_1a_7x7/2v~0.1=64``: C a convolution (S a separable one, M and A the largest and the mean of a
window), the rest of its name, which ends with the size of its window (``@3``: the name is wrong,
it is 3x3), stride (``/2``), ``v`` for ``VALID``, the standard deviation of small first weights
(``~0.1``), channels.
"""

__all__ = ["TABLES"]

TABLES = {
    "InceptionV1": """
C_1a_7x7/2=64
M_2a_3x3/2
C_2b_1x1=64
C_2c_3x3=192
M_3a_3x3/2
Mixed_3b: C_0a_1x1=64 | C_0a_1x1=96 C_0b_3x3=128 | C_0a_1x1=16 C_0b_3x3=32 | M_0a_3x3 C_0b_1x1=32
Mixed_3c: C_0a_1x1=128 | C_0a_1x1=128 C_0b_3x3=192 | C_0a_1x1=32 C_0b_3x3=96 | M_0a_3x3 C_0b_1x1=64
M_4a_3x3/2
Mixed_4b: C_0a_1x1=192 | C_0a_1x1=96 C_0b_3x3=208 | C_0a_1x1=16 C_0b_3x3=48 | M_0a_3x3 C_0b_1x1=64
Mixed_4c: C_0a_1x1=160 | C_0a_1x1=112 C_0b_3x3=224 | C_0a_1x1=24 C_0b_3x3=64 | M_0a_3x3 C_0b_1x1=64
Mixed_4d: C_0a_1x1=128 | C_0a_1x1=128 C_0b_3x3=256 | C_0a_1x1=24 C_0b_3x3=64 | M_0a_3x3 C_0b_1x1=64
Mixed_4e: C_0a_1x1=112 | C_0a_1x1=144 C_0b_3x3=288 | C_0a_1x1=32 C_0b_3x3=64 | M_0a_3x3 C_0b_1x1=64
Mixed_4f: C_0a_1x1=256 | C_0a_1x1=160 C_0b_3x3=320 | C_0a_1x1=32 C_0b_3x3=128 |
    M_0a_3x3 C_0b_1x1=128
M_5a_2x2/2
Mixed_5b: C_0a_1x1=256 | C_0a_1x1=160 C_0b_3x3=320 | C_0a_1x1=32 C_0a_3x3=128 |
    M_0a_3x3 C_0b_1x1=128
Mixed_5c: C_0a_1x1=384 | C_0a_1x1=192 C_0b_3x3=384 | C_0a_1x1=48 C_0b_3x3=128 |
    M_0a_3x3 C_0b_1x1=128
""",
    "InceptionV2": """
S_1a_7x7/2~1=64
M_2a_3x3/2
C_2b_1x1~0.1=64
C_2c_3x3=192
M_3a_3x3/2
Mixed_3b: C_0a_1x1=64 | C_0a_1x1~0.09=64 C_0b_3x3=64 | C_0a_1x1~0.09=64 C_0b_3x3=96 C_0c_3x3=96 |
    A_0a_3x3 C_0b_1x1~0.1=32
Mixed_3c: C_0a_1x1=64 | C_0a_1x1~0.09=64 C_0b_3x3=96 | C_0a_1x1~0.09=64 C_0b_3x3=96 C_0c_3x3=96 |
    A_0a_3x3 C_0b_1x1~0.1=64
Mixed_4a: C_0a_1x1~0.09=128 C_1a_3x3/2=160 | C_0a_1x1~0.09=64 C_0b_3x3=96 C_1a_3x3/2=96 | M_1a_3x3/2
Mixed_4b: C_0a_1x1=224 | C_0a_1x1~0.09=64 C_0b_3x3=96 |
    C_0a_1x1~0.09=96 C_0b_3x3=128 C_0c_3x3=128 | A_0a_3x3 C_0b_1x1~0.1=128
Mixed_4c: C_0a_1x1=192 | C_0a_1x1~0.09=96 C_0b_3x3=128 |
    C_0a_1x1~0.09=96 C_0b_3x3=128 C_0c_3x3=128 | A_0a_3x3 C_0b_1x1~0.1=128
Mixed_4d: C_0a_1x1=160 | C_0a_1x1~0.09=128 C_0b_3x3=160 |
    C_0a_1x1~0.09=128 C_0b_3x3=160 C_0c_3x3=160 | A_0a_3x3 C_0b_1x1~0.1=96
Mixed_4e: C_0a_1x1=96 | C_0a_1x1~0.09=128 C_0b_3x3=192 |
    C_0a_1x1~0.09=160 C_0b_3x3=192 C_0c_3x3=192 | A_0a_3x3 C_0b_1x1~0.1=96
Mixed_5a: C_0a_1x1~0.09=128 C_1a_3x3/2=192 | C_0a_1x1~0.09=192 C_0b_3x3=256 C_1a_3x3/2=256 |
    M_1a_3x3/2
Mixed_5b: C_0a_1x1=352 | C_0a_1x1~0.09=192 C_0b_3x3=320 |
    C_0a_1x1~0.09=160 C_0b_3x3=224 C_0c_3x3=224 | A_0a_3x3 C_0b_1x1~0.1=128
Mixed_5c: C_0a_1x1=352 | C_0a_1x1~0.09=192 C_0b_3x3=320 |
    C_0a_1x1~0.09=192 C_0b_3x3=224 C_0c_3x3=224 | M_0a_3x3 C_0b_1x1~0.1=128
""",
    "InceptionV3": """
C_1a_3x3/2v=32
C_2a_3x3v=32
C_2b_3x3=64
M_3a_3x3/2v
C_3b_1x1v=80
C_4a_3x3v=192
M_5a_3x3/2v
Mixed_5b: C_0a_1x1=64 | C_0a_1x1=48 C_0b_5x5=64 | C_0a_1x1=64 C_0b_3x3=96 C_0c_3x3=96 |
    A_0a_3x3 C_0b_1x1=32
Mixed_5c: C_0a_1x1=64 | C_0b_1x1=48 Conv_1_0c_5x5=64 | C_0a_1x1=64 C_0b_3x3=96 C_0c_3x3=96 |
    A_0a_3x3 C_0b_1x1=64
Mixed_5d: C_0a_1x1=64 | C_0a_1x1=48 C_0b_5x5=64 | C_0a_1x1=64 C_0b_3x3=96 C_0c_3x3=96 |
    A_0a_3x3 C_0b_1x1=64
Mixed_6a: C_1a_1x1@3/2v=384 | C_0a_1x1=64 C_0b_3x3=96 C_1a_1x1@3/2v=96 | M_1a_3x3/2v
Mixed_6b: C_0a_1x1=192 | C_0a_1x1=128 C_0b_1x7=128 C_0c_7x1=192 |
    C_0a_1x1=128 C_0b_7x1=128 C_0c_1x7=128 C_0d_7x1=128 C_0e_1x7=192 | A_0a_3x3 C_0b_1x1=192
Mixed_6c: C_0a_1x1=192 | C_0a_1x1=160 C_0b_1x7=160 C_0c_7x1=192 |
    C_0a_1x1=160 C_0b_7x1=160 C_0c_1x7=160 C_0d_7x1=160 C_0e_1x7=192 | A_0a_3x3 C_0b_1x1=192
Mixed_6d: C_0a_1x1=192 | C_0a_1x1=160 C_0b_1x7=160 C_0c_7x1=192 |
    C_0a_1x1=160 C_0b_7x1=160 C_0c_1x7=160 C_0d_7x1=160 C_0e_1x7=192 | A_0a_3x3 C_0b_1x1=192
Mixed_6e: C_0a_1x1=192 | C_0a_1x1=192 C_0b_1x7=192 C_0c_7x1=192 |
    C_0a_1x1=192 C_0b_7x1=192 C_0c_1x7=192 C_0d_7x1=192 C_0e_1x7=192 | A_0a_3x3 C_0b_1x1=192
Mixed_7a: C_0a_1x1=192 C_1a_3x3/2v=320 | C_0a_1x1=192 C_0b_1x7=192 C_0c_7x1=192 C_1a_3x3/2v=192 |
    M_1a_3x3/2v
Mixed_7b: C_0a_1x1=320 | C_0a_1x1=384 C_0b_1x3=384+C_0b_3x1=384 |
    C_0a_1x1=448 C_0b_3x3=384 C_0c_1x3=384+C_0d_3x1=384 | A_0a_3x3 C_0b_1x1=192
Mixed_7c: C_0a_1x1=320 | C_0a_1x1=384 C_0b_1x3=384+C_0c_3x1=384 |
    C_0a_1x1=448 C_0b_3x3=384 C_0c_1x3=384+C_0d_3x1=384 | A_0a_3x3 C_0b_1x1=192
""",
}
