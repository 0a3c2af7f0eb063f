"""What decides whether a machine goes off: each comparison turned, each "and" made an "or", each "unknown" taken for idle, one at
a time, and every time the tables of tests/unit must notice.

one build (the sources are compiled here, without sanitizers)
"""

import concurrent.futures
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POWER = ROOT / "lib" / "power"
FLAGS = ["-std=c17", "-O0", "-w", "-D_GNU_SOURCE", "-I", str(ROOT / "lib"), "-I", str(ROOT / "tests")]

# Source of the decision, and the table that must notice.
PURE = {
    "idle_verdict.c": "power_verdict.c",
    "idle_next.c": "power_verdict.c",
    "signal_cpu.c": "power_signals.c",
    "signal_net.c": "power_signals.c",
    "signal_tty.c": "power_signals.c",
    "signal_tmux.c": "power_signals.c",
    "signal_jobs.c": "power_signals.c",
    "signal_ssh.c": "power_signals.c",
    "signal_mosh.c": "power_signals.c",
    "signal_gpu.c": "power_signals.c",
    "signal_jupyter.c": "power_signals.c",
    "signal_command.c": "power_signals.c",
}
# Where only the function that decides is turned; what reads the system is seen by the fixtures.
ONLY = {"signal_cpu.c": ["signal_cpu"], "signal_net.c": ["signal_net"], "signal_tty.c": ["signal_tty", "signal_tty_output_age"],
        "signal_tmux.c": ["signal_tmux"], "signal_jobs.c": ["signal_jobs"], "signal_ssh.c": ["signal_ssh", "with_tty", "without_tty"],
        "signal_mosh.c": ["signal_mosh"], "signal_gpu.c": ["signal_gpu"], "signal_jupyter.c": ["kernel_says"],
        "signal_command.c": ["signal_command"]}

TURNS = [
    (r" < ", [" <= ", " > "]),
    (r" > ", [" >= ", " < "]),
    (r" <= ", [" < ", " > "]),
    (r" >= ", [" > ", " < "]),
    (r" == ", [" != "]),
    (r" != ", [" == "]),
    (r" && ", [" || "]),
    (r" \|\| ", [" && "]),
    (r"(?<!\w)!(?=[a-z(*])", [""]),
    (r"!= IDLE_IDLE\b", ["== IDLE_ACTIVE"]),
    (r"(?<== )IDLE_ACTIVE\b(?= \?)", ["IDLE_UNKNOWN"]),
    (r"\bIDLE_UNKNOWN\b", ["IDLE_IDLE"]),
    (r"\bIDLE_ACTIVE\b", ["IDLE_IDLE"]),
    (r"\btrue\b", ["false"]),
    (r"\bfalse\b", ["true"]),
]

# Another way to write the same thing: no table can tell them apart. (file, a piece of the line, what it became)
SAME = [
    ("idle_verdict.c", "facts->active_ms[i] > since_ms", ">= since_ms"),  # the larger of two equals
    ("signal_ssh.c", "session->output_age_ms < age_ms", "<= age_ms"),  # the smaller of two equals
    ("signal_gpu.c", "else if (gpu->processes > 0)", ">= 0"),  # 0 is seen to above
]


def functions(text):
    """Name to (begin, end) of each function's body."""
    found = {}
    for match in re.finditer(r"^[a-z][^;={}]*?\b(\w+)\([^;{}]*\) \{\n(?:.*\n)*?\}\n", text, re.M):
        found[match.group(1)] = match.span()
    return found


def code_mask(text):
    """True where a character is code: no comment, no string, no line of the preprocessor."""
    mask = [True] * len(text)
    for match in re.finditer(r'/\*.*?\*/|"(?:\\.|[^"\\])*"|^#[^\n]*$|for \([^;]*;[^;]*;', text, re.S | re.M):
        for i in range(*match.span()):
            mask[i] = False
    return mask


