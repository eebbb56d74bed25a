"""One copy of CLIP for all workers of a build, with a thin seeded model on the CPU."""

import multiprocessing as mp
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from symmv_builder.api import works
from symmv_builder.backends import ModelHome, ModelLoader, load
from symmv_builder.backends.clip import VitB32
from symmv_builder.backends.clip_server import ProxyLoader, models_to_serve, one_copy
from symmv_builder.backends.clip_server.proxy import Proxy, class_for
from symmv_builder.backends.clip_server.server import ROWS, Network, Request, next_forward
from symmv_builder.backends.clip_server.wire import (
    HEADER,
    MOST_PICTURES,
    MOST_TEXT_BYTES,
    MOST_UNANSWERED,
    MOST_WORDS,
    Kind,
)
from symmv_builder.backends.slots import ClipModel
from symmv_builder.errors import ModelLost, NoDevice, StopRun, WrongWeights
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.pool import Effort, run_entries
from symmv_builder.pipeline.run import EntryOutcome, LoadModel
from symmv_builder.settings import Settings
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from tests.backends import toy_pictures
from tests.backends.toy_pictures import draw
from tests.recordings import make_clip_folder

torch: Any = pytest.importorskip("torch")
NAME = "vit-b-32"
Answers = SimpleQueue[bytes | memoryview | None]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ModelHome:
    folder = make_clip_folder(tmp_path_factory.mktemp("clip") / "b32")
    return ModelHome(paths={NAME: str(folder)})


@pytest.fixture(scope="module")
def own(home: ModelHome) -> VitB32:
    model = load("clip", NAME, home)
    assert isinstance(model, VitB32)
    return model


@pytest.fixture(scope="module")
def served(home: ModelHome) -> Iterator[ProxyLoader]:
    with one_copy([NAME], home) as loader:
        assert isinstance(loader, ProxyLoader)
        yield loader


@pytest.fixture
def proxy(served: ProxyLoader) -> Proxy:
    return connect(served)


def connect(loader: ProxyLoader) -> Proxy:
    """A connection of its own, as each worker has one."""
    return class_for(NAME)(loader.home, loader.addresses[NAME], loader.answer_s)


def server_process() -> Any:
    """The process of a model that was started last."""
    return max(mp.active_children(), key=lambda child: child.pid or 0)


def test_workers_get_the_values_of_one_forward_of_the_same_shape(
    served: ProxyLoader, own: VitB32
) -> None:
    workers, counts = [connect(served) for _ in range(2)], (5, MOST_PICTURES + 3)
    shown = [draw(seed, count) for seed, count in enumerate(counts)]
    begun = [worker.start_images(each) for worker, each in zip(workers, shown, strict=True)]
    padded = np.zeros((ROWS, *VitB32.input_shape), np.uint8)
    prepared = own.preparation(served.home)([*shown[0], *shown[1]])
    padded[: len(prepared)] = prepared
    alone = own.start_inputs(padded)()
    together = np.concatenate([answer() for answer in begun])
    assert together.shape == (sum(counts), own.dimensions)
    np.testing.assert_allclose(together, alone[: sum(counts)], atol=1e-5)
    np.testing.assert_allclose(together[:5], own.embed_images(shown[0]), atol=1e-5)


def test_patches_come_beside_embeddings(
    served: ProxyLoader, own: VitB32, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VitB32, "token_width", 32)
    worker, shown = connect(served), draw(4, 3)
    patches, images = worker.start_patches(shown), worker.start_images(shown)
    np.testing.assert_allclose(images(), own.embed_images(shown), atol=1e-5)
    assert patches().shape == (3, own.tokens, 32)
    np.testing.assert_allclose(patches(), own.embed_patches(shown), atol=1e-5)


