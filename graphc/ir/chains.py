"""How many terms of a sum are added one after another.

Rounding grows with the length of such a chain: equal terms, whose roundings all go the same way,
err by up to 20 eps in 256 (measured; 32 in 512), which is what the tolerance rule gives 256 terms.
"""

__all__ = ["KC"]

#: Terms of a product that are added one after another before they join the sum of the others.
KC = 256