def mutants(name):
    text = (POWER / name).read_text()
    mask = code_mask(text)
    bodies = functions(text)
    spans = [bodies[function] for function in ONLY[name]] if name in ONLY else [(0, len(text))]
    for begin, end in spans:
        for pattern, turned in TURNS:
            for match in re.compile(pattern).finditer(text, begin, end):
                if not mask[match.start()]:
                    continue
                line = text[text.rfind("\n", 0, match.start()) + 1:text.find("\n", match.start())]
                number = text.count("\n", 0, match.start()) + 1
                for new in turned:
                    mutant = text[:match.start()] + new + text[match.end():]
                    new_line = mutant[mutant.rfind("\n", 0, match.start()) + 1:mutant.find("\n", match.start())]
                    if any(name == file and piece in line and became in new_line for file, piece, became in SAME):
                        continue
                    yield "%s:%d: %s" % (name, number, new_line.strip()), mutant


def run(command, cwd):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Everything but the mutants, compiled once."""
    folder = tmp_path_factory.mktemp("objects")
    sources = [*(ROOT / "lib").glob("power/*.c"), *(ROOT / "lib").glob("base/*.c"), *(ROOT / "lib").glob("loop/*.c"),
               *(ROOT / "lib").glob("config/*.c"), *(ROOT / "lib").glob("process/*.c"), *(ROOT / "lib").glob("http/*.c"),
               *(ROOT / "tests" / "unit").glob("power_*.c")]
    sources = [source for source in sources if not source.stem.endswith("_macos")]

    def compile_one(source):
        done = run(["cc", *FLAGS, '-DTEND_VERSION="x"', "-DTEND_TESTS_DIR=\"%s\"" % (ROOT / "tests"),
                    "-DTEND_BIN_DIR=\"%s\"" % os.environ["TEND_BIN"], "-c", source,
                    "-o", folder / (source.parent.name + "-" + source.stem + ".o")], folder)
        assert done.returncode == 0, done.stderr
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, sources))
    return folder


def libraries():
    names = ["libuv", "libcurl", "inih", "jansson", "libsystemd", "cmocka"]
    return shlex.split(run(["pkg-config", "--libs", *names], "/").stdout) + ["-ldl", "-lpthread"]


def linked(objects, name, replaced, out):
    """The program of the table, with one object of power replaced."""
    others = [o for o in objects.glob("*.o") if not o.name.startswith("unit-") and o.name != "power-%s.o" % Path(name).stem]
    test = objects / ("unit-%s.o" % Path(PURE[name]).stem)
    done = run(["cc", test, replaced, *others, *libraries(), "-o", out], objects)
    assert done.returncode == 0, done.stderr
    return out


def test_the_tables_pass_as_it_stands(objects, tmp_path):
    for name in ("idle_verdict.c", "signal_cpu.c"):
        program = linked(objects, name, objects / ("power-%s.o" % Path(name).stem), tmp_path / Path(name).stem)
        done = run([program], tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PURE)
def test_every_turn_is_noticed(objects, tmp_path, name):
    def survives(item):
        number, (what, text) = item
        source, replaced, program = (tmp_path / ("%d%s" % (number, end)) for end in (".c", ".o", ""))
        source.write_text(text)
        done = run(["cc", *FLAGS, '-DTEND_VERSION="x"', "-c", source, "-o", replaced], tmp_path)
        if done.returncode != 0:
            return None  # the compiler noticed
        linked(objects, name, replaced, program)
        try:
            alive = run([program], tmp_path).returncode == 0
        except subprocess.TimeoutExpired:
            alive = False
        program.unlink()
        return what if alive else None
    found = list(mutants(name))
    assert len(found) >= 3, "nothing to turn in " + name
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        left = [what for what in pool.map(survives, enumerate(found)) if what]
    assert not left, "%d of %d were not noticed:\n%s" % (len(left), len(found), "\n".join(left))
