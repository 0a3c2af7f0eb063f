"""The dashboard in a real Chromium: every button, what changes while one looks, long logs, many folders, the words of strangers,
the keyboard, a phone, dark and light.

one build, not quick
"""

import re

import pytest

from browser import Browser
from tend import Tendd
from web import Web

ESCAPE, TAB, ENTER = "\ue00c", "\ue004", "\ue007"
EVIL = "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>"
FOLDER = "[folder %s]\npath = %s/%s\nremote = disk:%s\nsettle = 50ms\npace = 100%%\n%s"
CLOCK = "[service clock]\ncommand = sleep 1000\nnetwork = no\n"


@pytest.fixture(scope="module")
def chromium():
    with Browser() as browser:
        yield browser


class Page:
    def __init__(self, tendd, browser):
        self.tendd = tendd
        self.browser = browser
        self.web = None

    def disk(self):
        self.tendd.folder("remote")
        return "[remote disk]\ntype = directory\npath = %s/remote\n" % self.tendd.root

    def folder(self, name, more=""):
        self.tendd.folder(name)
        return FOLDER % (name, self.tendd.root, name, name, more)

    def open(self, sections, view=""):
        self.web = Web(self.tendd, sections).start()
        code = self.tendd.post("/v1/web/login")["code"]
        self.browser.go("about:blank")
        self.browser.console()
        self.browser.go("http://%s/#login=%s" % (self.web.host, code))
        self.browser.until(lambda: self.browser.run("return document.querySelector('#live').dataset.on") == "yes", "live")
        assert "login" not in self.browser.run("return location.href")
        return self.look(view) if view else self

    def look(self, view):
        self.browser.run("location.hash = '#/' + arguments[0]", view)
        return self

    def asks(self, title):
        self.browser.until_text(title, "dialog[open]")
        return self.browser.run("return document.querySelector('dialog').innerText")

    def answer(self, label):
        self.browser.click("dialog[open] button", label)
        self.browser.until(lambda: self.browser.run("return !document.querySelector('dialog').open"), "the end of the question")

    def until_gone(self, text):
        self.browser.until(lambda: text not in self.browser.text, "the end of %r" % text)

    def tag(self, unit):
        return self.browser.run("return document.querySelector(`[data-unit=\"${arguments[0]}\"] .tag`)?.textContent", unit)

    def until_tag(self, unit, text):
        self.browser.until(lambda: self.tag(unit) == text, "%s %s" % (unit, text))


@pytest.fixture
def page(tendd, chromium):
    page = Page(tendd, chromium)
    yield page
    assert chromium.run("return window.hit") is None
    wrong = [line for line in chromium.console() if line["level"] == "SEVERE"]
    # What a browser says about answers that are no success, and about a daemon that went away, is no fault of the page.
    assert [line for line in wrong if "Failed to load resource" not in line["message"]] == []
    elsewhere = chromium.run("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))")
    assert elsewhere == []


def test_first_run(page):
    page.open("")
    b = page.browser
    b.until_text("It runs, and has nothing to do yet")
    assert str(page.tendd.ini) in b.text
    page.tendd.configure(CLOCK, tend=page.web.tend)
    b.click("button", "Read the configuration")
    page.until_tag("service:clock", "✓ up")
    page.tendd.configure("[service clock\n", tend=page.web.tend)
    assert page.tendd.reload().status == 422
    b.until_text("The configuration was refused")
    b.go("http://%s/" % page.web.host)
    b.until_text("The configuration was refused")


def test_login(page):
    page.open(CLOCK)
    b = page.browser
    assert b.run("return document.cookie") == "" and b.run("return localStorage.length + sessionStorage.length") == 0
    b.click("#logout")
    b.type("#token", "wrong")
    b.click("main button", "Log in")
    b.until_text("this is not the token", "#message")
    b.type("#token", page.web.token)
    b.press(ENTER)
    page.until_tag("service:clock", "✓ up")
    # After a restart of tendd its sessions are gone: the page says so by itself.
    page.tendd.stop()
    b.until(lambda: b.run("return document.querySelector('#live').dataset.on") == "no", "no connection")
    page.tendd.start()
    b.find("#token")
    # A link works once.
    code = page.tendd.until(lambda: page.tendd.post("/v1/web/login").body.get("code"), "a code")
    for _ in range(2):
        b.go("about:blank")
        b.go("http://%s/#login=%s" % (page.web.host, code))
        page.until_tag("service:clock", "✓ up")
    b.until_text("this link was used before", "#message")


