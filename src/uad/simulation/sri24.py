"""The SRI24 atlas as BraTS ships it, and where the phantom sits in it. Standard library only."""

# 240 x 240 x 155 voxels of 1 mm, axes L, P, S.
SHAPE = (240, 240, 155)
AFFINE = ((-1.0, 0, 0, 0), (0, -1, 0, 239), (0, 0, 1, 0), (0, 0, 0, 1))
# The phantom (MNI152, a rather large brain) is scaled and centred.
SCALE = 0.93
FROM_MNI = ((SCALE, 0, 0, -119.5), (0, SCALE, 0, 136.0), (0, 0, SCALE, 66.0), (0, 0, 0, 1))
