"""Colours of all pictures: Okabe and Ito's palette, told apart by colour-blind readers.

Apart from `figures`, so that small pictures need no plotting library and no edit of a plot redraws
them.
"""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LESION, BRAIN, ATLAS = "#D55E00", "#56B4E9", "#F0E442"