def test_service(page):
    page.open(CLOCK + "[service talk]\ncommand = sh -c 'echo one; while [ ! -e %s/go ]; do sleep 0.1; done; echo two; exec sleep 1000'\n"
              "network = no\n" % page.tendd.root)
    b = page.browser
    b.until_text("All is as it should be", ".banner")
    b.until_text(" of memory, 0.0 % of a processor", "[data-unit='service:clock']")
    b.click("button", "Stop clock")
    page.until_tag("service:clock", "– down")
    b.click("button", "Start clock")
    page.until_tag("service:clock", "✓ up")
    pid = page.tendd.service_part("clock")["pid"]
    b.click("button", "Restart clock")
    page.tendd.until(lambda: page.tendd.service_part("clock")["pid"] not in (None, pid), "another pid")
    # Somebody else's order is seen as well, and a command that cannot run.
    page.tendd.post("/v1/units/service:clock/stop")
    page.until_tag("service:clock", "– down")
    b.click("[data-unit='service:talk'] a", "Log")
    b.until_text("one", ".log")
    assert "two" not in b.run("return document.querySelector('.log').textContent")
    (page.tendd.root / "go").touch()
    b.until_text("two", ".log")
    b.until_text("Z two", ".log > div:last-child")
    b.type("main input[type=search]", "ONE")
    assert b.run("return [...document.querySelectorAll('.log > div')].filter(e => e.checkVisibility()).map(e => e.textContent.slice(-3))") == ["one"]
    b.click("main button", "Stop talk")
    b.until_text("stopped by hand")
    b.click("a", "Overview")
    page.until_tag("service:talk", "– down")


def test_folder(page):
    page.open(page.disk() + page.folder("data"))
    b, data = page.browser, page.tendd.root / "data"
    page.until_tag("folder:data", "✓ safe")
    b.until_text("Everything is safe", ".banner")
    (data / "a").write_bytes(b"x" * 300000)
    b.until_text("1 file, 293 KiB", "[data-unit='folder:data']")
    b.until(lambda: "at most 0 B/s" not in b.run("return document.querySelector('svg.chart').getAttribute('aria-label')"), "throughput")
    b.click("button", "Pause data")
    page.until_tag("folder:data", "– paused")
    b.click("button", "Resume data")
    page.until_tag("folder:data", "✓ safe")
    scans = page.tendd.folder_part("data")["scans"]
    b.click("button", "Sync data now")
    page.tendd.until(lambda: page.tendd.folder_part("data")["scans"] > scans, "a scan")
    page.look("folder:data")
    b.click("button", "Verify")
    page.tendd.until(lambda: page.tendd.folder_part("data")["verify"]["last"], "a verify")
    b.until_text("Last verify")
    b.click("main button", "Pause")
    page.tendd.until(lambda: page.tendd.folder_part("data")["paused"], "a pause")
    b.click("main button", "Resume")
    b.click("main button", "Sync now")
    page.tendd.until_idle("data")
    events = page.tendd.get("/v1/history")["events"]
    assert {event["text"] for event in events} >= {"%s by the web" % order for order in ("sync", "pause", "resume", "verify")}


def show_deletions(browser):
    """The first of such buttons, which rests until its last question has ended: the next one asks about something else."""
    browser.until(lambda: browser.run("return !document.querySelector('.call button').disabled"), "the button")
    browser.click(".call button", "Show them")


