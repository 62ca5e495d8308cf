"""Datasets of the elements of others: some of them, in another order, more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphc.data.arguments import int64_tensor, seed_tensors
from graphc.data.dataset import Dataset
from graphc.data.function import Context, Element, Function
from graphc.data.sources import FileCount
from graphc.data.streams import BLOCK, Chunk, Steps, Stream, flat, released
from graphc.data.structure import (
    DatasetSpec,
    TensorSpec,
    flatten,
    pack,
    same_structure,
    text_of,
)
from graphc.errors import InvalidArgumentError
from graphc.ir.build import current
from graphc.ir.dtypes import int64, string
from graphc.ops.convert import constant, convert_to_tensor

__all__ = [
    "CacheDataset",
    "ConcatenateDataset",
    "FilterDataset",
    "RepeatDataset",
    "SameDataset",
    "ShardDataset",
    "ShuffleDataset",
    "SkipDataset",
    "TakeDataset",
]


class SameDataset(Dataset):
    """The elements of its input; `arguments` are hints."""

    def __init__(self, source: Dataset, kind: str, **arguments: Any) -> None:
        tensors = [int64_tensor(x, name) for name, x in arguments.items()]
        if kind:
            current().reserve(kind)
        super().__init__(source._structure, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        return self._inputs[0]._open(context)


class CacheDataset(Dataset):
    _type = "CacheDataset"

    def __init__(self, source: Dataset, filename: Any) -> None:
        name = convert_to_tensor(filename, string, "filename")
        super().__init__(source._structure, (source,), [name])

    def _open(self, context: Context) -> Stream:
        name = text_of(context.value(self._tensors[0]))
        if name:
            from graphc.data.cache import cached

            return Stream(cached(name, self._specs, lambda: self._inputs[0]._open(context)))
        known = context.memory.get(self)
        if known is not None:
            return Stream(known)
        stream = self._inputs[0]._open(context)
        # rows of arrays are in memory already
        return stream if stream.columns else Stream(self._fill(stream, context))

    def _fill(self, stream: Stream, context: Context) -> Iterator[Element]:
        kept: list[Element] = []
        elements = iter(stream)

        def step() -> Element:
            for e in elements:
                kept.append(e)
                return e
            context.memory[self] = kept
            raise StopIteration

        return Steps(step)


# ------------------------------------------------------------------------- which elements


class _Picking(Dataset):
    """Some of the elements of its input, in another order or number: works on chunks."""

    def __init__(self, source: Dataset, **arguments: Any) -> None:
        tensors = [int64_tensor(x, name) for name, x in arguments.items()]
        super().__init__(source._structure, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        stream = self._inputs[0]._open(context)
        numbers = [context.number(t) for t in self._tensors]
        return Stream(chunks=self._pick(stream.chunks, *numbers), columns=stream.columns)

    def _pick(self, chunks: Iterator[Chunk], *numbers: int) -> Iterator[Chunk]:
        raise NotImplementedError


class TakeDataset(_Picking):
    _type = "TakeDataset"

    def __init__(self, source: Dataset, count: Any) -> None:
        super().__init__(source, count=count)

    def _pick(self, chunks: Iterator[Chunk], *numbers: int) -> Iterator[Chunk]:
        (left,) = numbers
        if left < 0:
            return chunks

        def step() -> Chunk:
            nonlocal left
            if left <= 0:
                raise StopIteration
            chunk = next(chunks)
            made, left = chunk[:left], left - len(chunk)
            return made

        return Steps(step)


class SkipDataset(_Picking):
    _type = "SkipDataset"

    def __init__(self, source: Dataset, count: Any) -> None:
        super().__init__(source, count=count)

    def _pick(self, chunks: Iterator[Chunk], *numbers: int) -> Iterator[Chunk]:
        (left,) = numbers
        if left < 0:
            return iter(())

        def step() -> Chunk:
            nonlocal left
            while True:
                chunk = next(chunks)
                made, left = chunk[left:], max(0, left - len(chunk))
                if len(made):
                    return made

        return Steps(step)


class ShardDataset(_Picking):
    _type = "ShardDataset"

    def __init__(self, source: Dataset, num_shards: Any, index: Any) -> None:
        super().__init__(source, num_shards=num_shards, index=index)

    def _pick(self, chunks: Iterator[Chunk], *numbers: int) -> Iterator[Chunk]:
        shards, index = numbers
        if shards < 1:
            raise InvalidArgumentError(
                None, None, f"Number of shards must be greater than zero (currently num_shards = "
                f"{shards}).",
            )  # fmt: skip
        if not 0 <= index < shards:
            raise InvalidArgumentError(
                None, None, f"Index must be between 0 and {shards - 1} (currently index = {index})."
            )
        seen = 0

        def step() -> Chunk:
            nonlocal seen
            while True:
                chunk = next(chunks)
                start, seen = (index - seen) % shards, seen + len(chunk)
                if start < len(chunk):
                    return chunk[start::shards]

        return Steps(step)


class RepeatDataset(Dataset):
    _type = "RepeatDataset"
    _fused = False

    def __init__(self, source: Dataset, count: Any) -> None:
        super().__init__(
            source._structure, (source,), [int64_tensor(-1 if count is None else count, "count")]
        )

    def _open(self, context: Context) -> Stream:
        count = context.number(self._tensors[0])
        source = self._inputs[0]
        fused = self._fused or context.root.optimized
        if fused and isinstance(source, ShuffleDataset) and source._reshuffle:
            return source._open_epochs(context, count)
        if count == 0:
            return Stream(())
        first = source._open(context)

        epoch, some = 0, False
        now = first.chunks

        def step() -> Chunk:
            nonlocal epoch, some, now
            while True:
                for c in now:
                    some = some or len(c) > 0
                    return c
                epoch += 1
                if epoch == count or (count < 0 and not some):
                    raise StopIteration
                now, some = source._open(context).chunks, False

        return Stream(chunks=Steps(step), columns=first.columns)


class ShuffleDataset(Dataset):
    _type = "ShuffleDataset"

    def __init__(self, source: Dataset, buffer_size: Any, seed: Any, reshuffle: Any) -> None:
        self._size = buffer_size if isinstance(buffer_size, FileCount) else None
        size = constant(0, int64, name="buffer_size") if self._size else int64_tensor(
            buffer_size, "buffer_size"
        )  # fmt: skip
        super().__init__(source._structure, (source,), [size, *seed_tensors(seed)])
        self._reshuffle = reshuffle is None or bool(reshuffle)

    def _buffer_size(self, context: Context) -> int:
        n = self._size.number(context) if self._size else context.number(self._tensors[0])
        if n < 1:
            raise InvalidArgumentError(None, None, "buffer_size must be greater than zero.")
        return n

    def _seeds(self, context: Context) -> tuple[int, int]:
        from graphc.ops import philox

        pair = context.number(self._tensors[1]), context.number(self._tensors[2])
        if pair != (0, 0):
            return pair
        known: tuple[int, int] | None = context.memory.get(self)
        if known is None:
            known = context.memory[self] = philox.fresh_seeds()
        return known

    def _open(self, context: Context) -> Stream:
        from graphc.data.shuffle import Draws, shuffle

        seeds = self._seeds(context)
        if self._reshuffle:
            epochs = context.memory.get((self, "epochs"))
            if epochs is None:
                epochs = context.memory[self, "epochs"] = Draws(*seeds)
            seeds = epochs(), epochs()
        stream = self._inputs[0]._open(context)
        block = BLOCK if stream.columns else 1
        sources = iter([stream.chunks])
        made = shuffle(sources, self._buffer_size(context), Draws(*seeds), block)
        return Stream(chunks=released(made), columns=stream.columns)

    def _open_epochs(self, context: Context, count: int) -> Stream:
        """Shuffled and repeated: TF1 fuses the two; the buffer then fills across epochs."""
        from graphc.data.shuffle import Draws, shuffle

        if count == 0:
            return Stream(())
        source = self._inputs[0]
        first = source._open(context)

        def epochs() -> Iterator[Iterator[Chunk]]:
            yield first.chunks
            done = 1
            while done != count:
                yield source._open(context).chunks
                done += 1

        block = BLOCK if first.columns else 1
        draws = Draws(*self._seeds(context))
        made = shuffle(epochs(), self._buffer_size(context), draws, block)
        return Stream(chunks=released(made), columns=first.columns)


class ConcatenateDataset(Dataset):
    _type = "ConcatenateDataset"

    def __init__(self, a: Dataset, b: Dataset) -> None:
        for what in ("output_types", "output_classes"):
            one, other = getattr(a, what), getattr(b, what)
            if not same_structure(one, other) or flatten(one) != flatten(other):
                raise TypeError(
                    f"Two datasets to concatenate have different {what[7:]} {one} and {other}"
                )
        shapes = [_common(x, y) for x, y in zip(a._specs, b._specs, strict=True)]
        super().__init__(pack(a._structure, shapes), (a, b))

    def _open(self, context: Context) -> Stream:
        return Stream(flat(iter(self._inputs), lambda d: d._open(context)))


def _common(a: Any, b: Any) -> Any:
    if isinstance(a, DatasetSpec):
        return a
    return TensorSpec(a.shape.most_specific_compatible_shape(b.shape), a.dtype)


class FilterDataset(Dataset):
    _type = "FilterDataset"

    def __init__(self, source: Dataset, predicate: Callable[..., Any]) -> None:
        f = Function(predicate, source._structure, "Dataset.filter()")
        self._functions = (f,)
        s = f.structure
        if not isinstance(s, TensorSpec) or s.dtype != "bool" or s.shape.ndims not in (0, None):
            raise ValueError(
                f"`predicate` return type must be convertible to a scalar boolean tensor. Was {s}."
            )
        super().__init__(source._structure, (source,))

    def _open(self, context: Context) -> Stream:
        keep = self._functions[0].scalar(context, "`predicate`")
        return Stream(filter(keep, self._inputs[0]._open(context)))
