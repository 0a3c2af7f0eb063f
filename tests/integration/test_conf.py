"""What ships beside the programs: examples, manual pages, completions and plists agree with what the programs know."""

import os
import plistlib
import pwd
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
CONF = os.path.join(SOURCE, "conf")
BIN = os.environ["TEND_BIN"]
EXAMPLES = ["tend.ini", "quickstart.ini", "messages.ini", "jupyter-vm.ini", "paperspace-gpu.ini", "training.ini"]
PAGES = ["tend.ini.5", "tendd.8", "tend-keeper.8", "tend.1"]


def run(*words, **options):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


# ---- examples ----


def made_possible(text, place):
    """The example for this machine: its user, and the folders and secrets it names."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = text.replace("user = ubuntu", "user = " + user).replace("~/", "%s/" % place)
    text = text.replace("/home/ubuntu", "%s/home" % place).replace("/srv/", "%s/srv/" % place)
    text = text.replace("/etc/tend/secrets", "%s/secrets" % place)
    for path in re.findall(r"^(?:path|directory) = (/\S+)$", text, re.M):
        os.makedirs(path, exist_ok=True)
    for path in re.findall(r"_file = (/\S+)$", text, re.M):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("not a real key\n")
    if "[tend]" not in text:
        text = "[tend]\n" + text
    if "state_dir" not in text:
        text = text.replace("[tend]", "[tend]\nstate_dir = %s/state\nruntime_dir = %s/run\nlog_dir = %s/log" % (
            (place,) * 3), 1)
    return text


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid(name, tmp_path):
    ini = tmp_path / name
    ini.write_text(made_possible(read("conf", name), tmp_path))
    ini.chmod(0o600)
    got = run(os.path.join(BIN, "tendd"), "--check", "-c", str(ini))
    assert (got.returncode, got.stderr) == (0, "")


def commented_examples():
    """What tend.ini shows: a section, and the keys below it, without the mark of a comment."""
    blocks = []
    for line in read("conf", "tend.ini").splitlines():
        text = line[2:]
        if re.fullmatch(r"\[[^]]+\]", text):
            blocks.append([])
        if blocks and re.fullmatch(r"\[[^]]+\]|[a-z_]+ = .*|  +\S.*", text):
            blocks[-1].append(text)
    return ["\n".join(block) + "\n" for block in blocks]


def test_each_kind_of_remote_has_an_example():
    kinds = re.findall(r"^type = (\S+)$", "".join(commented_examples()), re.M)
    assert sorted(kinds) == ["azure", "directory", "gdrive", "s3", "sftp", "webdav"]


@pytest.mark.parametrize("block", [*commented_examples(), "".join(commented_examples())], ids=lambda block: block.split("]")[0][1:])
def test_commented_examples_are_valid(block, tmp_path):
    needs = "" if "[remote cloud]" in block or "remote = cloud:" not in block else "[remote cloud]\npath = %s/srv/cloud\n" % tmp_path
    ini = tmp_path / "tend.ini"
    ini.write_text(made_possible("%s%s" % (needs, block), tmp_path).replace("path = /mnt", "path = %s/mnt" % tmp_path))
    ini.chmod(0o600)
    got = run(os.path.join(BIN, "tendd"), "--check", "-c", str(ini))
    assert (got.returncode, got.stderr) == (0, "")


def test_the_check_of_examples_can_fail(tmp_path):
    ini = tmp_path / "tend.ini"
    ini.write_text("[folder a]\npth = /srv\n")
    got = run(os.path.join(BIN, "tendd"), "--check", "-c", str(ini))
    assert got.returncode == 2 and "tend.ini:2: " in got.stderr


def test_what_ships_as_tend_ini_is_all_comments():
    for line in read("conf", "tend.ini").splitlines():
        assert line == "" or line.startswith(";")


def test_every_example_is_tested():
    assert sorted(EXAMPLES) == sorted(name for name in os.listdir(CONF) if name.endswith(".ini"))


# ---- manual pages ----


@pytest.mark.parametrize("page", PAGES)
def test_manual_pages_are_clean(page):
    got = run("mandoc", "-T", "lint", "-W", "style", os.path.join(CONF, page))
    # What mandoc says about pages that are not installed here says nothing about ours.
    assert [line for line in got.stdout.splitlines()
            if "mandoc.db" not in line and "referenced manual not found" not in line] == []
    assert run("mandoc", "-T", "utf8", os.path.join(CONF, page)).stdout.count("\n") > 40


def documented_keys():
    keys, section = set(), None
    for line in read("conf", "tend.ini.5").splitlines():
        head = re.match(r"\.Ss \[(\w+)", line)
        if head:
            section = head.group(1)
        elif line.startswith(".Sh"):
            section = None
        elif section and line.startswith(".It Cm "):
            keys.update((section, key) for key in line[len(".It Cm "):].split() if key != ",")
    return keys


def known_keys():
    got = run(os.path.join(BIN, "tendd"), "--help-config")
    assert got.returncode == 0
    keys, sections, section = set(), set(), None
    for line in got.stdout.splitlines():
        head = re.match(r"\[(\w+)", line)
        if head:
            section = head.group(1)
            sections.add(section)
        elif line.startswith("  "):
            keys.add((section, line.split()[0]))
    return keys, sections


def test_every_key_has_its_place_in_the_manual():
    keys, sections = known_keys()
    documented = documented_keys()
    assert len(keys) > 50
    assert keys - documented == set()
    assert documented - keys == set()
    page = read("conf", "tend.ini.5")
    for section in sections:
        assert re.search(r"^\.Ss .*\[%s\b" % section, page, re.M), section


def test_commands_stand_in_the_manual_with_their_options():
    page = read("conf", "tend.1")
    for name, options in commands().items():
        assert re.search(r"\bCm %s\b" % name, page), name
        for option in options:
            assert "Fl -%s" % option in page or ", -%s" % option in page, (name, option)


# ---- completions ----


def commands():
    """What the command itself says: its commands and their own long options."""
    tend = os.path.join(BIN, "tend")
    names = re.findall(r"^  ([a-z-]+) ", run(tend, "--help").stdout, re.M)
    return {name: re.findall(r"^ .*--([a-z-]+)", run(tend, name, "--help").stdout, re.M)
            for name in names}


def complete_in_bash(line, path):
    words = line.split(" ")
    script = "source '%s'; COMP_WORDS=(%s); COMP_CWORD=%d; _tend; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (
        os.path.join(CONF, "completions", "tend.bash"), " ".join("'%s'" % word for word in words), len(words) - 1)
    got = run("bash", "-c", script, env=dict(os.environ, PATH=path + ":" + os.environ["PATH"]))
    assert got.stderr == ""
    return sorted(got.stdout.split())


@pytest.fixture
def path_with_tend(tmp_path):
    """A `tend` that lists two folders and a service."""
    program = tmp_path / "tend"
    program.write_text("#!/bin/sh\ncat <<'X'\n{\n  \"units\": [\n    {\n      \"unit\": \"folder:messages\",\n"
                       "    }, {\n      \"unit\": \"folder:photos\",\n    }, {\n      \"unit\": \"service:jupyter\"\n"
                       "    }\n  ]\n}\nX\n")
    program.chmod(0o755)
    return str(tmp_path)


def test_bash_completes(path_with_tend):
    assert complete_in_bash("tend ", path_with_tend) == sorted(commands())
    for name, options in commands().items():
        offered = complete_in_bash("tend %s --" % name, path_with_tend)
        assert set("--" + option for option in options) <= set(offered), name
    assert complete_in_bash("tend wait ", path_with_tend) == ["messages", "photos"]
    assert complete_in_bash("tend --json logs j", path_with_tend) == ["jupyter"]
    assert complete_in_bash("tend -c /x status ", path_with_tend) == ["jupyter", "messages", "photos"]


@pytest.mark.parametrize("shell, file", [("zsh", "_tend"), ("fish", "tend.fish"), ("bash", "tend.bash")])
def test_completions_name_everything(shell, file):
    path = os.path.join(CONF, "completions", file)
    got = run(shell, "-n", path)
    assert (got.returncode, got.stderr) == (0, "")
    text = read("conf", "completions", file)
    for name, options in commands().items():
        assert re.search(r"\b%s\b" % name, text), name
        for option in options:
            assert re.search(r"(--|-l )%s\b" % option, text), (name, option)


def test_fish_completes(path_with_tend):
    script = "source '%s'; complete -C '%s'"
    for line, offered in (("tend wait ", ["messages", "photos"]), ("tend logs ", ["jupyter"]),
                          ("tend sta", ["start", "status"])):
        got = run("fish", "--no-config", "-c", script % (os.path.join(CONF, "completions", "tend.fish"), line),
                  env=dict(os.environ, PATH=path_with_tend + ":" + os.environ["PATH"], HOME=path_with_tend))
        assert sorted(row.split("\t")[0] for row in got.stdout.splitlines()) == offered


# ---- plists ----


@pytest.mark.parametrize("name", ["tend.daemon.plist", "tend.agent.plist"])
def test_plists(name, tmp_path):
    path = os.path.join(SOURCE, "launchd", name)
    binary = tmp_path / "plist"
    got = run("plistutil", "-i", path, "-f", "bin", "-o", str(binary))
    assert got.returncode == 0, got.stderr
    plist = plistlib.loads(binary.read_bytes())
    assert plist["Label"] + ".plist" == name
    assert plist["AbandonProcessGroup"] is True
    assert plist["ExitTimeOut"] >= 90  # shutdown_timeout
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    assert "/usr/local/bin" in plist["EnvironmentVariables"]["PATH"].split(":")
    assert plist["ProgramArguments"] == ["@PREFIX@/bin/tendd"]
