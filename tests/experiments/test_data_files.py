"""Readers of the published formats, on tiny files written in them; damaged files are told by file and byte."""

import gzip
import inspect
import os
import struct

import numpy as np
import pytest
from PIL import Image

from wnverify.experiments.data.augmentation import scaling_of
from wnverify.experiments.data.cifar import PIXELS
from wnverify.experiments.data.folders import ImageFiles
from wnverify.experiments.data.samples import DataError, subset
from wnverify.experiments.data.sources import load


def idx(array):
    return struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 5), ("t10k", 3)):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (count, 4, 6))))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(rng.integers(0, 10, count)))
    return tmp_path


def test_mnist_is_read_plain_or_packed(mnist):
    """The same images come out of a plain file and of one packed by gzip, row by row as written."""
    plain = load("mnist", mnist)
    path = mnist / "train-images-idx3-ubyte"
    written = np.frombuffer(path.read_bytes()[16:], np.uint8).reshape(5, 1, 4, 6)
    assert (plain.train.take(range(5))[0] == written).all()
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert (load("mnist", mnist).train.take(range(5))[0] == written).all()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-7], "train-images-idx3-ubyte breaks off at byte 129"),
        ("train-images-idx3-ubyte", lambda b: b + b"xy", "2 bytes too many after byte 136"),
        ("train-images-idx3-ubyte", lambda b: b"PK" + b[2:], "byte 0 must begin the IDX magic"),
        ("train-images-idx3-ubyte", lambda b: b[:2] + b"\x0d" + b[3:], "byte 2 must be 08"),
        ("train-images-idx3-ubyte", lambda b: b[:9], "breaks off at byte 9: the header"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:8] + b"\x0b" + b[9:], "byte 8 must be a digit, 0 to 9; got 11"),
        ("t10k-labels-idx1-ubyte", lambda b: idx(np.zeros(4)), "got 3 images and 4 labels"),
        ("t10k-labels-idx1-ubyte", lambda b: gzip.compress(b)[:-9], "gzip data breaks off"),
        ("t10k-labels-idx1-ubyte", lambda b: idx(np.zeros((1, 3))), "byte 3 must be 01"),
    ],
    ids=["short", "long", "zip", "floats", "header", "label", "counts", "gzip", "rank"],
)
def test_damaged_idx(mnist, name, change, said):
    """Each kind of damage is told with the file and the byte."""
    path = mnist / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=said):
        load("mnist", mnist)


def test_missing_idx(mnist):
    """A missing file is named, with what is there."""
    (mnist / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"must hold t10k-images-idx3-ubyte .* it holds t10k-labels"):
        load("mnist", mnist)


def record(labels, seed):
    return bytes(labels) + np.random.default_rng(seed).integers(0, 256, PIXELS).astype(np.uint8).tobytes()


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for k, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        (folder / name).write_bytes(record([k], k) + record([9 - k], 10 + k))
    return tmp_path


def test_cifar10_is_read_in_its_order(cifar10):
    """Batches follow each other; red comes before green and blue, rows before columns."""
    data = load("cifar10", cifar10)
    x, y = data.train.take(range(10))
    assert y.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    raw = record([0], 0)[1:]
    assert (x[0].reshape(-1) == np.frombuffer(raw, np.uint8)).all()
    assert x[0, 1, 2, 3] == raw[1024 + 2 * 32 + 3]
    assert len(data.test) == 2


def test_cifar100_takes_the_fine_label(tmp_path):
    """Of the two label bytes the second counts."""
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(record([3, 77], 1))
    assert load("cifar100", tmp_path).train.take([0])[1].tolist() == [77]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b[:-1], "data_batch_2.bin breaks off at byte 6145: record 1 of 3073 bytes began at byte 3073"),
        (lambda b: b"", "breaks off at byte 0"),
        (lambda b: b[:3073] + b"\x20" + b[3074:], "byte 3073 must be a label below 10; got 32"),
    ],
    ids=["short", "empty", "label"],
)
def test_damaged_cifar(cifar10, change, said):
    """Damage is told with file and byte."""
    path = cifar10 / "cifar-10-batches-bin" / "data_batch_2.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=said):
        load("cifar10", cifar10)