def test_it_says_and_reads_what_the_model_does(proxy: Proxy, own: VitB32, home: ModelHome) -> None:
    words = ["sad", "the sea", ""]
    np.testing.assert_allclose(proxy.embed_words(words), own.embed_words(words), atol=1e-5)
    assert proxy.scale == own.scale
    for fact in ("title", "dimensions", "tokens", "token_width", "knows_words"):
        assert getattr(proxy, fact) == getattr(own, fact)
    assert proxy.identify(home) == VitB32.identify(home)
    assert proxy.about() == VitB32.about()
    assert proxy.embed_images([]).shape == proxy.embed_words([]).shape == (0, own.dimensions)
    for words in (["x" * MOST_TEXT_BYTES], ["x"] * (MOST_WORDS + 1)):
        with pytest.raises(ValueError, match="more than fit one request"):
            proxy.embed_words(words)


def requests_of(prepared: np.ndarray, *sizes: int) -> tuple[list[Request], list[Answers]]:
    queues: list[Answers] = [SimpleQueue() for _ in sizes]
    ends = np.cumsum(sizes)
    made = [
        Request(Kind.IMAGES, prepared[end - size : end], [], answers)
        for end, size, answers in zip(ends, sizes, queues, strict=True)
    ]
    return made, queues


def test_a_picture_has_the_same_bits_whoever_travels_with_it(own: VitB32, home: ModelHome) -> None:
    prepared, network = own.preparation(home)(draw(3, ROWS)), Network(own)
    alone, [answer] = requests_of(prepared[:1], 1)
    network.answer(alone)
    first = np.asarray(answer.get())
    for row in (1, 7, ROWS - 1):
        order = np.roll(prepared, row, axis=0)
        many, queues = requests_of(order[: row + 1], *([1] * (row + 1)))
        network.answer(many)
        assert np.array_equal(np.asarray(queues[row].get()), first)
    assert np.ptp(first) > 0


def test_a_forward_takes_the_first_requests_of_one_kind_that_fit() -> None:
    nobody: Answers = SimpleQueue()

    def line(*kinds: tuple[Kind, int]) -> deque[Request]:
        return deque(Request(kind, np.zeros((count, 1)), [], nobody) for kind, count in kinds)

    images, patches = (Kind.IMAGES, 16), (Kind.PATCHES, 16)
    waiting = line(images, images, patches, images)
    assert [len(next_forward(waiting)) for _ in range(3)] == [2, 1, 1]
    waiting = line(*[images] * 6, (Kind.IMAGES, 1))
    assert [len(next_forward(waiting)) for _ in range(2)] == [4, 3]
    talk = Request(Kind.WORDS, None, ["sad"], nobody)
    waiting = deque([talk, talk, *line(images), talk])
    assert [len(next_forward(waiting)) for _ in range(4)] == [1, 1, 1, 1]


def test_a_worker_goes_on_before_its_answers_have_come(proxy: Proxy, own: VitB32) -> None:
    shown = [draw(seed, 2) for seed in range(2 * MOST_UNANSWERED + 3)]
    begun = [proxy.start_images(each) for each in shown]
    assert len(proxy._unanswered) == MOST_UNANSWERED
    wanted = own.embed_images([picture for each in shown for picture in each])
    order = [len(shown) - 1, *range(len(shown) - 1)]
    for number in order:
        np.testing.assert_allclose(begun[number](), wanted[2 * number : 2 * number + 2], atol=1e-5)
    assert np.array_equal(begun[0](), begun[0]())


PICTURE_BYTES = int(np.prod(VitB32.input_shape))
HALF = HEADER.pack(Kind.IMAGES, 2) + bytes(PICTURE_BYTES)


