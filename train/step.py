"""One training step, and everything of a run that changes with it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from ritm_edge.model.ritm import ModelOutput, RitmModel

from .adaptive_iou import AdaptiveIoU
from .config import LossSettings, TrainConfig
from .cuda_graphs import Repeated, Values
from .dataset import Sample
from .depthwise import use_fast_depthwise
from .device_batches import BatchMaker, on_device
from .device_clicks import add_next_clicks
from .distributed import DistributedContext
from .iterative import simulate_corrections, start_from_damaged_masks
from .joint_layers import join_layers
from .losses import LOSSES, binary_cross_entropy
from .optimiser import make_optimiser, run_as, set_rate

Watch = Callable[[str], AbstractContextManager[None]]
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Below this scale float16 gradients still overflow: the run has diverged, it is not the format.
SMALLEST_SCALE = 1.0


@dataclass(frozen=True)
class StepResult:
    """What one step showed; the tensors are this process's part of the batch.

    Attributes:
        values: float64 [4] on the device: loss (mean over the joint batch), IoU of the joint batch
            (see `AdaptiveIoU`), norm of the gradient (over all parameters, before clipping), and 1,
            or 0 where this step or one before it had a loss or gradient that is not finite; then
            no parameter has changed since.
        learning_rate: of the group at the full rate.
        batch: image, labels and first clicks.
        clicks: [B, 2K, 3], with the simulated corrections.
        prev_mask: [B, 1, H, W], probabilities that the network was shown.
        logits: [B, 1, H, W].
    """

    values: Tensor
    learning_rate: float
    batch: Sample
    clicks: Tensor
    prev_mask: Tensor
    logits: Tensor


class Trainer:
    """The network, its optimiser and what else a checkpoint keeps.

    Args:
        model: moved to the team's device and trained in place.
        config: what to train.
        team: the processes of the run; every step needs all of them.

    Attributes:
        model: the network itself, whatever it is wrapped in.
        iou: the running IoU.
        maker: of batches from plans.
        makes_batches: whether crops and clicks are made on the device, where `step` is given the
            plans of `PlanDataset`, and reads nothing back (fp16 reads the scale of its loss).
    """

    def __init__(self, model: RitmModel, config: TrainConfig, team: DistributedContext) -> None:
        self.config = config
        self.team = team
        self.makes_batches = on_device(config, team.device)
        self.maker = BatchMaker(config, team.device)
        run = config.run
        # channels_last changes no result beyond rounding.
        self._layout = torch.channels_last if run.channels_last else torch.contiguous_format
        self.model: RitmModel = model.to(team.device).to(memory_format=self._layout).train()  # type: ignore[call-overload]
        if team.device.type == "cpu":
            use_fast_depthwise(self.model)
        join_layers(self.model, rank=team.rank, size=team.size)
        captured = (
            run.cuda_graphs
            and self.makes_batches
            and team.device.type == "cuda"
            and team.size == 1
            and not run.compile
            and run.precision != "fp16"
        )
        self._computes = {"fused": self.makes_batches, "captured": captured}
        self.optimiser = make_optimiser(self.model, config.optimizer, **self._computes)
        self.iou = AdaptiveIoU(device=team.device)
        self._refused = torch.zeros((), dtype=torch.bool, device=team.device)
        self._scaler = torch.amp.GradScaler(team.device.type, enabled=run.precision == "fp16")
        self._average: AveragedModel | None = None
        if run.ema_decay:
            self._average = AveragedModel(self.model, use_buffers=True)
            # Asked for in every step: on the host a GPU need not be waited for.
            self._average.n_averaged = self._average.n_averaged.cpu()
        # One compilation for training and one for the corrections: their sizes never change.
        self._network: nn.Module = self.model
        if run.compile:
            self._network = torch.compile(self.model, dynamic=False)  # type: ignore[assignment]
        self._joint: nn.Module = self._network
        if team.size > 1:
            ids = [team.device] if team.device.type == "cuda" else None
            # Joint batch norms keep the buffers equal on all processes.
            self._joint = DistributedDataParallel(
                self._network, device_ids=ids, forward_sync_buffers=False
            )
        pool = torch.cuda.graph_pool_handle() if captured else None
        self._predict = Repeated({"network": self._probabilities}, ("probabilities",), pool)
        self._add_clicks = Repeated({"clicks": self._next_clicks}, ("clicks",), pool)
        parts = {"forward": self._forward, "backward": self._backward, "optimiser": self._optimise}
        self._learn = Repeated(parts, ("values", "logits"), pool)
        # The number of each correction, where a graph can read it.
        self._orders = torch.arange(config.iterative.max_iterations + 1, device=team.device)

    @property
    def shipped_model(self) -> RitmModel:
        """The weights to validate and to ship: the averaged ones where there are any."""
        if self._average is None:
            return self.model
        averaged: RitmModel = self._average.module  # type: ignore[assignment]
        return averaged

    def step(
        self,
        batch: Sample,
        *,
        step: int,
        rate: float,
        watch: Watch = lambda _: nullcontext(),
    ) -> StepResult:
        """Simulated corrections without gradients, then one optimiser step at the learning rate
        `rate`, after `step` others. `batch` is this process's part of the joint batch, in the order
        of ranks, or its plan; everything random is decided by (seed, step) and the sample's place
        in the joint batch.

        `watch` times the phases "batch", "corrections", within these "network" (its forwards) and,
        on the device path, "clicks", then "forward", "backward" and "optimiser".
        """
        with watch("batch"):
            if self.makes_batches:
                batch = self.maker(batch)
            batch = {name: value.to(self.team.device) for name, value in batch.items()}
            image = batch["image"].to(memory_format=self._layout)
            labels = batch["labels"]
        with watch("corrections"):
            clicks, prev_mask = self._correct(batch, image, step, watch)
        set_rate(self.optimiser, rate)
        given = {"image": image, "labels": labels, "clicks": clicks, "prev_mask": prev_mask}
        learned = self._learn(given, watch)
        return StepResult(
            values=learned["values"],
            learning_rate=rate,
            batch=batch,
            clicks=clicks,
            prev_mask=prev_mask,
            logits=learned["logits"],
        )

    def _forward(self, values: Values) -> None:
        given = (values[name] for name in ("image", "clicks", "prev_mask"))
        output = self._segment(self._joint, *given)
        values["loss"] = total_loss(output, values["labels"], self.config.loss)
        values["logits"] = output.mask_logits.detach()

    def _backward(self, values: Values) -> None:
        self.optimiser.zero_grad()
        self._scaler.scale(values["loss"]).backward()
        values["loss"] = values["loss"].detach()

    def _optimise(self, values: Values) -> None:
        joint_loss, iou = self._share_result(values["loss"], values["logits"], values["labels"])
        norm = self._clip()
        finite = joint_loss.isfinite() & (norm.isfinite() | self._may_overflow)
        # Once refused, always: the weights do not change until the values are read.
        self._refused |= ~finite
        if self.makes_batches and not self._scaler.is_enabled():
            self.optimiser.found_inf = self._refused.float()  # type: ignore[attr-defined]
            self._take_step()
        elif not self._refused:
            self._take_step()
        shown = (joint_loss, iou, norm.double(), (~self._refused).double())
        values["values"] = torch.stack(shown)

    def _take_step(self) -> None:
        self._scaler.step(self.optimiser)
        self._scaler.update()
        if self._average is not None:
            self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """An exponential mean, one launch for all parameters; the first step is copied. The count
        only tells these apart: a step that is replayed is not counted."""
        assert self._average is not None
        decay = self.config.run.ema_decay if self._average.n_averaged else 0.0
        module = self._average.module
        averages = [*module.parameters(), *module.buffers()]
        values = [*self.model.parameters(), *self.model.buffers()]
        for floating in (True, False):
            mine = [each for each in averages if each.is_floating_point() is floating]
            new = [each for each in values if each.is_floating_point() is floating]
            if floating:
                torch._foreach_lerp_(mine, new, 1 - decay)
            elif new:
                torch._foreach_copy_(mine, new)
        self._average.n_averaged += 1

    def _correct(
        self, batch: Sample, image: Tensor, step: int, watch: Watch
    ) -> tuple[Tensor, Tensor]:
        seed, settings = self.config.run.seed, self.config.iterative
        rng = np.random.default_rng((seed, 1, step))
        # Dropout; every process draws the joint batch's noise.
        torch.manual_seed(int(rng.integers(2**31)))
        iterations = int(rng.integers(settings.max_iterations + 1))
        first = self.team.rank * len(image)
        rngs: list[np.random.Generator] = []
        clicks, start, add_clicks = batch["clicks"], batch.get("prev_mask"), None
        if self.makes_batches:
            add_clicks = self._correct_here(step, iterations, len(image), watch)
        else:
            rngs = [np.random.default_rng((seed, 2, step, first + i)) for i in range(len(image))]
            chance = settings.damaged_start_probability
            clicks, start = start_from_damaged_masks(
                batch["labels"], clicks, probability=chance, rngs=rngs
            )

        def predict(image: Tensor, clicks: Tensor, prev_mask: Tensor) -> Tensor:
            given = {"image": image, "clicks": clicks, "prev_mask": prev_mask}
            return self._predict(given, watch)["probabilities"]

        with torch.no_grad():
            return simulate_corrections(
                predict,
                image,
                batch["labels"],
                clicks,
                iterations=iterations,
                rngs=rngs,
                prev_mask=start,
                settings=settings,
                add_clicks=add_clicks,
            )

    def _probabilities(self, values: Values) -> None:
        self.model.eval()
        given = (values[name] for name in ("image", "clicks", "prev_mask"))
        output = self._segment(self._network, *given)
        values["probabilities"] = torch.sigmoid(output.mask_logits)
        self.model.train()

    def _correct_here(
        self, step: int, iterations: int, count: int, watch: Watch
    ) -> Callable[..., Tensor]:
        """`device_clicks.add_next_clicks` with the chances of this process's `count` samples."""
        rng = np.random.default_rng((self.config.run.seed, 2, step))
        joint = rng.random((iterations, count * self.team.size, 2))
        own = torch.from_numpy(joint[:, self.team.rank * count :][:, :count].copy())
        own = own.to(self.team.device, non_blocking=True)

        def add_clicks(
            labels: Tensor, probabilities: Tensor, clicks: Tensor, *, order: int
        ) -> Tensor:
            given = {"labels": labels, "probabilities": probabilities, "clicks": clicks}
            given |= {"order": self._orders[order], "chances": own[order - 1]}
            return self._add_clicks(given, watch)["clicks"]

        return add_clicks

    def _next_clicks(self, values: Values) -> None:
        names = ("labels", "probabilities", "clicks")
        values["clicks"] = add_next_clicks(
            *(values[name] for name in names),
            order=values["order"],
            chances=values["chances"],
            settings=self.config.iterative,
        )

    def _segment(
        self, network: nn.Module, image: Tensor, clicks: Tensor, prev_mask: Tensor
    ) -> ModelOutput:
        """Logits in float32; a model without a previous-mask input is not given any."""
        precision = PRECISIONS.get(self.config.run.precision)
        given = prev_mask if self.model.config.prev_mask else None
        with torch.autocast(self.team.device.type, precision, enabled=precision is not None):
            output = network(image, clicks, given)
        return ModelOutput(*map(_at_least_float32, output))

    def _share_result(self, loss: Tensor, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and IoU of the joint batch, float64 []."""
        counts = self.iou.count(logits, labels)
        total = self.team.sum(torch.cat((loss.detach().double().view(1), counts)))
        return total[0] / self.team.size, self.iou.update(total[1:])

    def _clip(self) -> Tensor:
        """Norm of the gradient; beyond the limit, if there is one, it is made shorter."""
        self._scaler.unscale_(self.optimiser)
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.config.run.grad_clip:
            nn.utils.clip_grads_with_norm_(parameters, self.config.run.grad_clip, norm)
        return norm

    @property
    def _may_overflow(self) -> bool:
        """Whether the scaler can still make float16 gradients smaller (it skips such a step)."""
        return self._scaler.is_enabled() and self._scaler.get_scale() >= SMALLEST_SCALE

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors that, with the weights, continue the run."""
        optimiser = self.optimiser.state_dict()
        groups = [{**group, "lr": float(group["lr"])} for group in optimiser["param_groups"]]
        return {
            "optimiser": {**optimiser, "param_groups": groups},
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "iou": self.iou.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`; the weights are loaded into the model by the caller. Raises
        KeyError, TypeError, ValueError, RuntimeError, AttributeError: it is another run's."""
        # Rates and the like are those of the settings, whatever the checkpoint says.
        own = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({**state["optimiser"], "param_groups": own})
        run_as(self.optimiser, **self._computes)
        if self._scaler.is_enabled():
            self._scaler.load_state_dict({**self._scaler.state_dict(), **state["scaler"]})
        self.iou.load_state_dict(state["iou"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])


def total_loss(output: ModelOutput, labels: Tensor, settings: LossSettings) -> Tensor:
    """Batch mean of the chosen loss plus the weighted auxiliary cross-entropy (section 3.4), of
    logits [B, 1, H, W] and labels of that shape (1 object, 0 background, −1 ignore); without
    auxiliary logits there is no second part."""
    focal = settings.kind in ("nfl", "focal")
    options = {"alpha": settings.alpha, "gamma": settings.gamma} if focal else {}
    loss = LOSSES[settings.kind](output.mask_logits, labels, **options).mean()
    if output.aux_logits is None or not settings.aux_weight:
        return loss
    return loss + settings.aux_weight * binary_cross_entropy(output.aux_logits, labels).mean()


def _at_least_float32(values: Any) -> Any:
    """Logits for the loss; a model without auxiliary logits has None there."""
    is_half = values is not None and values.dtype in PRECISIONS.values()
    return values.float() if is_half else values
