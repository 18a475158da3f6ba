"""Checks the language of the project: spelling, Markdown, and the words of words.txt.

    python tests/language/check.py            check; exit code 1 if anything is wrong
    python tests/language/check.py --update   remove from unconverted.txt what is clean now

The words and the Markdown of files in unconverted.txt are not checked yet. The list only shrinks: a
file in it that is clean or missing is an error. Spelling is checked everywhere.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UNCONVERTED = HERE / "unconverted.txt"

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
    unconverted = UNCONVERTED.read_text().split()
    still = [name for name in unconverted if found.get(name)]
    if sys.argv[1:] == ["--update"]:
        UNCONVERTED.write_text("".join(f"{name}\n" for name in still))
        unconverted = still
    wrong = wrong_spelling(names)
    wrong += [line for name in names if name not in unconverted for line in found[name]]
    wrong += [
        f"{name}: is clean or gone: take it out of tests/language/unconverted.txt (--update)"
        for name in unconverted
        if name not in still
    ]
    print("".join(f"{line}\n" for line in wrong), end="")
    print(f"{len(names)} files, {len(unconverted)} of them still to be converted")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
