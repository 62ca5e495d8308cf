"""``tf.keras.preprocessing.image``: images in files and arrays, and random changes of them.

Random numbers are numpy's, drawn in the order in which TensorFlow draws them.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator as Iterable
from typing import Any

import numpy as np

from graphc.keras import settings
from graphc.keras.pictures import (
    COLOURS,
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    array_to_img,
    img_to_array,
    layout_of,
    load_img,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
    save_img,
)
from graphc.keras.utils import Sequence

__all__ = [
    "DirectoryIterator", "ImageDataGenerator", "Iterator", "NumpyArrayIterator",
    "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "array_to_img",
    "img_to_array", "load_img", "random_brightness", "random_channel_shift", "random_rotation",
    "random_shear", "random_shift", "random_zoom", "save_img",
]  # fmt: skip

_FILES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")


class Iterator(Sequence):
    """Batches of indices, for ever or by number.

    Parameters
    ----------
    n : int
        How many samples.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: Any = None
        self.index_generator = self._flow_index()

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _seeded(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)

    def __getitem__(self, idx: int) -> Any:
        if idx >= len(self):
            raise ValueError(
                f"Asked to retrieve element {idx}, but the Sequence has length {len(self)}"
            )
        self._seeded()
        self.total_batches_seen += 1
        if self.index_array is None:
            self._set_index_array()
        start = self.batch_size * idx
        return self._get_batches_of_transformed_samples(
            self.index_array[start : start + self.batch_size]
        )

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def on_epoch_end(self) -> None:
        self._set_index_array()

    def reset(self) -> None:
        """Begin again."""
        self.batch_index = 0

    def _flow_index(self) -> Iterable[Any]:
        self.reset()
        while True:
            self._seeded()
            if self.batch_index == 0:
                self._set_index_array()
            at = self.batch_index * self.batch_size % self.n if self.n else 0
            self.batch_index = self.batch_index + 1 if self.n > at + self.batch_size else 0
            self.total_batches_seen += 1
            yield self.index_array[at : at + self.batch_size]

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self) -> Any:
        """The next batch."""
        with self.lock:
            indices = next(self.index_generator)
        return self._get_batches_of_transformed_samples(indices)

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        raise NotImplementedError

    def _saved(self, batch: Any, indices: Any, generator: Any, options: Any) -> None:
        folder, prefix, kind = options
        if folder:
            for x, i in zip(batch, indices, strict=True):
                name = f"{prefix}_{i}_{np.random.randint(10**7)}.{kind}"
                save_img(os.path.join(folder, name), x, generator.data_format)


class NumpyArrayIterator(Iterator):
    """Batches of images in an array, changed by an `ImageDataGenerator`."""

    def __init__(
        self, x: Any, y: Any, image_data_generator: Any, batch_size: int = 32,
        shuffle: bool = False, sample_weight: Any = None, seed: int | None = None,
        data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", subset: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        more = []
        if isinstance(x, list | tuple):
            more, x = [np.asarray(a) for a in x[1:]], x[0]
        self.dtype = dtype or settings.floatx()
        columns = {"y": y, "sample_weight": sample_weight}
        for name, a in columns.items():
            if a is not None and len(a) != len(x):
                raise ValueError(
                    f"`x` (images tensor) and `{name}` should have the same length. Found: "
                    f"x.shape = {np.shape(x)}, {name}.shape = {np.shape(a)}"
                )
        x = np.asarray(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. You passed an array with "
                f"shape {x.shape}"
            )
        part = slice(None)
        if subset is not None:
            if subset not in ("training", "validation"):
                raise ValueError(f'Invalid subset name: {subset}; expected "training" or '
                                 '"validation".')  # fmt: skip
            at = int(len(x) * image_data_generator._validation_split)
            if y is not None and set(np.ravel(y[:at])) != set(np.ravel(y[at:])):
                raise ValueError(
                    "Training and validation subsets have different number of classes after the "
                    "split. If your numpy arrays are sorted by the label, you might want to "
                    "shuffle them."
                )
            part = slice(at) if subset == "validation" else slice(at, None)
        self.x, self.x_misc = x[part], [a[part] for a in more]
        self.y = None if y is None else np.asarray(y)[part]
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)[part]
        self.image_data_generator = image_data_generator
        self.data_format = layout_of(data_format)
        self._save = (save_to_dir, save_prefix, save_format)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        g = self.image_data_generator
        batch = np.zeros((len(index_array), *self.x.shape[1:]), self.dtype)
        for i, j in enumerate(index_array):
            changes = g.get_random_transform(self.x.shape[1:])
            batch[i] = g.standardize(g.apply_transform(self.x[j].astype(self.dtype), changes))
        self._saved(batch, index_array, g, self._save)
        misc = [a[index_array] for a in self.x_misc]
        first: Any = [batch, *misc] if misc else batch
        if self.y is None:
            return first
        weights = () if self.sample_weight is None else (self.sample_weight[index_array],)
        return (first, self.y[index_array], *weights)


