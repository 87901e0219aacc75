"""Which of Amazon's product types a product set is listed under."""

from __future__ import annotations

GROCERY = "GROCERY"
ALCOHOL = {14, 15}
# Food and drink; a narrower type asks for attributes that no record here holds.
PRODUCT_TYPES: dict[int, str] = dict.fromkeys((*range(1, 14), 16, 17), GROCERY)