@pytest.fixture
def photos(tmp_path):
    for part in ("train", "val"):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for k in range(2):
                grey = np.full((10, 20, 3), 40 * label + 10 * k, np.uint8)
                Image.fromarray(grey).save(folder / f"{k}.png")
    return tmp_path


def test_folders_are_classes(photos):
    """Labels follow the folders' names; images have the size asked for."""
    data = load("image_folders", photos, size=8)
    x, y = data.train.take([0, 3])
    assert (x.shape, y.tolist(), data.classes) == ((2, 3, 8, 8), [0, 1], 2)
    assert set(x[1].reshape(-1)) == {50}
    assert isinstance(data.train, ImageFiles)
    assert len(subset(data.train, [])) == 0


def test_the_centre_is_cut_out(photos):
    """Of a wide image the middle is kept."""
    columns = np.repeat(np.arange(20, dtype=np.uint8)[None] * 10, 10, axis=0)
    Image.fromarray(columns).save(photos / "train" / "cat" / "0.png")
    x, _ = load("image_folders", photos, size=10).train.take([0])
    assert x[0, 0, 0].tolist() == (10 * np.arange(5, 15)).tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x89PNG\r\n\x1a\n", "0.png"), (b"GIF8", "byte 0 begins no known image"), (b"", "no bytes")],
    ids=["header alone", "foreign", "empty"],
)
def test_damaged_images_are_told_when_taken(photos, content, said):
    """A damaged image is named when it is read."""
    (photos / "train" / "cat" / "0.png").write_bytes(content)
    data = load("image_folders", photos, size=8)
    with pytest.raises(DataError, match=said):
        data.train.take([0])


def test_a_truncated_image_is_told(photos):
    """An image whose data break off is named with its length."""
    path = photos / "train" / "cat" / "0.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"cat/0.png breaks off among its 4000 bytes"):
        load("image_folders", photos, size=8).train.take([0])


def test_folders_must_agree(photos):
    """A class of the test part alone is told, and so is a folder without images."""
    (photos / "val" / "eel").mkdir()
    with pytest.raises(DataError, match="eel is in one of them only"):
        load("image_folders", photos)
    (photos / "train" / "eel").mkdir()
    with pytest.raises(DataError, match="train/eel must hold images"):
        load("image_folders", photos)


def test_what_is_done_to_pictures_beside_the_papers_is_said(photos):
    """The square that windows are cut from, the one that is tested on, and what channels are scaled by."""
    square, scaled = load("image_folders", photos, size=8).decided
    assert "its central square, resized to 8 pixels" in square
    assert "the first 10,000 training images" in scaled
    assert inspect.signature(scaling_of).parameters["most"].default == 10_000


def test_data_are_told_apart_by_content(mnist):
    """The same files have the same digest wherever they lie; one pixel, or one label, makes another."""
    digests = [load("mnist", mnist).digest() for _ in range(2)]
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        path = mnist / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))
        digests.append(load("mnist", mnist).digest())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_pictures_are_told_apart_by_their_files(photos):
    """A file that was written anew makes other data, without reading them all; so does another size of image."""
    first, again, larger = (load("image_folders", photos, size=size).digest() for size in (8, 8, 10))
    path = sorted(photos.rglob("*.png"))[0]
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert first == again
    assert len({first, larger, load("image_folders", photos, size=8).digest()}) == 3


def test_faces_to_test_on_are_drawn_from_all(photos):
    """The number asked for, other ones for another seed, none on both sides; too few images are told."""
    data = load("faces", photos / "train", seed=1, size=8, tests=1)
    assert (len(data.train), len(data.test), data.shape) == (3, 1, (1, 8, 8))
    drawn = [load("faces", photos / "train", seed=seed, tests=1) for seed in range(20)]
    assert all(not set(each.train.paths) & set(each.test.paths) for each in drawn)
    assert len({each.test.paths for each in drawn}) == 4
    with pytest.raises(DataError, match="train must hold more than the 4 images to test on; it holds 4"):
        load("faces", photos / "train", tests=4)
    with pytest.raises(ValueError, match="tests must be a number of images, at least 1; got 0"):
        load("faces", photos / "train", tests=0)


