"""Every setting of a training run, in sections; the defaults are those of the paper."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ritm_edge.errors import UsageError
from ritm_edge.model.published_config import MAX_RADIUS
from ritm_edge.model.ritm import Encoding, InputScheme
from ritm_edge.untrusted_json import MOST

from .settings import settings

SMALLEST_CROP, LARGEST_CROP = 32, 8192


def _split(value: Any, separator: str = ",") -> Any:
    if _text(value):
        return [part.strip() for part in value.split(separator) if part.strip()]
    return tuple(value) if isinstance(value, list) else value  # JSON has no tuples


def _split_size(value: Any) -> Any:
    return _split(value.lower().replace("×", "x") if _text(value) else value, "x")


def _split_mapping(value: Any) -> Any:
    return dict(part.rpartition(":")[::2] for part in _split(value)) if _text(value) else value


def _require_sum_of_one(name: str, chances: tuple[float, ...]) -> None:
    if abs(sum(chances) - 1) > 1e-6:
        raise UsageError(f"{name} sum to {sum(chances):g}: let them sum to 1.")


def _text(value: Any) -> bool:
    return isinstance(value, str)


Count = Annotated[int, Field(ge=0, le=MOST)]
Slots = Annotated[int, Field(ge=1, le=1000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = Annotated[tuple[Finite, Finite], BeforeValidator(_split)]
Side = Annotated[int, Field(ge=SMALLEST_CROP, le=LARGEST_CROP)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_split_size)]
Chances = Annotated[tuple[Share, Share, Share], BeforeValidator(_split)]
Weights = Annotated[Mapping[str, NotNegative], BeforeValidator(_split_mapping)]


@settings
class ModelSettings:
    """What `build_model` is given.

    Attributes:
        name, input_scheme, encoding, radius, prev_mask: see `ModelConfig`.
    """

    name: str = "hrnet18s"
    input_scheme: InputScheme = "conv1s"
    encoding: Encoding = "disk"
    radius: Annotated[Positive, Field(le=MAX_RADIUS)] = 5.0
    prev_mask: bool = True


@settings
class DataSettings:
    """What is trained on, and how samples are drawn from it.

    Attributes:
        datasets: names of readers; their photos are joined.
        batch_size: samples per step over all processes; at least 2, since two batch norms see
            one value per sample.
        epoch_samples: samples of an epoch, drawn with replacement; 0 visits each photo once, in
            a random order.
        set_weights: relative chance of each set ("SET/masks" of the folder layout); sets that
            are not named are drawn in proportion to their number of photos. Makes every draw
            one with replacement.
        area_power: an object is chosen among those of its photo with a chance in proportion to
            this power of its area (object_crops, windows); 0 makes them equally likely.
        min_object_pixels: smaller objects, in the crop, are not trained on.
        merge_probability: chance that two objects of a photo become one target.
        stuff_probability: chance that a sample offers the photo's stuff regions as objects.
        cache: where all photos are kept, decoded: nowhere, in the memory of the host, or on the
            device that trains (which needs `run.batches` there).
    """

    datasets: Annotated[tuple[str, ...], BeforeValidator(_split), Field(min_length=1)] = ("folder",)
    batch_size: Annotated[int, Field(ge=2, le=1 << 16)] = 32
    epoch_samples: Count = 0
    set_weights: Weights = field(default_factory=dict)
    area_power: NotNegative = 0.0
    min_object_pixels: Count = 1000
    merge_probability: Share = 0.15
    stuff_probability: Share = 0.30
    cache: Literal["none", "memory", "device"] = "none"


@settings
class AugmentationSettings:
    """How a photo becomes a crop.

    Attributes:
        kind: "published" rescales the photo and cuts a random window; "object_crops" cuts a
            window around the object as zoom-in does; "windows" mixes whole photos, parts and
            windows around objects, and loss and clicks ignore what lies outside of the photo.
        crop: (height, width) in pixels; multiples of 32 keep every HRNet branch whole.
        scale: smallest and largest rescaling (published).
        horizontal_flip, vertical_flip: chance of each mirroring.
        quarter_turns: rotate by a random multiple of 90 degrees (published).
        shift: largest shift, as a share of the crop (published).
        rotate: largest rotation, degrees (published, windows).
        warp_probability: chance that `shift` and `rotate` are applied at all.
        brightness: added, as a share of 255.
        contrast: factor − 1.
        channel_shift: largest value added to each channel, of 255.
        colour_probability: chance of brightness with contrast, and of the channel shift.
        empty_crop_probability: chance that a crop without an object is kept, per attempt
            (published).
        object_crop_probability: share of crops cut around the object (object_crops).
        window_shares: chances of a whole photo, of a part of it, of a window around the object
            (windows); their sum is 1.
    """

    kind: Literal["published", "object_crops", "windows"] = "published"
    crop: Size = (320, 480)
    scale: Annotated[tuple[Positive, Positive], BeforeValidator(_split)] = (0.75, 1.40)
    horizontal_flip: Share = 0.5
    vertical_flip: Share = 0.0
    quarter_turns: bool = False
    shift: Share = 0.0
    rotate: NotNegative = 0.0
    warp_probability: Share = 0.75
    brightness: Range = (-0.25, 0.25)
    contrast: Range = (-0.15, 0.40)
    channel_shift: NotNegative = 10.0
    colour_probability: Share = 0.75
    empty_crop_probability: Share = 0.05
    object_crop_probability: Share = 0.5
    window_shares: Chances = (0.4, 0.2, 0.4)

    def __post_init__(self) -> None:
        _require_sum_of_one("window_shares", self.window_shares)


@settings
class ClickSettings:
    """The clicks before any simulated correction (section 3.2).

    Attributes:
        max_clicks: K, slots per sign.
        decay: each count of clicks is this times as likely as the one before.
        single_click_probability: share of samples with exactly one positive click and no
            negative one.
        erode_probability: chance that positive clicks avoid the object's rim.
        positive_places: chances that a single positive click falls anywhere on the object (see
            `erode_probability`), on pixels deeper than half of its greatest depth, on its deepest
            pixel, where the simulated user of the evaluation clicks; their sum is 1.
        negative_places: chances that a negative click falls on the background, on another
            object, on the ring around the object; their sum is 1.
        ring_width: of that ring, as a share of the square root of the object's area.
    """

    max_clicks: Slots = 24
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    single_click_probability: Share = 0.0
    erode_probability: Share = 0.9
    positive_places: Chances = (1.0, 0.0, 0.0)
    negative_places: Chances = (0.1, 0.4, 0.5)
    ring_width: Positive = 0.1

    def __post_init__(self) -> None:
        _require_sum_of_one("positive_places", self.positive_places)
        _require_sum_of_one("negative_places", self.negative_places)


@settings
class IterativeSettings:
    """Simulated corrections before the step (section 3.2).

    Attributes:
        max_iterations: a batch gets 0 to this many, uniformly.
        use_prev_mask: the network sees its previous output (section 3.3).
        damaged_start_probability: share of samples that start with one click and a damaged true
            mask as the previous one, as a mask from another tool is corrected.
        deepest_probability: chance that a correction falls on the deepest pixel of the error, and
            not on any that is deeper than half of its greatest depth.
        skip_ignored: no correction falls on ignored pixels; as published, they count as
            background.
    """

    max_iterations: Count = 3
    use_prev_mask: bool = True
    damaged_start_probability: Share = 0.0
    deepest_probability: Share = 0.0
    skip_ignored: bool = False

    def __post_init__(self) -> None:
        if self.damaged_start_probability and not self.use_prev_mask:
            raise UsageError("damaged_start_probability needs use_prev_mask: set it to true.")


@settings
class OptimizerSettings:
    """Adam.

    Attributes:
        kind: "adam", or "adamw", whose weight decay does not pass through the moments.
        lr: rate at the peak.
        betas: decay of the two moments.
        backbone_lr_multiplier: rate of the pre-trained part relative to `lr`.
        weight_decay: L2 penalty (adam), or the share of the rate by which weights shrink (adamw).
    """

    kind: Literal["adam", "adamw"] = "adam"
    lr: Positive = 5e-4
    betas: Annotated[tuple[Share, Share], BeforeValidator(_split)] = (0.9, 0.999)
    backbone_lr_multiplier: Share = 0.1
    weight_decay: NotNegative = 0.0


@settings
class ScheduleSettings:
    """How long, and at which rate.

    Attributes:
        epochs: passes over the data; ignored where `steps` is given.
        steps: optimiser steps of the whole run; 0 lets `epochs` decide.
        kind: "multistep" multiplies the rate by `gamma` at each milestone; "cosine" falls from
            the peak to `final_fraction` of it.
        warmup_steps: linear rise from 0 to the peak.
        milestones: epochs, fractions allowed (multistep).
        gamma: factor at each milestone (multistep).
        final_fraction: where the cosine ends.
    """

    epochs: Count = 55
    steps: Count = 0
    kind: Literal["multistep", "cosine"] = "multistep"
    warmup_steps: Count = 0
    milestones: Annotated[tuple[NotNegative, ...], BeforeValidator(_split)] = (50.0, 53.0)
    gamma: Share = 0.1
    final_fraction: Share = 0.02

    def __post_init__(self) -> None:
        if not self.steps and not self.epochs:
            raise UsageError("epochs and steps are both 0: give one of them.")


@settings
class LossSettings:
    """Loss of the mask and of the auxiliary output (section 3.4).

    Attributes:
        kind: normalised focal loss, binary cross-entropy, soft IoU or focal loss.
        alpha: weight of object pixels; background has 1 − alpha (nfl, focal).
        gamma: focusing exponent (nfl, focal).
        aux_weight: of the auxiliary binary cross-entropy.
    """

    kind: Literal["nfl", "bce", "soft_iou", "focal"] = "nfl"
    alpha: Share = 0.5
    gamma: NotNegative = 2.0
    aux_weight: NotNegative = 0.4


@settings
class RunSettings:
    """How the run is carried out.

    Attributes:
        seed: decides data order, augmentation and clicks.
        batches: where crops and clicks are made: "cpu" as published, to the pixel; "device" by
            the device that trains, from the same distributions, with exact distances; "auto" on
            the device where that is a GPU, except of object_crops.
        precision: of the network's arithmetic; weights stay float32.
        compile: let torch compile the network.
        cuda_graphs: let the GPU repeat its launches by itself; on one GPU that makes the batches,
            without `compile` and not in fp16. It takes some more of its memory.
        channels_last: memory layout of the images.
        grad_clip: largest norm of the gradient; 0 does not clip.
        ema_decay: of averaged weights, which are then validated and shipped; 0 keeps none.
        val_every: epochs between validations; 0 never validates.
        val_every_steps: optimiser steps between validations instead; 0 lets `val_every` decide.
        val_samples: of each benchmark, evenly spaced; 0 takes all.
        image_every: steps between image panels; 0 writes none.
    """

    seed: Count = 0
    batches: Literal["auto", "cpu", "device"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    cuda_graphs: bool = True
    channels_last: bool = True
    grad_clip: NotNegative = 0.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    val_every: Count = 1
    val_every_steps: Count = 0
    val_samples: Count = 0
    image_every: Count = 500


@settings
class TrainConfig:
    """Everything that decides a run; saved in every checkpoint and compared on resume. Raises
    UsageError: a value that cannot be trained with; the message names it."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    clicks: ClickSettings = field(default_factory=ClickSettings)
    iterative: IterativeSettings = field(default_factory=IterativeSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    run: RunSettings = field(default_factory=RunSettings)

    def __post_init__(self) -> None:
        if self.iterative.max_iterations > self.clicks.max_clicks:
            raise UsageError(
                f"iterative.max_iterations {self.iterative.max_iterations} does not fit into "
                f"{self.clicks.max_clicks} slots: raise clicks.max_clicks or lower it."
            )
        if self.iterative.use_prev_mask and not self.model.prev_mask:
            raise UsageError(
                "iterative.use_prev_mask is True but model.prev_mask is False: a model without "
                "that input cannot be given it; set both alike."
            )
        if self.run.batches == "device" and self.augmentation.kind == "object_crops":
            raise UsageError(
                "run.batches=device makes no crops of augmentation.kind=object_crops: choose auto "
                "or cpu."
            )
