"""The widgets and the formulas in a real JupyterLab, in headless Chromium: `make test-browser`.

JupyterLab listens on a free port of this machine with a token, its files and settings in a
temporary folder; the browser resolves no name but that address. Pictures of the page are left in
`out/browser/`.
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import keras
import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

import lstm_zoo as lz
from lstm_zoo.cells.in_numpy import lstm_gradients, rnn_gradients
from lstm_zoo.widgets.gradients import example_networks

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent.parent / "out" / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SECONDS = 1000  # in the milliseconds that Playwright counts
PATIENCE = 60 * SECONDS
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells stay in the page
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder):
    """The address of the notebook in a JupyterLab that runs as long as the tests of this file."""
    shutil.copy(HERE / "widgets.ipynb", folder)
    for plugin, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    options = {
        "ip": "127.0.0.1",
        "port": port,
        "port_retries": 0,
        "root_dir": folder,
        "open_browser": False,
        "allow_root": True,
    }
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab"]
            + [f"--ServerApp.{name}={value}" for name, value in options.items()],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "JUPYTER_TOKEN": token}
            | {name: str(folder / place) for name, place in places.items()},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "lab.log")
        yield f"http://127.0.0.1:{port}/lab/tree/widgets.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url, server, log, seconds=90):
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=10).close()
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}", pytrace=False)


@pytest.fixture(scope="module")
def page(lab):
    """The notebook in the browser, every cell of it run."""
    if not CHROMIUM:
        pytest.fail("no browser: apt-get install chromium, or set CHROMIUM", pytrace=False)
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1300, "height": 1400})
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            page.goto(lab)
            page.get_by_role("heading", name="The widgets").wait_for()
            expect(page.locator(".jp-StatusBar-Widget")).to_contain_text("| Idle")
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
            expect(output(page, 5).locator("img")).to_be_visible(timeout=2 * PATIENCE)
            yield page
        except Exception:
            page.screenshot(path=OUT / "failure.png")
            raise
        finally:
            browser.close()


def output(page, cell):
    return page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output")


def number(widget, name):
    return widget.locator(f"b.{name}")


def written(value):
    """As the widgets write a number: three decimals, a true minus sign."""
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def press(widget, slider, key, times=1):
    """Move a slider by the keyboard; the value that it then shows."""
    row = widget.locator(".widget-slider", has_text=slider)
    for _ in range(times):
        row.locator(".noUi-handle").press(key)
    return float(row.locator(".widget-readout").inner_text().replace("\N{MINUS SIGN}", "-"))


def picture(widget):
    """The address of the picture shown; each picture has its own."""
    image = widget.locator("img")
    assert image.evaluate("image => image.complete && image.naturalWidth") > 400
    return image.get_attribute("src")


def test_explore_cell_follows_the_keyboard(page):
    cell = output(page, 2)
    before, drawn = number(cell, "cell_state").inner_text(), picture(cell)
    c = press(cell, "cell state before", "ArrowLeft", times=30)
    b_f = press(cell, "bias of the forget gate", "ArrowRight", times=20)
    assert (c, b_f) == (-1.0, 2.0)
    hidden, state = lz.lstm_in_numpy(
        np.ones((1, 1, 1)),
        np.ones((1, 4)),
        np.ones((1, 4)),
        np.array([0, b_f, 0, 0]),
        h=np.zeros((1, 1)),
        c=np.full((1, 1), c),
    )
    expect(number(cell, "forget_gate")).to_have_text(written(1 / (1 + np.exp(-1 - b_f))))
    expect(number(cell, "cell_state")).to_have_text(written(state.item()))
    expect(number(cell, "hidden_state")).to_have_text(written(hidden.item()))
    assert written(state.item()) != before
    expect(cell.locator("img")).not_to_have_attribute("src", drawn)
    cell.scroll_into_view_if_needed()
    cell.screenshot(path=OUT / "explore_cell.png")


def test_explore_trace_shows_the_hidden_state_that_the_trained_model_has(page, folder):
    model, x = keras.models.load_model(folder / "speech.keras"), np.load(folder / "speech.npy")
    memory = next(layer for layer in model.layers if isinstance(layer, lz.LSTM))
    memory.return_sequences = True
    scaled = keras.Model(model.inputs, model.get_layer("normalise").output)
    hidden = np.asarray(memory(scaled(x)))

    seen = output(page, 4)
    drawn = picture(seen)
    expect(number(seen, "hidden_state")).to_have_text(written(hidden[0, 0, 0]))
    sample = int(press(seen, "sample", "ArrowRight", times=3))
    unit = int(press(seen, "unit", "ArrowRight", times=2))
    step = int(press(seen, "step", "ArrowRight", times=5))
    assert (sample, unit, step) == (3, 2, 5)
    expect(number(seen, "hidden_state")).to_have_text(written(hidden[sample, step, unit]))
    expect(seen.locator("img")).not_to_have_attribute("src", drawn)
    seen.scroll_into_view_if_needed()
    seen.screenshot(path=OUT / "explore_trace.png")


def test_explore_gradients_follows_the_forget_bias(page):
    flow = output(page, 5)
    drawn = picture(flow)
    forget_bias = press(flow, "forget bias", "ArrowRight", times=12)
    timesteps = int(press(flow, "sequence length", "ArrowLeft", times=20))
    assert (forget_bias, timesteps) == (4.0, 80)
    x, rnn, lstm = example_networks(1.0, timesteps, forget_bias)
    hidden, cell = lstm_gradients(x, *lstm)
    for name, norms in {
        "SimpleRNN, hidden state": rnn_gradients(x, *rnn),
        "LSTM, hidden state": hidden,
        "LSTM, cell state": cell,
    }.items():
        first, last = norms.mean(axis=0)[[0, -1]]
        says = f"{name}: norm {first:.2g} at step 0, {last:.2g} at the last step"
        expect(flow.get_by_text(re.compile(re.escape(says)))).to_be_visible()
    expect(flow.locator("img")).not_to_have_attribute("src", drawn)
    flow.scroll_into_view_if_needed()
    flow.screenshot(path=OUT / "explore_gradients.png")


MEASURE = """([widget, handle]) => {
  const once = {once: true, capture: true};
  let pressed;
  window.measured = null;
  handle.addEventListener("keydown", () => { pressed = performance.now(); }, once);
  widget.querySelector("img").addEventListener(
    "load", () => { window.measured = performance.now() - pressed; }, once);
}"""


@pytest.mark.parametrize(
    ("cell", "slider"), [(2, "bias of the forget gate"), (4, "step"), (5, "forget bias")]
)
def test_a_picture_follows_a_key_within_a_second(page, cell, slider):
    widget = output(page, cell)
    row = widget.locator(".widget-slider", has_text=slider)
    handle = row.locator(".noUi-handle")
    taken = []
    for key in ("ArrowRight", "ArrowLeft") * 4:
        page.evaluate(MEASURE, [widget.element_handle(), handle.element_handle()])
        handle.press(key)
        page.wait_for_function("window.measured !== null")
        taken.append(page.evaluate("window.measured"))
    print(f"cell {cell}, {slider}: {min(taken):.0f} to {max(taken):.0f} ms from key to picture")
    assert min(taken) < 1000


@pytest.mark.parametrize("width", [1400, 700])
def test_widgets_fit_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 1400})
    try:
        page.wait_for_timeout(1000)
        for cell in (2, 4, 5):
            widget = output(page, cell)
            widget.scroll_into_view_if_needed()
            widget.screenshot(path=OUT / f"cell_{cell}_at_{width}.png")
            page.screenshot(path=OUT / f"page_{cell}_at_{width}.png")
            overhang = widget.evaluate(
                """widget => {
                  const edge = widget.getBoundingClientRect().right;
                  const parts = [...widget.querySelectorAll("img, .widget-slider, button, b")];
                  return Math.max(...parts.map(p => p.getBoundingClientRect().right - edge));
                }"""
            )
            assert overhang <= 1
            track = widget.locator(".noUi-target").first.bounding_box()["width"]
            assert track >= (300 if width == 1400 else 70)  # where the file browser is open
    finally:
        page.set_viewport_size({"width": 1300, "height": 1400})


def test_formulas_of_the_course_fit_on_a_narrow_page(page, lab, folder):
    cells = []
    for path in sorted((HERE.parents[1] / "notebooks").glob("*.ipynb")):
        texts = [cell for cell in nbformat.read(path, as_version=4).cells if "$$" in cell.source]
        cells += [cell for cell in texts if cell.cell_type == "markdown"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "formulas.ipynb")
    narrow = page.context.browser.new_page()
    try:
        narrow.set_viewport_size({"width": 700, "height": 1400})
        narrow.goto(lab.replace("widgets.ipynb", "formulas.ipynb") + "&reset")
        formulas = narrow.locator('.jp-Cell mjx-container[display="true"]')
        expect(formulas).to_have_count(sum(cell.source.count("$$") // 2 for cell in cells))
        narrow.keyboard.press("Control+b")  # closes the file browser
        expect(narrow.locator("#jp-left-stack")).to_be_hidden()
        cut_off = formulas.evaluate_all(
            """formulas => formulas.filter(formula => {
              const edge = formula.closest(".jp-RenderedMarkdown").getBoundingClientRect().right;
              return formula.querySelector("mjx-math").getBoundingClientRect().right > edge;
            }).map(formula => formula.textContent)"""
        )
        assert cut_off == []
    finally:
        narrow.close()


def test_no_cell_of_the_notebook_failed(page):
    page.screenshot(path=OUT / "page.png")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 6
    failed = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
    assert page.locator(failed).count() == 0
    assert page.get_by_text("Error displaying widget").count() == 0