class DirectoryIterator(Iterator):
    """Batches of images in files; each folder inside a folder is a class."""

    def __init__(
        self, directory: Any, image_data_generator: Any, target_size: Any = (256, 256),
        color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", follow_links: bool = False, subset: str | None = None,
        interpolation: str = "nearest", dtype: Any = None,
    ) -> None:  # fmt: skip
        if class_mode not in ("categorical", "binary", "sparse", "input", None):
            raise ValueError(
                f"Invalid class_mode: {class_mode}; expected one of: categorical, binary, sparse, "
                "input, None"
            )
        if color_mode not in COLOURS:
            raise ValueError(
                f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".'
            )
        self.directory, self.class_mode, self.color_mode = (
            os.fspath(directory),
            class_mode,
            color_mode,
        )
        self.image_data_generator, self.target_size = image_data_generator, tuple(target_size)
        self.data_format, self.dtype = layout_of(data_format), dtype or settings.floatx()
        self.interpolation = interpolation
        self._save = (save_to_dir, save_prefix, save_format)
        names = list(classes or sorted(
            d for d in os.listdir(self.directory) if os.path.isdir(os.path.join(self.directory, d))
        ))  # fmt: skip
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.num_classes = len(names)
        low, high = 0.0, 1.0
        if subset is not None:
            if subset not in ("training", "validation"):
                raise ValueError(f'Invalid subset name: {subset}; expected "training" or '
                                 '"validation"')  # fmt: skip
            split = image_data_generator._validation_split
            low, high = (0.0, split) if subset == "validation" else (split, 1.0)
        self.filenames: list[str] = []
        labels: list[int] = []
        for name, number in self.class_indices.items():
            found = self._files(name, follow_links)
            found = found[int(low * len(found)) : int(high * len(found))]
            self.filenames += found
            labels += [number] * len(found)
        self.classes = np.array(labels, np.int32)
        self.samples = len(self.filenames)
        self.filepaths = [os.path.join(self.directory, f) for f in self.filenames]
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _files(self, name: str, follow_links: bool) -> list[str]:
        out = []
        top = os.path.join(self.directory, name)
        for folder, _, files in sorted(os.walk(top, followlinks=follow_links)):
            for f in sorted(files):
                if f.lower().endswith(_FILES):
                    out.append(os.path.relpath(os.path.join(folder, f), self.directory))
        return out

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        g, images = self.image_data_generator, []
        for j in index_array:
            img = load_img(
                self.filepaths[j], color_mode=self.color_mode, target_size=self.target_size,
                interpolation=self.interpolation,
            )  # fmt: skip
            x = img_to_array(img, self.data_format, self.dtype)
            images.append(g.standardize(g.apply_transform(x, g.get_random_transform(x.shape))))
        batch = np.stack(images)
        self._saved(batch, index_array, g, self._save)
        labels = self.classes[index_array]
        if self.class_mode is None:
            return batch
        if self.class_mode == "input":
            return batch, batch.copy()
        if self.class_mode == "categorical":
            return batch, np.eye(self.num_classes, dtype=self.dtype)[labels]
        return batch, labels.astype(self.dtype)


