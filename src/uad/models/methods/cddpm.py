"""cDDPM: a diffusion model guided by features of the input (Behrendt et al. 2023b).

Stage I of SADM (Sec. 3.1). A slice is noised once and predicted clean in one call of a U-Net that
also sees a feature vector of the clean slice; encoder and U-Net are trained together on healthy
slices with an L1 loss (eq. 1). At test time the reconstructions from several noise levels are
averaged and compared with the input by structural similarity. Noising, loss and reconstruction are
those of `ddpm`.

Differs from the paper: App. B names two learning rates (1e-4 in B.1, 1e-5 in B.2); 1e-4 is used, as
in every released configuration.
"""

from dataclasses import dataclass

from torch import nn

from uad.base.settings import key
from uad.models.methods.ddpm import DDPM
from uad.models.networks.encoder import Encoder
from uad.models.networks.unet import UNet


@dataclass(frozen=True)
class Params:
    """Block `methods.cddpm`."""

    unet: dict
    encoder: dict
    steps: int
    test_levels: list = key("noise levels averaged at test time", test_time=True)
    noise: dict


class CDDPM(DDPM):
    """Denoiser and encoder with their diffusion process."""

    def denoise(self, x, t, eps, rng=None):
        """As in `DDPM`; the clean slices condition the prediction.

        `rng`, given in training only, is for the encoder's stochastic depth.
        """
        x_t = self.diffusion.q_sample(self.diffusion.scale(x), t, eps)
        encoder = self.network["encoder"]
        kept = None if rng is None else encoder.draw_kept(rng, len(x), x.device)
        return self.network["unet"](x_t, t, encoder(x, kept))

    def load_pretrained(self, weights):
        """Take the encoder of a SparK model, all but the head, which SparK does not have."""
        encoder, prefix = self.network["encoder"], "encoder."
        head = {k: v for k, v in encoder.state_dict().items() if k.startswith("fc.")}
        taken = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        encoder.load_state_dict({**head, **taken})


def build(params, upstream=None):
    """See `uad.models.methods`."""
    networks = {
        "unet": UNet(**params.unet, condition=params.encoder["features"]),
        "encoder": Encoder(**params.encoder),
    }
    return CDDPM(params, nn.ModuleDict(networks))
