"""SparK: an encoder that sees some patches of a slice, and a decoder that paints in the others.

Tian et al. (2023), "Designing BERT for Convolutional Networks", in the form of the cDDPM's released
code. The encoder runs as a sparse network (`Encoder.pyramid`). From coarse to fine, the output of
each of its stages is normalised, hidden positions are filled with a learned token, and a projection
of that is added to what the decoder has doubled in size so far.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from uad.models.networks.encoder import EXPANSION, BatchNorm, Encoder, enlarge


class SparK(nn.Module):
    """Slices of which patches are hidden -> whole slices.

    Parameters
    ----------
    width, blocks, drop_path
        Of the encoder; `width` a multiple of four. Its last stage has n channels, and the decoder
        n / 4, half of that after each doubling.
    decoder_weights : {"reference", "torch"}
        How the decoder starts (`initialise`), or as torch draws it. The projections start as torch
        draws them in either way.
    """

    def __init__(
        self,
        width: int,
        blocks: Sequence[int],
        drop_path: float,
        decoder_weights: str = "reference",
    ):
        super().__init__()
        self.encoder = Encoder(width, blocks, None, drop_path)
        from_coarse = self.encoder.widths[::-1]
        widths = [from_coarse[0] // EXPANSION // 2**i for i in range(len(blocks) + 2)]
        self.norms = nn.ModuleList(BatchNorm(c) for c in from_coarse)
        self.tokens = nn.ParameterList(
            nn.init.trunc_normal_(torch.empty(1, c, 1, 1), std=0.02) for c in from_coarse
        )
        self.projections = nn.ModuleList(
            nn.Conv2d(c, w, 1 if i == 0 else 3, padding=0 if i == 0 else 1)
            for i, (c, w) in enumerate(zip(from_coarse, widths))
        )
        self.decoder = nn.ModuleList(_double(c, w) for c, w in pairwise(widths))
        self.conv_out = nn.Conv2d(widths[-1], 1, 1)
        if decoder_weights == "reference":
            for part in (self.decoder, self.conv_out):
                initialise(part)

    def forward(
        self, x: torch.Tensor, visible: torch.Tensor, kept: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Paint in the hidden patches.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W)
        visible : Tensor of bool, shape (B, H / stride, W / stride)
        kept : Tensor, optional
            From `Encoder.draw_kept` in training.

        Returns
        -------
        Tensor, shape (B, 1, H, W)
        """
        stages = self.encoder.pyramid(x * enlarge(visible, x)[:, None], kept, visible)
        h = 0
        for i, double in enumerate(self.decoder):
            if i < len(stages):  # the last doubling, to full resolution, has no stage
                h = h + self._densify(i, stages[-1 - i], visible)
            h = double(h)  # (B, C, h, w) -> (B, C / 2, 2 h, 2 w)
        return self.conv_out(h)  # (B, 1, H, W)

    def _densify(self, i, x, visible):
        """Fill the hidden positions of a stage's output, and project it to the decoder's width."""
        seen = self.norms[i](x, visible)
        return self.projections[i](
            torch.where(enlarge(visible, x)[:, None], seen, self.tokens[i].to(seen.dtype))
        )


def initialise(decoder: nn.Module) -> None:
    """Initial weights of the reference's decoder; biases start at zero."""
    for module in decoder.modules():
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _double(c_in, c_out):
    """Twice the size, then two convolutions."""
    return nn.Sequential(
        nn.ConvTranspose2d(c_in, c_in, 4, stride=2, padding=1),
        nn.Conv2d(c_in, c_in, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_in),
        nn.ReLU6(inplace=True),
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
    )
