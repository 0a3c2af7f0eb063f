"""The `q` of files.list, parsed strictly: a term that is not known is refused, as the real server refuses it."""
import re

from . import errors

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^'\\]|\\['\\])*')|(?P<op><=|>=|!=|=|<|>|\(|\)|\{|\})|(?P<word>[A-Za-z]+))")


def tokens(text):
    at, found = 0, []
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise errors.invalid("Invalid Value", "q")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def unquote(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1])


class Parser:
    def __init__(self, text):
        self.left = tokens(text)

    def peek(self):
        return self.left[0] if self.left else (None, None)

    def take(self, kind, *values):
        got, value = self.peek()
        if got != kind or (values and value not in values):
            raise errors.invalid("Invalid Value", "q")
        self.left.pop(0)
        return value

    def whole(self):
        test = self.either()
        if self.left:
            raise errors.invalid("Invalid Value", "q")
        return test

    def either(self):
        tests = [self.both()]
        while self.peek() == ("word", "or"):
            self.left.pop(0)
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda f: any(test(f) for test in tests)

    def both(self):
        tests = [self.one()]
        while self.peek() == ("word", "and"):
            self.left.pop(0)
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda f: all(test(f) for test in tests)

    def one(self):
        kind, value = self.peek()
        if (kind, value) == ("word", "not"):
            self.left.pop(0)
            test = self.one()
            return lambda f: not test(f)
        if (kind, value) == ("op", "("):
            self.left.pop(0)
            test = self.either()
            self.take("op", ")")
            return test
        if kind == "text":
            return self.membership(unquote(self.take("text")))
        return self.term(self.take("word"))

    def membership(self, value):
        self.take("word", "in")
        where = self.take("word", "parents", "owners", "writers", "readers")
        if where == "parents":
            return lambda f: f.has_parent(value)
        return lambda f: value in ("me", f.owner)

    def term(self, field):
        if field == "name":
            op = self.take("op", "=", "!=") if self.peek()[0] == "op" else self.take("word", "contains")
            # "=" does not look at the case; "contains" matches beginnings of words.
            want = unquote(self.take("text")).lower()
            return {"=": lambda f: f.name.lower() == want, "!=": lambda f: f.name.lower() != want,
                    "contains": lambda f: any(word.startswith(want) for word in starts(f.name.lower()))}[op]
        if field == "mimeType":
            op = self.take("op", "=", "!=") if self.peek()[0] == "op" else self.take("word", "contains")
            want = unquote(self.take("text"))
            return {"=": lambda f: f.mime == want, "!=": lambda f: f.mime != want,
                    "contains": lambda f: f.mime.startswith(want)}[op]
        if field in ("trashed", "starred"):
            op = self.take("op", "=", "!=")
            want = (self.take("word", "true", "false") == "true") == (op == "=")
            return lambda f: (f.is_trashed() if field == "trashed" else False) == want
        if field in ("modifiedTime", "createdTime"):
            op = self.take("op", "=", "!=", "<", ">", "<=", ">=")
            want = unquote(self.take("text"))
            return lambda f: compare(f.modified if field == "modifiedTime" else f.created, op, want)
        if field in ("appProperties", "properties"):
            self.take("word", "has")
            self.take("op", "{")
            self.take("word", "key")
            self.take("op", "=")
            key = unquote(self.take("text"))
            self.take("word", "and")
            self.take("word", "value")
            self.take("op", "=")
            value = unquote(self.take("text"))
            self.take("op", "}")
            return lambda f: (f.app_properties if field == "appProperties" else f.properties).get(key) == value
        if field == "sharedWithMe":
            if self.peek() == ("op", "="):
                self.left.pop(0)
                self.take("word", "true", "false")
            return lambda f: False
        raise errors.invalid("Invalid Value", "q")


def starts(name):
    return [name] + [name[m.end():] for m in re.finditer(r"[\s_.-]+", name)]


def compare(left, op, right):
    return {"=": left == right, "!=": left != right, "<": left < right, ">": left > right, "<=": left <= right,
            ">=": left >= right}[op]


def parse(text):
    """A test of one file."""
    return Parser(text).whole()
