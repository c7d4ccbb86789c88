"""ModelNet40 as point clouds: the HDF5 files of 2,048 points that DGCNN's experiments read, or ``.npy`` arrays.

HDF5 (``ply_data_train*.h5``, ``ply_data_test*.h5``): ``data`` (count, points, 3) and ``label`` (count, 1).  NumPy:
``train_points.npy`` (count, points, 3), ``train_labels.npy`` (count,), and the same for ``test``.  Of each cloud the
first 1,024 points are kept, moved to mean zero and scaled into the unit sphere.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnverify.experiments.data.files import directory, listed
from wnverify.experiments.data.samples import Arrays, DataError, Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES: Final = 40
POINTS: Final = 1024


def modelnet40(path: str | Path, points: int = POINTS) -> Dataset:
    """Point clouds (count, 3, points) in float32 from ``path``; ``DataError`` names file and sample."""
    folder = directory(path)
    train, test = (_part(folder, part, points) for part in ("train", "test"))
    return Dataset("modelnet40", train, test, shape=(3, points), classes=CLASSES)


def into_unit_sphere(clouds: NDArray[Any]) -> NDArray[Any]:
    """Every cloud (count, points, 3) minus its mean, divided by its largest distance from there."""
    import numpy as np

    centred = clouds - clouds.mean(axis=1, keepdims=True)
    radius = np.sqrt((centred**2).sum(axis=2)).max(axis=1)
    flat = np.flatnonzero(~(radius > 0))
    if len(flat):
        raise DataError(f"cloud {int(flat[0])} must have two different finite points at least")
    scaled: NDArray[Any] = (centred / radius[:, None, None]).astype(np.float32)
    return scaled


def _part(folder: Path, part: str, points: int) -> Arrays:
    import numpy as np

    files = sorted(folder.glob(f"ply_data_{part}*.h5"))
    if files:
        parts = [_hdf5(path) for path in files]
    elif (folder / f"{part}_points.npy").is_file() and (folder / f"{part}_labels.npy").is_file():
        parts = [(_npy(folder / f"{part}_points.npy"), _npy(folder / f"{part}_labels.npy"))]
        files = [folder / f"{part}_points.npy"]
    else:
        wanted = f"ply_data_{part}*.h5, or {part}_points.npy and {part}_labels.npy"
        raise DataError(f"{folder.name} must hold {wanted}; it holds {listed(folder)}")
    made = [_checked(path, *part_, points) for path, part_ in zip(files, parts, strict=True)]
    return Arrays(np.concatenate([each.x for each in made]), np.concatenate([each.y for each in made]))


def _checked(path: Path, clouds: NDArray[Any], labels: NDArray[Any], points: int) -> Arrays:
    import numpy as np

    labels = labels.reshape(-1)
    if clouds.ndim != 3 or clouds.shape[2] != 3 or clouds.shape[1] < points:
        raise DataError(f"{path.name} must hold clouds (count, ≥ {points}, 3); got shape {clouds.shape}")
    if len(labels) != len(clouds) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path.name} must have one whole number as label for each of {len(clouds)} clouds; got {len(labels)} of "
            f"{labels.dtype}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if len(wrong):
        raise DataError(f"{path.name}: label {int(wrong[0])} must be 0 … {CLASSES - 1}; got {int(labels[wrong[0]])}")
    kept = clouds[:, :points].astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(kept).all(axis=(1, 2)))
    if len(bad):
        raise DataError(f"{path.name}: cloud {int(bad[0])} must be finite; it holds NaN or infinity")
    return Arrays(into_unit_sphere(kept).transpose(0, 2, 1).copy(), labels.astype(np.int64))


def _hdf5(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        import h5py
    except ImportError:
        raise DataError("HDF5 files need h5py: pip install 'wnverify[experiments]', or give .npy files") from None
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in ("data", "label") if name not in file]
            if missing:
                raise DataError(f"{path.name} must hold data and label; {missing[0]} is missing, there is {list(file)}")
            return file["data"][:], file["label"][:]
    except OSError as error:
        raise DataError(f"{path.name} is truncated or no HDF5 file ({path.stat().st_size} bytes): {error}") from None


def _npy(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path.name} is truncated or no array file ({path.stat().st_size} bytes): {error}") from None
    return found