def test_faces_are_split_as_the_paper_splits_them(tmp_path):
    """11,544 images of 68 people, as the DSWN paper has of PIE: 1,340 test, by default."""
    for k in range(11544):
        folder = tmp_path / f"{k % 68:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{k:05d}.png").touch()
    data = load("faces", tmp_path)
    assert (len(data.train), len(data.test), data.classes) == (11544 - 1340, 1340, 68)


def clouds(count, points=6):
    return np.random.default_rng(count).standard_normal((count, points, 3)).astype(np.float32)


def write_npy(folder, count=3, **changes):
    for part in ("train", "test"):
        np.save(folder / f"{part}_points.npy", changes.get("points", clouds(count)))
        np.save(folder / f"{part}_labels.npy", changes.get("labels", np.arange(count)))


def test_clouds_are_moved_into_the_unit_sphere(tmp_path):
    """The first points are kept; their mean is zero and the farthest lies at distance one."""
    write_npy(tmp_path)
    x, y = load("modelnet40", tmp_path, points=4).train.take(range(3))
    assert (x.shape, y.tolist()) == ((3, 3, 4), [0, 1, 2])
    radius = np.sqrt((x.astype(float) ** 2).sum(1)).max(1)
    u = 2.0**-24
    assert (np.abs(radius - 1) <= 4 * u).all()
    assert (np.abs(x.astype(float).mean(2)) <= 4 * u).all()


def test_hdf5_is_read_as_npy(tmp_path):
    """The same clouds come out of both formats, files in the order of their names."""
    h5py = pytest.importorskip("h5py")
    write_npy(tmp_path)
    expected = load("modelnet40", tmp_path, points=4).train.take(range(3))
    for part in ("train", "test"):
        for k, span in enumerate((slice(0, 2), slice(2, 3))):
            with h5py.File(tmp_path / f"ply_data_{part}{k}.h5", "w") as file:
                file["data"], file["label"] = clouds(3)[span], np.arange(3)[span, None]
    found = load("modelnet40", tmp_path, points=4).train.take(range(3))
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": np.array([0, 1, 40])}, "label 2 must be 0 … 39; got 40"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "whole number"),
        ({"points": clouds(3, 2)}, "must hold clouds"),
        ({"points": np.zeros((3, 6, 3))}, "cloud 0 must have two different"),
        ({"points": np.full((3, 6, 3), np.nan)}, "cloud 0 must be finite"),
    ],
    ids=["label", "floats", "few points", "one point", "nan"],
)
def test_wrong_clouds(tmp_path, changes, said):
    """What is no point cloud is told with file or sample."""
    write_npy(tmp_path, **changes)
    with pytest.raises(DataError, match=said):
        load("modelnet40", tmp_path, points=4)


def test_truncated_clouds(tmp_path):
    """Files that break off are named."""
    write_npy(tmp_path)
    path = tmp_path / "train_points.npy"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"train_points.npy is truncated or no array file \(100 bytes\)"):
        load("modelnet40", tmp_path, points=4)
    pytest.importorskip("h5py")
    (tmp_path / "ply_data_train0.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"ply_data_train0.h5 is truncated or no HDF5 file \(8 bytes\)"):
        load("modelnet40", tmp_path, points=4)


def test_a_folder_is_asked_for(tmp_path):
    """A path that is no folder, or holds nothing of the set, is told."""
    with pytest.raises(DataError, match="existing folder"):
        load("cifar10", tmp_path / "none")
    with pytest.raises(DataError, match="it holds nothing"):
        load("cifar100", tmp_path)
    with pytest.raises(DataError, match="must hold the folders train and val"):
        load("image_folders", tmp_path)
    with pytest.raises(DataError, match=r"ply_data_train\*.h5"):
        load("modelnet40", tmp_path)