def test_brakes(page):
    """What would go is shown, and only that goes; a question that is closed has done nothing."""
    remote, data = page.tendd.folder("remote/data"), page.tendd.folder("data")
    (remote / "foreign").write_text("f")
    names = ["file %d.txt" % n for n in range(6)] + ["keep.tmp"]
    for name in names:
        (data / name).write_text(name)
    page.open(page.disk() + page.folder("data", "max_delete = 2\n"), "folder:data")
    b = page.browser
    page.tendd.barrier("data")
    for name in names[:4]:
        (data / name).unlink()
    b.until_text("4 deletions held back")
    for way in ("Cancel", ESCAPE):
        show_deletions(b)
        shown = page.asks("Delete these at the remote?")
        assert all(name in shown for name in names[:4]) and names[5] not in shown
        if way == ESCAPE:
            b.press(way)
            b.until(lambda: b.run("return !document.querySelector('dialog').open"), "its end")
        else:
            page.answer(way)
    assert page.tendd.folder_part("data")["deletions"]["files"] == 4
    show_deletions(b)
    page.asks("Delete these at the remote?")
    page.answer("Delete them there")
    b.until_text("Approved")
    page.tendd.until(lambda: not (remote / names[0]).exists() and (remote / names[5]).exists(), "the deletions")

    page.until_gone("deletions held back")
    b.until_text("1 file only the remote has")
    b.click(".call button", "Show them")
    assert "foreign" in page.asks("Remove these at the remote?")
    page.answer("Remove them there")
    page.tendd.until(lambda: not (remote / "foreign").exists(), "the stranger's end")

    page.until_gone("only the remote has")
    page.tendd.configure(page.disk() + page.folder("data", "max_delete = 2\nexclude = *.tmp\n"), tend=page.web.tend)
    assert page.tendd.reload().status == 200
    b.until_text("1 file that the rules no longer cover")
    b.click(".call button", "Show them")
    assert "keep.tmp" in page.asks("Remove these at the remote?")
    page.answer("Remove them there")
    page.tendd.until(lambda: not (remote / "keep.tmp").exists(), "the end of what is forgotten")

    page.until_gone("no longer cover")
    data.rename(page.tendd.root / "old")
    page.tendd.folder("data")
    page.tendd.post("/v1/units/folder:data/sync")
    b.until_text("Another folder stands where the synced one was")
    b.click(".call button", "Go on with what is there now")
    page.asks("Go on with what is there now?")
    page.answer("Go on")
    page.tendd.until(lambda: not page.tendd.folder_part("data")["refused_root"], "another root")


def test_versions_and_restore(page):
    page.open(page.disk() + page.folder("data"), "folder:data")
    b, data = page.browser, page.tendd.root / "data"
    (data / "sub").mkdir()
    path = data / "sub" / "plan.txt"
    for text in ("first", "the second"):
        path.write_text(text)
        page.tendd.barrier("data")
    b.click("button", "Show files")
    b.click("table button", "sub/")
    b.until(lambda: b.run("return document.querySelector('table[data-path=sub]')"), "the folder")
    b.click("button", "Versions of plan.txt")
    b.until(lambda: b.run("return document.querySelectorAll('table[data-versions] tbody tr').length") == 2, "two versions")
    b.click("table[data-versions] tbody tr:last-child button", "Restore")
    assert "plan.txt" in page.asks("Bring back sub/plan.txt?")
    page.answer("Bring back")
    b.until_text("Brought back 1 file", "#message")
    assert path.read_text() == "first"
    page.tendd.barrier("data")
    link = b.run("return document.querySelector('table[data-versions] a').href")
    assert b.run("const [url] = arguments; return fetch(url).then(a => a.text())", link) in ("first", "the second")
    path.unlink()
    page.tendd.barrier("data")
    b.click("button", "← Files")
    b.click("nav button", "data")
    b.until_text("Show files")


def test_conflict(page):
    page.open(page.disk() + page.folder("data", "mode = two-way\npoll = 1s\n"), "folder:data")
    b, data, remote = page.browser, page.tendd.root / "data", page.tendd.root / "remote" / "data"
    (data / "notes.txt").write_text("one")
    page.tendd.barrier("data")
    page.tendd.post("/v1/units/folder:data/pause")
    (data / "notes.txt").write_text("mine, longer")
    (remote / "notes.txt").write_text("theirs, also longer")
    page.tendd.post("/v1/units/folder:data/resume")
    b.until_text("1 conflict")
    b.click("button", "Versions of notes.txt")
    b.until(lambda: b.run("return document.querySelector('table[data-versions]')?.dataset.versions") == "notes.txt", "its versions")
    b.click("button", "Keep mine of notes.txt")
    assert "notes.txt (goes)" in page.asks("Keep mine?")
    page.answer("Cancel")
    b.click("button", "Keep theirs of notes.txt")
    assert ").txt (goes)" in page.asks("Keep theirs?")
    page.answer("Keep theirs")
    b.until_text("notes.txt is theirs now", "#message")
    page.until_gone("1 conflict")
    page.tendd.until(lambda: [path.name for path in data.iterdir()] == ["notes.txt"], "one of them")
    assert (data / "notes.txt").read_text() == "theirs, also longer"