MALFORMED = {
    "no such kind": HEADER.pack(9, 1),
    "no pictures": HEADER.pack(Kind.IMAGES, 0),
    "too many pictures": HEADER.pack(Kind.IMAGES, MOST_PICTURES + 1),
    "no number of pictures": HEADER.pack(Kind.PATCHES, 2**32 - 1),
    "a talkative greeting": HEADER.pack(Kind.HELLO, 1),
    "too long a text": HEADER.pack(Kind.WORDS, MOST_TEXT_BYTES + 1),
    "an object": HEADER.pack(Kind.WORDS, 2) + b"{}",
    "numbers": HEADER.pack(Kind.WORDS, 3) + b"[1]",
    "no UTF-8": HEADER.pack(Kind.WORDS, 4) + b"\xff\xfe[]",
    "no texts": HEADER.pack(Kind.WORDS, 2) + b"[]",
    "half a character": HEADER.pack(Kind.WORDS, 10) + rb'["\ud800"]',
    "lists without end": HEADER.pack(Kind.WORDS, 100_000) + b"[" * 100_000,
    "no token": b"",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_request_is_hung_up_on_and_harms_nobody(
    served: ProxyLoader, proxy: Proxy, what: str
) -> None:
    message = MALFORMED[what]
    address = served.addresses[NAME]
    token = address.token if message else b"x" * len(address.token)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.settimeout(20)
        stranger.connect(address.path)
        stranger.sendall(token + message)
        assert stranger.recv(1) == b""
    assert proxy.embed_images(draw(1, 1)).shape == (1, 512)


def test_more_requests_than_are_allowed_are_hung_up_on(served: ProxyLoader, proxy: Proxy) -> None:
    """Of one who never reads: its answers would fill the memory of the process."""
    address = served.addresses[NAME]
    wide = HEADER.pack(Kind.PATCHES, MOST_PICTURES) + bytes(MOST_PICTURES * PICTURE_BYTES)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as greedy:
        greedy.settimeout(20)
        greedy.connect(address.path)
        greedy.sendall(address.token)
        with pytest.raises(ConnectionError):
            greedy.sendall(3 * MOST_UNANSWERED * wide)
    assert proxy.embed_images(draw(1, 1)).shape == (1, 512)


def test_a_worker_that_is_killed_or_halted_in_a_message_harms_nobody(
    served: ProxyLoader, own: VitB32
) -> None:
    address, worker = served.addresses[NAME], connect(served)
    halted = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    killed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with halted, killed:
        for connection in (halted, killed):
            connection.connect(address.path)
            connection.sendall(address.token + HEADER.pack(Kind.IMAGES, 1) + bytes(PICTURE_BYTES))
            connection.sendall(HALF)
        killed.close()
        found = worker.embed_images(draw(8, 3))
    np.testing.assert_allclose(found, own.embed_images(draw(8, 3)), atol=1e-5)


def test_a_process_that_stands_still_ends_the_run(served: ProxyLoader) -> None:
    worker = class_for(NAME)(served.home, served.addresses[NAME], 0.2)
    process = server_process()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ModelLost, match=r"has stood still for 0\.2 s; what was made is stored"):
            worker.embed_images(draw(1, 1))
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_model_that_does_not_load_ends_the_run_with_its_own_error(tmp_path: Path) -> None:
    folder = make_clip_folder(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"no weights")
    broken = ModelHome(paths={NAME: str(folder)})
    with (
        pytest.raises(WrongWeights, match="vit-b-32 does not load from"),
        one_copy([NAME], broken) as loader,
    ):
        loader("clip", NAME)


