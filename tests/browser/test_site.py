"""The site that `make site` builds, in headless Chromium, on a phone's and on a laptop's width.

The browser reaches this machine only. Screenshots are left in `out/browser/site/`.
"""

import functools
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import urllib.parse

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).parents[2]
OUT = ROOT / "out" / "browser" / "site"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
WIDTHS = {"phone": 390, "laptop": 1280}
LOOK = """async () => {
  if (window.MathJax) await MathJax.startup.promise;
  const wrong = [];
  const width = document.scrollingElement.clientWidth;
  if (document.scrollingElement.scrollWidth > width) {
    const wide = [...document.querySelectorAll("article *")]
      .filter(e => e.getBoundingClientRect().right > width + 1).map(e => e.outerHTML.slice(0, 80));
    wrong.push("wider than the window: " + wide[0]);
  }
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => wrong.push("picture: " + image.src));
    if (!image.alt && !image.closest("a")) wrong.push("no description: " + image.src);
  }
  for (const e of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    wrong.push("formula: " + e.textContent);
  for (const e of document.querySelectorAll("article .math"))
    if (!e.querySelector("mjx-container")) wrong.push("not set: " + e.textContent);
  for (const e of document.querySelectorAll(".system-message, .problematic"))
    wrong.push("message of Sphinx: " + e.textContent);
  return wrong;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built anew; a warning of Sphinx is an error."""
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going"]
        + ["-d", str(out / "doctrees"), "-c", "docs/site", ".", str(out / "html")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr[-5000:]
    return out / "html"


@pytest.fixture(scope="module")
def address(site):
    """The address at which the site is served as long as the tests of this file run."""
    handler = functools.partial(QuietHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.fail("no browser: apt-get install chromium, or set CHROMIUM", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def pages(site):
    """The site's pages, as paths below its folder."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@pytest.mark.parametrize("screen", WIDTHS)
def test_every_page_shows_all_its_pictures_and_formulas(site, address, browser, screen):
    folder = OUT / screen
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": WIDTHS[screen], "height": 900})
    wrong, name = [], None
    page.on("console", lambda m: m.type == "error" and wrong.append(f"{name}: console: {m.text}"))
    page.on("pageerror", lambda error: wrong.append(f"{name}: script: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"{name}: request: {request.url}"))
    for name in pages(site):
        page.goto(address + name)
        wrong += [f"{name}: {what}" for what in page.evaluate(LOOK)]
        page.screenshot(path=folder / (name.replace("/", "-") + ".png"))
    page.close()
    assert not wrong, "\n".join(wrong)


def test_every_link_inside_the_site_leads_somewhere(site):
    trees = {
        name: BeautifulSoup((site / name).read_text("utf-8"), "html.parser") for name in pages(site)
    }
    places = {
        name: {tag["id"] for tag in tree.select("[id]")} | {""} for name, tree in trees.items()
    }
    broken = []
    for name, tree in trees.items():
        for link in [tag["href"] for tag in tree.select("a[href]")]:
            url = urllib.parse.urlsplit(urllib.parse.urljoin(f"http://site/{name}", link))
            if url.netloc != "site":
                continue
            target = urllib.parse.unquote(url.path).lstrip("/")
            if target in places:
                found = urllib.parse.unquote(url.fragment) in places[target]
            else:
                found = (site / target).is_file()
            if not found:
                broken.append(f"{name}: {link}")
    assert not broken, "\n".join(broken)


def test_the_search_finds_a_notebook_and_a_class(address, browser):
    page = browser.new_page()
    page.goto(address + "search.html?q=peephole")
    finished = "() => /found/.test(document.querySelector('.search-summary')?.textContent)"
    page.wait_for_function(finished)  # results appear one by one
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
    page.close()
    assert any("/notebooks/" in link for link in found)
    assert any("/docs/site/api/" in link for link in found)


def test_notebooks_carry_their_stored_outputs(site):
    text = (site / "notebooks" / "03_lstm_architecture.html").read_text("utf-8")
    assert text.count('class="cell_output') >= 5
