"""Random work on a folder, as people and programs do it. The same seed is the same work."""

import hashlib
import os
import random
import shutil

PLAIN = ["a", "b", "c", "notes.txt", "IMG_0001.HEIC", "Makefile"]
HARD = ["with space", " lead", "trail ", "emoji \U0001f980\U0001f468\u200d\U0001f469\u200d\U0001f467", "nfd e\u0301o\u0308",
        "nfc \u00e9\u00f6", "100%", "%41%2F", "#x#", "a&b=c+d", "?q", "star*[x]", "quo'te\"", "back\\slash", "-rf", "~tilde", "$HOME",
        ";|<>", "tab\t", "..dots", "x.", "\u202ertl", "\u00a0", "\u4e2d\u6587", "l" * 200]
ONLY_DIRECTORY = ["line\nbreak", "\rreturn", "bell\a", os.fsdecode(b"\xff\xfe raw")]
LONGEST = 800  # bytes of a path: a store's key has its limits, and a version's name is longer


class Churn:
    def __init__(self, root, seed, directory=True):
        self.root = str(root)
        self.random = random.Random(seed)
        self.names = PLAIN * 3 + HARD + (ONLY_DIRECTORY if directory else [])
        self.kinds = {}  # path: file, link or folder
        self.written = {hashlib.md5(b"").digest()}  # of all contents there ever were, for a look at kept versions
        self.done = 0

    # ---- what is there ----

    def full(self, path):
        return os.path.join(self.root, path)

    def pick(self, *kinds):
        found = [path for path, kind in self.kinds.items() if kind in kinds]
        return self.random.choice(found) if found else None

    def free_path(self):
        """A path that is not taken, in a folder that is there."""
        for _ in range(20):
            folders = [path for path, kind in self.kinds.items() if kind == "folder" and path.count("/") < 4] + [""] * 3
            name = self.random.choice(self.names)
            if self.random.random() < 0.6:
                name = "%s %d" % (name, self.random.randrange(1000)) if len(name) < 100 else name
            path = os.path.join(self.random.choice(folders), name)
            if path not in self.kinds and len(os.fsencode(path)) < LONGEST:
                return path
        return None

    def below(self, path):
        return [other for other in self.kinds if other == path or other.startswith(path + "/")]

    def body(self):
        size = self.random.choice([0, 1, 10, 100, 1000, 1000, 4096, 10_000, 50_000])
        return self.random.randbytes(self.random.randrange(size + 1))

    def saw(self, path):
        with open(self.full(path), "rb") as file:
            self.written.add(hashlib.md5(file.read()).digest())

    def lead(self, path, target):
        os.symlink(target, self.full(path))
        self.written.add(hashlib.md5(target.encode()).digest())  # clouds keep links as objects

    # ---- the work: each says whether it found something to do ----

    def create(self):
        path = self.free_path()
        if path is None:
            return False
        with open(self.full(path), "wb", buffering=0) as file:
            file.write(self.body())
        self.kinds[path] = "file"
        self.saw(path)
        return True

    def edit(self):
        path = self.pick("file")
        if path is None:
            return False
        full = self.full(path)
        os.chmod(full, os.lstat(full).st_mode | 0o600)
        with open(full, "wb", buffering=0) as file:
            file.write(self.body())
        self.saw(path)
        if self.random.random() < 0.2:  # also a time that goes back
            os.utime(full, ns=(1, self.random.randrange(10**18)))
        return True

    def append(self):
        path = self.pick("file")
        if path is None:
            return False
        full = self.full(path)
        os.chmod(full, os.lstat(full).st_mode | 0o600)
        with open(full, "ab", buffering=0) as file:
            file.write(self.body())
        self.saw(path)
        return True

    def replace(self):
        """As editors do: another file beside, then renamed over it."""
        path = self.pick("file")
        beside = self.free_path()
        if path is None or beside is None:
            return False
        with open(self.full(beside), "wb", buffering=0) as file:
            file.write(self.body())
        os.rename(self.full(beside), self.full(path))
        self.saw(path)
        return True

    def rename(self):
        path, to = self.pick("file", "link"), self.free_path()
        if path is None or to is None:
            return False
        os.rename(self.full(path), self.full(to))
        self.kinds[to] = self.kinds.pop(path)
        return True

    def rename_folder(self):
        path, to = self.pick("folder"), self.free_path()
        if path is None or to is None or (to + "/").startswith(path + "/"):
            return False
        moved = self.below(path)
        longest = max(len(os.fsencode(other)) for other in moved) - len(os.fsencode(path)) + len(os.fsencode(to))
        if longest >= LONGEST:
            return False
        os.rename(self.full(path), self.full(to))
        for other in moved:
            self.kinds[to + other[len(path):]] = self.kinds.pop(other)
        return True

    def delete(self):
        path = self.pick("file", "link")
        if path is None:
            return False
        os.unlink(self.full(path))
        del self.kinds[path]
        return True

    def delete_tree(self):
        path = self.pick("folder")
        if path is None or len(self.below(path)) > len(self.kinds) // 4 + 3:
            return False
        shutil.rmtree(self.full(path))
        for other in self.below(path):
            del self.kinds[other]
        return True

    def make_folder(self):
        path = self.free_path()
        if path is None:
            return False
        os.mkdir(self.full(path))
        self.kinds[path] = "folder"
        return True

    def link(self):
        path = self.free_path()
        if path is None:
            return False
        self.lead(path, self.random.choice(["..", "nowhere/at all", "/etc/passwd", "a", "\u00e9 %41", "t" * 300]))
        self.kinds[path] = "link"
        return True

    def chmod(self):
        path = self.pick("file", "folder")
        if path is None:
            return False
        modes = [0o600, 0o644, 0o640, 0o755, 0o444, 0o700] if self.kinds[path] == "file" else [0o755, 0o700, 0o775, 0o711]
        os.chmod(self.full(path), self.random.choice(modes))
        return True

    def touch(self):
        path = self.pick("file", "link")
        if path is None:
            return False
        os.utime(self.full(path), ns=(0, self.random.randrange(2 * 10**18)), follow_symlinks=False)
        return True

    def change_kind(self):
        path = self.pick("file", "link")
        if path is None or path.count("/") > 3:
            return False
        os.unlink(self.full(path))
        kind = self.random.choice(["folder", "link", "file"])
        if kind == "folder":
            os.mkdir(self.full(path))
        elif kind == "link":
            self.lead(path, "changed")
        else:
            with open(self.full(path), "wb", buffering=0) as file:
                file.write(self.body())
        self.kinds[path] = kind
        if kind == "file":
            self.saw(path)
        return True

    def work(self, count):
        """So many operations, at full speed."""
        operations = {self.create: 25, self.edit: 12, self.append: 12, self.replace: 6, self.rename: 10, self.rename_folder: 4,
                      self.delete: 11, self.delete_tree: 2, self.make_folder: 5, self.link: 4, self.chmod: 6, self.touch: 4,
                      self.change_kind: 3}
        all_of_them, weights = list(operations), list(operations.values())
        while count > 0:
            if self.random.choices(all_of_them, weights)[0]():
                count -= 1
                self.done += 1