class ImageDataGenerator:
    """Batches of images with random changes.

    Parameters
    ----------
    featurewise_center, featurewise_std_normalization, zca_whitening : bool
        Normalise by what `fit` found in all images.
    samplewise_center, samplewise_std_normalization : bool
        Normalise each image by itself.
    rotation_range, shear_range : float
        Degrees.
    width_shift_range, height_shift_range : float, int or list
        Parts of the size below 1, else pixels; of a list one is picked.
    brightness_range, zoom_range : pair of float
        Factors; a number ``z`` for zooms of 1 - z to 1 + z.
    rescale : float, optional
    preprocessing_function : callable, optional
        From an image to an image of that shape, before it is normalised.
    validation_split : float
        The part that is ``subset="validation"``.
    """

    def __init__(
        self, featurewise_center: bool = False, samplewise_center: bool = False,
        featurewise_std_normalization: bool = False, samplewise_std_normalization: bool = False,
        zca_whitening: bool = False, zca_epsilon: float = 1e-6, rotation_range: float = 0,
        width_shift_range: Any = 0.0, height_shift_range: Any = 0.0, brightness_range: Any = None,
        shear_range: float = 0.0, zoom_range: Any = 0.0, channel_shift_range: float = 0.0,
        fill_mode: str = "nearest", cval: float = 0.0, horizontal_flip: bool = False,
        vertical_flip: bool = False, rescale: float | None = None,
        preprocessing_function: Any = None, data_format: str | None = None,
        validation_split: float = 0.0, dtype: Any = None,
    ) -> None:  # fmt: skip
        self.featurewise_center = featurewise_center or zca_whitening
        self.featurewise_center |= featurewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format, self.dtype = layout_of(data_format), dtype or settings.floatx()
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                "`validation_split` must be strictly between 0 and 1.  Received: "
                f"{validation_split}"
            )
        self._validation_split = validation_split
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None
        if isinstance(zoom_range, int | float):
            self.zoom_range: Any = [1 - zoom_range, 1 + zoom_range]
        elif len(zoom_range) == 2:
            self.zoom_range = list(zoom_range)
        else:
            raise ValueError(
                "`zoom_range` should be a float or a tuple or list of two floats. Received: "
                f"{zoom_range}"
            )
        if brightness_range is not None and len(brightness_range) != 2:
            raise ValueError(
                "`brightness_range should be tuple or list of two floats. Received: "
                f"{brightness_range}"
            )

    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True,
        sample_weight: Any = None, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
    ) -> NumpyArrayIterator:  # fmt: skip
        """Batches of an array of images, with the labels `y` if there are any."""
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, sample_weight, seed, self.data_format, save_to_dir,
            save_prefix, save_format, subset, self.dtype,
        )  # fmt: skip

    def flow_from_directory(
        self, directory: Any, target_size: Any = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical", batch_size: int = 32,
        shuffle: bool = True, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", follow_links: bool = False,
        subset: str | None = None, interpolation: str = "nearest",
    ) -> DirectoryIterator:  # fmt: skip
        """Batches of images in files, where each folder in `directory` is a class."""
        return DirectoryIterator(
            directory, self, target_size, color_mode, classes, class_mode, batch_size, shuffle,
            seed, self.data_format, save_to_dir, save_prefix, save_format, follow_links, subset,
            interpolation, self.dtype,
        )  # fmt: skip

    def standardize(self, x: Any) -> Any:
        """An image normalised."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + 1e-6)
        for wanted, found, what in (
            (self.featurewise_center, self.mean, "featurewise_center"),
            (self.featurewise_std_normalization, self.std, "featurewise_std_normalization"),
            (self.zca_whitening, self.principal_components, "zca_whitening"),
        ):
            if not wanted:
                continue
            if found is None:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{what}`, but it hasn't been fit on any "
                    "training data. Fit it first by calling `.fit(numpy_data)`.",
                    stacklevel=2,
                )
            elif what == "featurewise_center":
                x = x - found
            elif what == "zca_whitening":
                x = (x.reshape(1, -1) @ found).reshape(x.shape)
            else:
                x = x / (found + 1e-6)
        return x

    def _shift(self, given: Any, size: int) -> float:
        if not np.any(given):
            return 0
        try:  # of a list one is picked; of a whole number one below it
            shift = np.random.choice(given) * np.random.choice([-1, 1])
        except ValueError:
            shift = np.random.uniform(-given, given)
        return float(shift * size if np.max(given) < 1 else shift)

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Random changes for an image."""
        if seed is not None:
            np.random.seed(seed)
        out: dict[str, Any] = {"theta": 0, "shear": 0, "zx": 1, "zy": 1}
        if self.rotation_range:
            out["theta"] = np.random.uniform(-self.rotation_range, self.rotation_range)
        out["tx"] = self._shift(self.height_shift_range, img_shape[self.row_axis - 1])
        out["ty"] = self._shift(self.width_shift_range, img_shape[self.col_axis - 1])
        if self.shear_range:
            out["shear"] = np.random.uniform(-self.shear_range, self.shear_range)
        if tuple(self.zoom_range) != (1, 1):
            out["zx"], out["zy"] = np.random.uniform(self.zoom_range[0], self.zoom_range[1], 2)
        out["flip_horizontal"] = (np.random.random() < 0.5) * self.horizontal_flip
        out["flip_vertical"] = (np.random.random() < 0.5) * self.vertical_flip
        out["channel_shift_intensity"] = out["brightness"] = None
        if self.channel_shift_range:
            shift = np.random.uniform(-self.channel_shift_range, self.channel_shift_range)
            out["channel_shift_intensity"] = shift
        if self.brightness_range is not None:
            out["brightness"] = np.random.uniform(*self.brightness_range)
        return out

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """An image with changes, as `get_random_transform` gives them."""
        p = transform_parameters
        row, column, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x, p.get("theta", 0), p.get("tx", 0), p.get("ty", 0), p.get("shear", 0),
            p.get("zx", 1), p.get("zy", 1), row, column, channel, self.fill_mode, self.cval,
        )  # fmt: skip
        if p.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, p["channel_shift_intensity"], channel)
        if p.get("flip_horizontal", False):
            x = np.flip(x, column)
        if p.get("flip_vertical", False):
            x = np.flip(x, row)
        if p.get("brightness") is not None:
            x = apply_brightness_shift(x, p["brightness"])
        return x

    def random_transform(self, x: Any, seed: int | None = None) -> Any:
        """An image with random changes."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Find mean, deviation and principal components of images, as far as they are asked for.

        Parameters
        ----------
        augment : bool
            Whether to change the images first, `rounds` times each.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(
                f"Input to `.fit()` should have rank 4. Got array with shape: {x.shape}"
            )
        if seed is not None:
            np.random.seed(seed)
        if augment:
            x = np.stack([self.random_transform(a) for _ in range(rounds) for a in x])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axes, keepdims=True)[0]
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(flat.T @ flat / len(flat))
            self.principal_components = (u * (1.0 / np.sqrt(s + self.zca_epsilon))) @ u.T
