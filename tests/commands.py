"""The command within a test, and what it says."""

from effifusion_lite.command_line.parser import main


def run(*words):
    """Run the command; return its exit status."""
    return main([str(word) for word in words])


def messages(capsys):
    """What the command says; no traceback, and each message begins a line of its own."""
    error = capsys.readouterr().err
    assert "Traceback" not in error
    lines = error.replace("\r", "\n").splitlines()
    assert all(line.startswith("effifusion: ") for line in lines if "effifusion: " in line)
    return [line for line in lines if line.startswith("effifusion: ")]
