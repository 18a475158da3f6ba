"""Checks the language of the project: spelling, Markdown, and the words of words.txt.

    python tests/language/check.py   exit code 1 if anything is wrong
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Pages; texts that the program and the rules show to operators; and code with its comments.
TEXTS = ["*.md", "docs", "deploy", "config", "crates", "src", "tests/config/bad"]
SUFFIXES = {".md", ".rs", ".yaml", ".yml", ".expected", ".py", ".html"}


def files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *TEXTS], cwd=ROOT, capture_output=True, check=True
    )
    names = listed.stdout.decode().split("\0")
    return sorted(
        name for name in names if pathlib.Path(name).suffix in SUFFIXES and (ROOT / name).is_file()
    )


def rules():
    for line in (HERE / "words.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, instead = line.split(" => ")
            yield re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead


def wrong_words(name, words):
    """Finds also what is broken over two lines, with the marks of comments between."""
    text = (ROOT / name).read_text()
    joined = re.sub(r"\n[ \t]*(?://[/!]?|#|>)?[ \t]*", lambda gap: gap[0][:1] + " " * (len(gap[0]) - 1), text)
    for pattern, instead in words:
        spaced = re.compile(pattern.pattern.replace(" ", r"\s+"), re.IGNORECASE)
        for found in spaced.finditer(joined):
            line = text.count("\n", 0, found.start()) + 1
            word = " ".join(found[0].split())
            yield f'{name}:{line}: "{word}": write {instead}'


def wrong_markdown(names):
    """By file, what pymarkdown says of it."""
    run = subprocess.run(
        [sys.executable, "-m", "pymarkdown", "--config", HERE / "pymarkdown.json", "scan", *names],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    if run.returncode not in (0, 1) or run.stderr:
        sys.exit(f"pymarkdown: {run.stderr or run.returncode}")
    for line in run.stdout.splitlines():
        yield str(pathlib.Path(line.split(":")[0]).resolve().relative_to(ROOT)), line


def wrong_spelling(names):
    run = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--ignore-words", HERE / "spelling.txt", *names],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    if run.stderr:
        sys.exit(f"codespell: {run.stderr}")
    return run.stdout.splitlines()


def main():
    names = files()
    words = list(rules())
    found = {name: list(wrong_words(name, words)) for name in names}
    for name, line in wrong_markdown([name for name in names if name.endswith(".md")]):
        found[name].append(line.replace(f"{ROOT}/", ""))
    wrong = wrong_spelling(names)
    wrong += [line for name in names for line in found[name]]
    print("".join(f"{line}\n" for line in wrong), end="")
    print(f"{len(names)} files")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