def test_a_folder_for_temporary_files_with_too_long_a_path_is_one_line(
    home: ModelHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(StopRun, match="too long"), one_copy([NAME], home):
        pass
    assert not list(deep.iterdir())


PARENT = """
import os, signal, sys
from symmv_builder.backends import ModelHome
from symmv_builder.backends.clip_server import one_copy

with one_copy([sys.argv[1]], ModelHome()) as loader:
    print(loader.addresses[sys.argv[1]].path, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_behind_by_a_parent_that_was_killed() -> None:
    """Neither process nor folder: the process hears that the pipe of its parent is closed."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT, NAME],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    path = Path(done.stdout.strip())
    until = time.monotonic() + 30
    while path.parent.exists() and time.monotonic() < until:
        time.sleep(0.05)
    # The process holds the pipes that `run` waited for: it is gone as well.
    assert not path.parent.exists()


def test_a_model_is_served_where_several_workers_share_a_card() -> None:
    models = [("clip", NAME), ("clip", "untrained-512"), ("piano", "transkun"), ("clip", "dinov2")]
    card = ModelHome("cuda")
    assert models_to_serve(models, card, 2) == (NAME, "dinov2")
    assert models_to_serve(models, ModelHome("cuda:1"), 3) == (NAME, "dinov2")
    assert models_to_serve(models, card, 1) == models_to_serve(models, ModelHome(), 8) == ()
    with one_copy((), card) as loader:
        assert loader == ModelLoader(card)


TEXTS = ("x" * 3, "x" * 20, "x" * 41)


def run(
    root: Root, folder: Path, home: ModelHome, loader: LoadModel, *more: str, **how: Any
) -> dict[str, EntryOutcome]:
    """What becomes of the toy's entries and some more by two workers, by their names."""
    plan = toy_pictures.plan(VitB32.identify(home))
    entries = toy_pictures.works(root, folder, (*TEXTS, *more))
    how = {"effort": Effort(2), **how}
    return {
        outcome.entry_id: outcome for outcome in run_entries(entries, plan, root.url, loader, **how)
    }


@pytest.fixture
def data_root(tmp_path: Path) -> Root:
    (tmp_path / "root").mkdir()
    return Root(str(tmp_path / "root"))


def test_a_build_gives_the_same_keys_and_values_and_a_killed_worker_costs_its_entry_alone(
    data_root: Root, tmp_path: Path, home: ModelHome, served: ProxyLoader, own: VitB32
) -> None:
    outcomes = run(data_root, tmp_path, home, served, "kill it")
    assert "its worker was killed" in outcomes["e3"].retry
    plan, sidecars = toy_pictures.plan(VitB32.identify(home)), Sidecars(data_root, "toy")
    for work in toy_pictures.works(data_root, tmp_path, TEXTS):
        [result] = outcomes[work.entry_id].results
        assert result.key == plan.keys(work)["look"]
        record: Any = sidecars.load(work.entry_id, "look", result.key)[0]
        alone = toy_pictures.look(tmp_path / work.entry_id, model=own)
        np.testing.assert_allclose(record.values, alone.values, atol=1e-5)


def test_a_build_whose_model_is_lost_blames_nobody_and_goes_on_when_run_again(
    data_root: Root, tmp_path: Path, home: ModelHome, served: ProxyLoader
) -> None:
    folders: list[Path] = []

    def build() -> None:
        with one_copy([NAME], home) as loader:
            assert isinstance(loader, ProxyLoader)
            folders.append(Path(loader.addresses[NAME].path).parent)
            process = server_process()

            def kill(event: Event) -> None:
                if event.kind == "begin":
                    process.kill()

            run(data_root, tmp_path, home, loader, tell=kill)

    with pytest.raises(ModelLost, match=r"runs vit-b-32 for all workers ended with exit code -9"):
        build()
    assert not folders[0].exists()
    stored = [Sidecars(data_root, "toy").present(f"e{number}") for number in range(len(TEXTS))]
    assert not any(".rejected." in name for names in stored for name in names)
    outcomes = run(data_root, tmp_path, home, served, effort=Effort(0))
    assert all(outcome.results and not outcome.retry for outcome in outcomes.values())


def test_workers_of_a_build_share_a_card_and_one_that_is_not_there_is_told(
    data_root: Root, tmp_path: Path, home: ModelHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("a card is here")
    shared: list[tuple[str, ...]] = []

    def spy(names: tuple[str, ...], *arguments: Any, **how: Any) -> Any:
        shared.append(names)
        return one_copy(names, *arguments, **how)

    monkeypatch.setattr(works, "one_copy", spy)
    ledger = f"sqlite:///{tmp_path}/ledger.sqlite"
    card = ModelHome("cuda", paths=home.paths)
    settings = Settings(data_root.url, data_root.url, ledger, card)
    plan = toy_pictures.plan(VitB32.identify(card))
    runner = works.runner_here(settings, workers=2, tell=lambda _: None)
    run = runner(plan, Store(data_root, data_root, Ledger(ledger)))
    assert list(run(())) == []
    with pytest.raises(NoDevice, match="device cuda was asked for, but there is no CUDA"):
        list(run(toy_pictures.works(data_root, tmp_path, TEXTS)))
    assert shared == [(), (NAME,)]


def test_what_a_model_is_asked_for_elsewhere_is_as_before(served: ProxyLoader) -> None:
    assert served("clip", NAME) is served("clip", NAME)
    untrained = served("clip", "untrained-512")
    assert isinstance(untrained, ClipModel)
    assert not isinstance(untrained, Proxy)