def test_step_and_history(page):
    mark = page.tendd.root / "mark"
    page.open("[step look]\nrun = echo doing it; touch %s\nunless = test -e %s\n" % (mark, mark), "step:look")
    b = page.browser
    b.until_text("doing it", ".log")
    mark.unlink()
    b.click("button", "What would it do?")
    b.until(lambda: b.run("return document.querySelector('main').innerText.includes(': ')"), "a plan")
    b.click("button", "Run it")
    page.asks("Run the step look?")
    page.answer("Run it")
    page.tendd.until(mark.exists, "the step's work")
    page.look("history")
    b.until_text("run by the web")
    b.type("main input", "ordered look")
    b.until(lambda: b.run("return [...document.querySelectorAll('tbody tr')].every(r => /ordered/.test(r.innerText))"), "a search")
    b.type("main input", "nothing like it")
    b.until_text("Nothing.", "main")
    b.type("main input", "")
    b.click("button", "Read again")
    b.until_text("run by the web")


def test_long_log(page):
    """Ten thousand lines at once, and thousands more: the page keeps the last ten thousand, and goes on."""
    page.open("[service talk]\ncommand = sh -c 'seq -f \"line %%.0f\" 10000; while [ ! -e %s/go ]; do sleep 0.1; done; "
              "seq -f \"more %%.0f\" 3000; exec sleep 1000'\nnetwork = no\n" % page.tendd.root, "service:talk")
    b = page.browser
    b.until_text("line 10000", ".log > div:last-child")
    assert b.run("return document.querySelector('.log').childElementCount") == 10000
    b.click("a", "Overview")
    b.click("[data-unit='service:talk'] a", "Log")
    b.until_text("line 10000", ".log > div:last-child")
    (page.tendd.root / "go").touch()
    b.until_text("more 3000", ".log > div:last-child")
    assert b.run("return document.querySelector('.log').childElementCount") == 10000
    assert b.run("const l = document.querySelector('.log'); return l.scrollHeight - l.scrollTop - l.clientHeight") < 40
    b.type("main input[type=search]", "more 299")
    assert b.run("return [...document.querySelectorAll('.log > div')].filter(e => !e.hidden).length") == 11


def test_hundred_folders(page):
    page.open(page.disk() + "".join(page.folder("f%02d" % n) for n in range(100)))
    b = page.browser
    b.until(lambda: b.run("return document.querySelectorAll('[data-unit^=\"folder:\"]').length") == 100, "100 folders")
    b.until(lambda: b.run("return [...document.querySelectorAll('.tag')].filter(t => t.textContent === '✓ safe').length") == 100, "all safe")
    (page.tendd.root / "f73" / "new").write_text("x" * 2048)
    b.until_text("1 file, 2.0 KiB", "[data-unit='folder:f73']")
    b.until_text("Everything is safe", ".banner")
    b.run("document.querySelector('[data-unit=\"folder:f99\"] a').click()")
    b.until_text("disk:f99")


