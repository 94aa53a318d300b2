"""What `/metrics` says: values by name and labels, and what each metric is said to be."""

import re

from client import fetch

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One page: `page["waymark_calls_shed_total", "reads"]`, labels' values in their order."""

    def __init__(self, text):
        self.values, self.labels, self.kinds, self.helps = {}, {}, {}, {}
        for line in filter(None, text.splitlines()):
            if line.startswith("# TYPE "):
                name, self.kinds[name] = line.split(" ")[2:]
            elif line.startswith("# HELP "):
                name, self.helps[name] = line.split(" ", 3)[2:]
            else:
                name, labels, value = SAMPLE.fullmatch(line).groups()
                labels = LABEL.findall(labels or "")
                self.values[name, *(text for _, text in labels)] = float(value)
                self.labels.setdefault(self.family(name), set()).update(label for label, _ in labels)

    @classmethod
    def of(cls, server):
        """The page of a server, for its operator."""
        status, headers, body = fetch(server.target, "/metrics", server.admin_token)
        assert status == 200 and headers["content-type"].startswith("text/plain"), status
        return cls(body.decode())

    def family(self, name):
        """The metric that a sample belongs to."""
        base = re.sub("_(bucket|sum|count)$", "", name)
        return base if self.kinds.get(base) == "histogram" else name

    def __getitem__(self, key):
        return self.values[key if isinstance(key, tuple) else (key,)]

    def get(self, *key):
        """The value, 0 where nothing was counted."""
        return self.values.get(key, 0.0)
