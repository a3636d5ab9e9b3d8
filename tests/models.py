"""Small models for tests, with weights that make outputs span the whole range."""

import torch
from torch import nn

from ritm_edge.model.efficientnet_lite import LiteConfig
from ritm_edge.model.hrnet import HRNetConfig
from ritm_edge.model.layers import AbsoluteScale
from ritm_edge.model.ritm import ModelConfig, RitmModel

# Same topology as HRNet-18s with a quarter of the channels: converts in seconds.
TINY = HRNetConfig(width=4, ocr_width=8, blocks=1, stage_modules=(1, 1, 1))
# Topology of EfficientNet-Lite0 with a block a stage and few channels.
TINY_LITE = LiteConfig(
    (
        (1, 3, 1, 1, 8),
        (1, 3, 2, 2, 8),
        (1, 5, 2, 2, 12),
        (2, 3, 2, 2, 12),
        (1, 5, 1, 2, 16),
        (1, 5, 2, 2, 16),
        (1, 3, 1, 2, 24),
    )
)


def tiny_model(
    seed: int = 0, *, prev_mask: bool = True, lite: bool = False, **options: str
) -> RitmModel:
    """A small HRNet or EfficientNet-Lite in eval mode whose probabilities reach from near 0 to
    near 1; `options` are those of `ModelConfig`."""
    generator = torch.Generator().manual_seed(seed)
    name, network = ("lite0", TINY_LITE) if lite else ("hrnet18s", TINY)
    config = ModelConfig(name, prev_mask=prev_mask, **options)  # type: ignore[arg-type]
    model = RitmModel(config, network).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.uniform_(-0.1, 0.1, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            channels = module.num_features
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.data.uniform_(-0.1, 0.1, generator=generator)
            module.running_var.data = 0.8 + 0.4 * torch.rand(channels, generator=generator)
            module.weight.data = 0.8 + 0.4 * torch.rand(channels, generator=generator)
            module.bias.data.uniform_(-0.1, 0.1, generator=generator)
        elif isinstance(module, AbsoluteScale):
            module.scale.data.fill_(-1.0)
    spread_outputs(model)
    return model


def spread_outputs(model: RitmModel) -> None:
    """Shift and scale the last layer so that logits have mean 0 and standard deviation 3."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand((1, 3, 96, 128), generator=generator)
    clicks = torch.tensor([[[40.0, 60.0, 0.0], [70.0, 20.0, 1.0]]])
    with torch.no_grad():
        logits = model(image, clicks).mask_logits
        network = model.feature_extractor
        decoder = getattr(network, "decoder", None)
        head = network.cls_head if decoder is None else decoder.logits
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        gain = 3.0 / logits.std()
        head.weight.mul_(gain)
        head.bias.copy_(gain * (head.bias - logits.mean()))