def test_words_of_strangers(page):
    """Names of files, lines of logs, errors and commands are text, whatever they say."""
    page.open(page.disk() + page.folder("data", "max_delete = 1\n") + "[service talk]\ncommand = sh -c 'echo \"$0\"; sleep 1000' '%s'\n"
              "network = no\n[service bad]\ncommand = /nonexistent/%s\nnetwork = no\n[step s]\nrun = echo '%s'; exit 1\n"
              % (EVIL, EVIL.replace("/", "|"), EVIL))
    b, data = page.browser, page.tendd.root / "data"
    evil = EVIL.replace("/", "|")
    for n in range(4):
        (data / (evil + str(n))).write_text("x")
    page.tendd.barrier("data")
    b.until_text("<img", "[data-unit='service:bad']")
    page.look("service:talk")
    b.until_text(EVIL, ".log")
    b.until_text(EVIL, "dl")
    page.look("step:s")
    b.until_text(EVIL, ".log")
    b.click("button", "What would it do?")
    b.click("button", "Run it")
    assert EVIL in page.asks("Run the step s?")
    page.answer("Cancel")
    page.look("folder:data")
    b.click("button", "Show files")
    b.until_text(evil + "3", "table")
    b.click("button", "Versions of <img")
    b.until(lambda: b.run("return document.querySelector('table[data-versions]')?.dataset.versions.startsWith('<img')"), "versions")
    for path in list(data.iterdir())[:3]:
        path.unlink()
    b.click(".call button", "Show them")
    assert evil in page.asks("Delete these at the remote?")
    page.answer("Cancel")
    page.look("history")
    b.until_text("/nonexistent/<img", "main")
    page.look(EVIL)
    b.until_text("There is no unit")
    assert b.run("return document.querySelectorAll('main img, main script').length") == 0
    # And were it otherwise, nothing inline is run.
    b.run("document.body.insertAdjacentHTML('beforeend', arguments[0]); const s = document.createElement('script'); s.textContent = 'window.hit=2';"
          "document.body.append(s)", EVIL)
    b.until(lambda: any("Content Security Policy" in line["message"] for line in b.console()), "a refusal")


def luminance(colour):
    parts = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Of every text that is seen: its colour and that of the nearest ground below it.
COLOURS = """
const found = [];
for (const e of document.querySelectorAll('body *')) {
	if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.disabled) continue;
	let ground = e;
	while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
	found.push([getComputedStyle(e).color, getComputedStyle(ground || document.body).backgroundColor, e.textContent.slice(0, 40)]);
}
return found;
"""


def test_phone_dark_keyboard(page):
    """Nothing is cut off on a phone; contrast is at least 4.5 in both schemes; everything has a name; the keyboard gets there."""
    page.open(page.disk() + page.folder("data", "max_delete = 1\n") + CLOCK + "[service bad]\ncommand = /nonexistent/" + "x" * 120 +
              "\nnetwork = no\n[step s]\nrun = true\n")
    b, data = page.browser, page.tendd.root / "data"
    for n in range(4):
        (data / ("%d-" % n + "a-long-name-" * 12)).write_text("x")
    page.tendd.barrier("data")
    for path in list(data.iterdir())[:3]:
        path.unlink()
    page.tendd.until(lambda: page.tendd.unit("folder:data")["needs_person"], "a brake")
    try:
        for width, dark in ((390, False), (390, True), (1280, False), (1280, True)):
            b.size(width, 800, mobile=width < 500)
            b.dark(dark)
            for view, text in (("", "needs you"), ("folder:data", "deletions held back"), ("service:clock", "Log file"), ("step:s", "Output"),
                               ("history", "entries")):
                page.look(view)
                b.until_text(text, "main")
                if view == "folder:data":
                    b.click("button", "Show files")
                    b.until_text("a-long-name", "table")
                assert b.run("return document.documentElement.scrollWidth") <= width, (view, width)
                for text_colour, ground, words in b.run(COLOURS):
                    light, deep = sorted((luminance(text_colour), luminance(ground)), reverse=True)
                    assert (light + 0.05) / (deep + 0.05) >= 4.5, (words, text_colour, ground, dark, view)
                nameless = b.run("return [...document.querySelectorAll('a, button, input, svg, progress')].filter(e => e.checkVisibility() && !("
                                 "e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.title)).map(e => e.outerHTML)")
                assert nameless == []
    finally:
        b.protocol("Emulation.clearDeviceMetricsOverride")
        b.dark(False)
    page.look("")
    b.until_text("needs you", ".banner")
    b.run("document.activeElement.blur(); window.getSelection().removeAllRanges(); document.querySelector('.skip').focus()")
    b.press(ENTER)
    assert b.run("return document.activeElement.id") == "main"
    reached = set()
    for _ in range(20):
        b.press(TAB)
        reached.add(b.run("return document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"))
        assert b.run("return document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert {"Sync data now", "Pause data", "Stop clock", "Restart clock"} <= reached, reached
