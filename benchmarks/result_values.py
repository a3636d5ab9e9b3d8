"""What all readers of results files share: strict values, and where they were measured."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[float, Field(ge=0)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Side = Annotated[int, Field(ge=1, le=100_000)]


class Values(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class Machine(Values):
    """See `machine.describe_machine`."""

    cpu: str | None = None
    usable_cores: Count | None = None
    memory_bytes: Count | None = None
    os: str | None = None


class Measured(Values):
    machine: Machine = Machine()
    versions: dict[str, str] = Field(default_factory=dict)
