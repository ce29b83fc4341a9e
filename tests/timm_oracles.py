"""timm's networks as oracles, without torchvision.

timm imports torchvision for what it does to images. PyPI's build of that does not load beside a
CPU build of torch, so it is not installed; networks do not use it.
"""

import sys
from unittest import mock

_UNUSED = [
    f"torchvision{part}"
    for part in ("", ".datasets", ".ops", ".ops.misc", ".transforms", ".transforms.functional")
]
_absent = [name for name in _UNUSED if name not in sys.modules]
sys.modules.update({name: mock.MagicMock() for name in _absent})
from timm.models import resnet, vision_transformer  # noqa: E402

for _name in _absent:
    del sys.modules[_name]

__all__ = ["resnet", "vision_transformer"]
