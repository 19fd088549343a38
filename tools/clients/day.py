"""What the Python days share: the site on standard input, a line of JSON for each step."""

import json
import sys

SITE = json.load(sys.stdin)
_steps = []


def step(feature):
    def keep(function):
        _steps.append((feature, function))
        return function

    return keep


def run():
    for feature, function in _steps:
        line = {"feature": feature}
        try:
            function()
        except BaseException as error:  # every fault is told; the next step still runs
            line["fault"] = f"{type(error).__name__}: {error}"[:600]
        print(json.dumps(line), flush=True)


def refused(error_type, codes, call):
    """`call` must fail with one of these error codes."""
    try:
        call()
    except error_type as error:
        response = getattr(error, "response", None)
        code = response["Error"]["Code"] if isinstance(response, dict) else getattr(error, "code", str(error))
        assert code in codes or any(one in str(error) for one in codes), f"expected {codes}, got {code}: {error}"
        return
    raise AssertionError(f"expected {codes}, but it succeeded")
