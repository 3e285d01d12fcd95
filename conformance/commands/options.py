"""Options that commands share, and what they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conformance.adapters import DEVICES
from conformance.errors import InputError
from conformance.known import deviations
from conformance.numbers.formats import FORMATS
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.plan.implementations import BASE_MODE
from conformance.pool import usage
from conformance.quantities import QUANTITIES
from conformance.run import kept
from conformance.run.run import TIMEOUT, Options


class RunFile(click.Path):
    """A run record: a file, or what a run that is kept is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The file.  Raises InputError for a number that no kept run has."""
        return super().convert(kept.named(str(value)), param, ctx)


#: A size of memory: a number and its unit.
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB)", re.IGNORECASE)
UNITS = {"MB": usage.MEGABYTE, "GB": 1_000 * usage.MEGABYTE}

#: What commands that read a run take.
RUN_FILE = RunFile(dir_okay=False)


def adapter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that name adapters and interpreters; the command gets `adapters` and `interpreters`."""
    for decorator in reversed(_ADAPTERS):
        function = decorator(function)
    return function


_ADAPTER = click.option(
    "--adapter", "adapters", multiple=True, type=click.Path(path_type=Path), help="Adapter file (repeatable)."
)
_INTERPRETER = click.option(
    "--python", "interpreters", multiple=True, metavar="BACKEND=INTERPRETER", help="Run a backend there."
)
_ADAPTERS = (_ADAPTER, _INTERPRETER)


def suite_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose cases, adapters and a part of the plan; the command gets `suite` and `options`."""
    decorators = [
        _INTERPRETER,
        click.option(
            "--device",
            type=click.Choice(DEVICES),
            help="Where to compute; a backend without it is absent [default: cpu].",
        ),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return plan_options(function)


def plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose cases, adapters and a part of the plan, wherever it runs."""
    decorators = [
        click.option("--cases", "cases_folder", type=click.Path(path_type=Path), help="Folder of case files."),
        _ADAPTER,
        click.option("--backend", multiple=True, help="Backends to run (glob, repeatable)."),
        click.option("--implementation", multiple=True, help="Implementations (glob on the id or on backend/entry)."),
        click.option("--case", "case_patterns", multiple=True, help="Cases (glob on the id or the family)."),
        click.option("--flag", multiple=True, help="Cases with this flag (glob)."),
        click.option("--dtype", multiple=True, type=click.Choice(tuple(FORMATS)), help="dtypes of the inputs."),
        click.option(
            "--mode", multiple=True, help="Execution modes (glob) [default: eager; '*' for compiled and others too]."
        ),
        click.option("--quantity", multiple=True, type=click.Choice(QUANTITIES), help="Quantities."),
        click.option(
            "--timeout", default=TIMEOUT, show_default=True, help="CPU seconds of one request, or asleep on end."
        ),
        click.option("--memory", metavar="SIZE", help="What a worker may hold, such as 2GB [default: no limit]."),
        click.option("--jobs", type=click.IntRange(1), help="Workers at once [default: the cores]."),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def options_from(arguments: dict[str, Any], strict: bool = False) -> Options:
    """The Options that the arguments of `suite_options` mean; takes them out of `arguments`."""
    adapters, interpreters = adapters_from(arguments)
    timeout = arguments.pop("timeout")
    if not 0 < timeout < 86_400:
        raise InputError(f"--timeout must lie between 0 and 86400 s (got {timeout:g})")
    mode = _modes(arguments)
    filters = Filters(
        backend=arguments.pop("backend"),
        implementation=arguments.pop("implementation"),
        case=arguments.pop("case_patterns"),
        flag=arguments.pop("flag"),
        dtype=arguments.pop("dtype"),
        quantity=arguments.pop("quantity"),
        mode=mode,
    )
    device = arguments.pop("device", None)
    environment = {} if device is None else {"BCE_DEVICE": device}
    memory = memory_from(arguments)
    return Options(
        filters=filters,
        adapters=adapters,
        interpreters=interpreters,
        timeout=timeout,
        jobs=arguments.pop("jobs"),
        strict=strict,
        environment=environment,
        memory=memory,
    )


def memory_from(arguments: dict[str, Any]) -> int | None:
    """The bytes that `--memory` means, None without it; takes it out of `arguments`.  Raises InputError."""
    text = arguments.pop("memory", None)
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if not size:
        raise InputError(f"--memory must be a size above 0 in MB or GB (got {text!r})", "for example --memory 2GB")
    if not usage.KNOWN:
        raise InputError(f"--memory needs /proc, which this system does not have (got {text!r})", "leave it out")
    return size


def adapters_from(arguments: dict[str, Any]) -> tuple[tuple[Path, ...], dict[str, str]]:
    """Adapter files and interpreters by backend, as `adapter_options` give them; takes them out of `arguments`.

    A path may begin with `~`, as a record tells one of the home folder.
    """
    interpreters = {}
    for text in arguments.pop("interpreters", ()):
        backend, separator, path = text.partition("=")
        if not separator or not backend or not path:
            raise InputError(f"--python must be BACKEND=INTERPRETER (got {text!r})")
        interpreters[backend] = os.path.expanduser(path)
    adapters = tuple(file.expanduser() for file in arguments.pop("adapters"))
    for file in adapters:
        if not file.is_file() or file.suffix != ".py":
            raise InputError(f"--adapter must be a Python file (got {str(file)!r})")
    return adapters, interpreters


def _modes(arguments: dict[str, Any]) -> tuple[str, ...]:
    """The modes asked for: plain calls, unless modes or implementations are named."""
    given: tuple[str, ...] = arguments.pop("mode", ())
    return given or (() if arguments.get("implementation") else (BASE_MODE,))


def suite_from(arguments: dict[str, Any]) -> cases.Suite:
    """The suite that `--cases` names, or the default one; takes it out of `arguments`."""
    folder: Path | None = arguments.pop("cases_folder")
    return cases.load_suite(folder.expanduser() if folder else cases.default_folder())


def record_from(paths: tuple[Path, ...], replace: bool = False) -> deviations.Record:
    """The shipped record of deviations with the files and folders of `--deviations` added, or those alone."""
    shipped = () if replace else (deviations.default_folder(),)
    return deviations.load((*shipped, *paths))
