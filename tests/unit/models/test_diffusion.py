"""The schedule against its closed form and the specification; noising and scaling."""

import numpy as np
import pytest
import torch

from uad.models.diffusion import Diffusion, cosine_alphas_cumprod


def test_alphas_cumprod_have_the_specified_values():
    alphas = cosine_alphas_cumprod(1000)
    expected = {0: 0.9999587158, 249: 0.8470121613, 499: 0.4938435904, 749: 0.1442721024}
    for index, value in expected.items():
        assert alphas[index] == pytest.approx(value, abs=1e-10)
    assert alphas[999] == pytest.approx(2.43e-9, rel=1e-2)


def test_alphas_cumprod_follow_the_closed_form_until_beta_is_clipped():
    time = (np.arange(1, 1001) / 1000 + 0.008) / 1.008
    closed = np.cos(time * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(cosine_alphas_cumprod(1000)[:998], closed[:998], rtol=1e-9)


@pytest.mark.parametrize(
    ("t", "signal", "noise"),
    [(249, 0.92033, 0.39114), (499, 0.70274, 0.71145), (749, 0.37983, 0.92506)],
)
def test_q_sample_mixes_signal_and_noise(t, signal, noise):
    x, eps = torch.tensor([[[[2.0]]]]), torch.tensor([[3.0]])
    mixed = Diffusion(1000).q_sample(x, torch.tensor([t]), eps)
    assert mixed.item() == pytest.approx(2 * signal + 3 * noise, abs=1e-4)


def test_scale_and_unscale_are_inverse_and_do_not_clip():
    x = torch.tensor([-0.1, 0.0, 0.5, 1.0, 1.2])
    assert Diffusion.scale(x).tolist() == pytest.approx([-1.2, -1, 0, 1, 1.4])
    torch.testing.assert_close(Diffusion.unscale(Diffusion.scale(x)), x)


def test_drawn_timesteps_cover_the_schedule(rng):
    drawn = Diffusion(10).draw_t(rng, 1000, "cpu")
    assert sorted(drawn.unique().tolist()) == list(range(10))
