"""Options that commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from conformance.adapters import DEVICES
from conformance.errors import did_you_mean, understood
from conformance.numbers.formats import FORMATS
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.quantities import QUANTITIES
from conformance.record.compare import FailOn
from conformance.run import asked, kept
from conformance.run.run import TIMEOUT, Options, open_pool
from conformance.versions.companions import known


class RunFile(click.Path):
    """A run record: a file, or what a run that is kept is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The file.  Raises InputError for a number that no kept run has."""
        return super().convert(kept.named(str(value)), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The runs that are kept, and files."""
        named = [CompletionItem(name) for name in kept.names() if name.startswith(incomplete)]
        return [*named, *super().shell_complete(ctx, param, incomplete)]


#: What commands that read a run take.
RUN_FILE = RunFile(dir_okay=False)

#: Seconds of CPU time that one shard of a sweep may take: the first may compile, and a slow backend needs tens of
#: seconds.
SHARD_LIMIT = 600.0

Function = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """What a command was asked for: cases of the folder of `--cases`, if there is one, and everything else of a run."""

    folder: Path | None
    options: Options

    def suite(self) -> cases.Suite:
        """The suite of that folder, or the default one, read now."""
        return cases.load_suite(self.folder.expanduser() if self.folder else cases.default_folder())


def gathering(argument: str, made: Callable[..., Any], *names: str) -> Callable[[Function], Function]:
    """Hands what the options of these names were given to a command as one argument, which is made of them."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def command(*given: Any, **named: Any) -> Any:
            own = {name: named.pop(name) for name in names}
            return function(*given, **{argument: made(**own)}, **named)

        return command

    return decorate


def asking(*names: str) -> Callable[[Function], Function]:
    """Hands what the options of these names were given to a command as `asked`."""
    return gathering("asked", _asked, *names)


def _asked(
    *,
    cases_folder: Path | None = None,
    adapters: tuple[Path, ...] = (),
    interpreters: tuple[str, ...] = (),
    device: str | None = None,
    backend: tuple[str, ...] = (),
    implementation: tuple[str, ...] = (),
    case_patterns: tuple[str, ...] = (),
    flag: tuple[str, ...] = (),
    dtype: tuple[str, ...] = (),
    mode: tuple[str, ...] | None = None,
    quantity: tuple[str, ...] = (),
    timeout: float = TIMEOUT,
    memory: str | None = None,
    jobs: int | None = None,
) -> Asked:
    """What the words of options mean; a command that has no `--mode` leaves all modes.  Raises InputError."""
    filters = Filters(
        backend=tuple(known().backend(one) for one in backend),
        implementation=implementation,
        case=case_patterns,
        flag=flag,
        dtype=dtype,
        quantity=quantity,
        mode=() if mode is None else asked.modes(mode, implementation),
    )
    options = Options(
        filters=filters,
        adapters=asked.adapter_files(adapters),
        interpreters={known().backend(one): path for one, path in asked.interpreters(interpreters).items()},
        timeout=asked.timeout(timeout),
        jobs=jobs,
        environment=asked.environment(device),
        memory=asked.memory(memory),
        needs=known().backends,
    )
    return Asked(cases_folder, options)


class Named(click.Choice[str]):
    """One of some names; what others call the same is understood, and a name that is near is asked for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name.  Raises click's error, which says what was meant."""
        names = [str(one) for one in self.choices]
        word = understood(str(value), names)
        if word not in names:
            self.fail(f"{value!r} is none of {', '.join(names)}: {did_you_mean(word, names)}", param, ctx)
        return word


def complete_backends(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Backends whose names begin so."""
    return [name for name in known().backends if name.startswith(incomplete)]


def complete_cases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Cases whose ids begin so; after a `#` the elements of one."""
    suite = Asked(ctx.params.get("cases_folder"), Options()).suite()
    found = {one.case.id: one.case for one in suite.cases}
    case, mark, _ = incomplete.partition("#")
    names = [f"{case}#{one.id}" for one in found[case].elements] if mark and case in found else list(found)
    return [name for name in names if name.startswith(incomplete)]


def complete_implementations(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Built-in implementations whose names begin so, backend/entry; after that in each of their modes."""
    with open_pool(Options()) as pool:
        found = [one for backend in pool.discover() for one in backend.implementations]
    families = [name for name in dict.fromkeys(one.family for one in found) if name.startswith(incomplete)]
    return families or [one.id for one in found if one.id.startswith(incomplete)]


def complete_subjects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem | str]:
    """Cases, implementations, runs and files: what the first word of some commands may be."""
    names = [*complete_cases(ctx, param, incomplete), *complete_implementations(ctx, param, incomplete)]
    return [*map(CompletionItem, names), *RUN_FILE.shell_complete(ctx, param, incomplete)]


CASES = click.option("--cases", "cases_folder", type=click.Path(path_type=Path), help="Folder of case files.")
ADAPTER = click.option(
    "--adapter", "adapters", multiple=True, type=click.Path(path_type=Path), help="Adapter file (repeatable)."
)
INTERPRETER = click.option(
    "--python", "interpreters", multiple=True, metavar="BACKEND=INTERPRETER", help="Run a backend (glob) there."
)
DTYPE = click.option(
    "--dtype", multiple=True, type=Named(tuple(FORMATS)), metavar="DTYPE", help=f"Of the inputs: {', '.join(FORMATS)}."
)
QUANTITY = click.option(
    "--quantity", multiple=True, type=Named(tuple(QUANTITIES)), metavar="QUANTITY", help=f"{', '.join(QUANTITIES)}."
)

#: What chooses cases, adapters and a part of the plan, wherever it runs, by the names of `_asked`.
PLAN = {
    "cases_folder": CASES,
    "adapters": ADAPTER,
    "backend": click.option(
        "--backend", multiple=True, shell_complete=complete_backends, help="Backends to run (glob, repeatable)."
    ),
    "implementation": click.option(
        "--implementation",
        multiple=True,
        shell_complete=complete_implementations,
        help="Implementations (glob on the id or on backend/entry).",
    ),
    "case_patterns": click.option(
        "--case",
        "case_patterns",
        multiple=True,
        shell_complete=complete_cases,
        help="Cases (glob on the id or the family).",
    ),
    "flag": click.option("--flag", multiple=True, help="Cases with this flag (glob)."),
    "dtype": DTYPE,
    "mode": click.option(
        "--mode", multiple=True, help="Execution modes (glob) [default: eager, or those of --implementation; '*': all]."
    ),
    "quantity": QUANTITY,
    "timeout": click.option(
        "--timeout", default=TIMEOUT, show_default=True, help="CPU seconds of one request, or asleep on end."
    ),
    "memory": click.option("--memory", metavar="SIZE", help="What a worker may hold, such as 2GB [default: no limit]."),
    "jobs": click.option("--jobs", type=click.IntRange(1), help="Workers at once [default: the cores]."),
}

#: The same where it runs in the environments that are there.
SUITE = PLAN | {
    "interpreters": INTERPRETER,
    "device": click.option(
        "--device", type=click.Choice(DEVICES), help="Where to compute; a backend without it is absent [default: cpu]."
    ),
}


def plan_options(function: Function) -> Function:
    """Options that choose cases, adapters and a part of the plan, wherever it runs; the command gets `asked`."""
    return _with(PLAN, function)


def suite_options(function: Function) -> Function:
    """Those, interpreters and a device; the command gets `asked`."""
    return _with(SUITE, function)


def _with(options: Mapping[str, Callable[[Function], Function]], function: Function) -> Function:
    return listed(options.values(), asking(*options)(function))


def listed(options: Iterable[Callable[[Function], Function]], function: Function) -> Function:
    """A command with options, which its help has in this order."""
    for option in reversed(tuple(options)):
        function = option(function)
    return function


#: What chooses a part of a run that was made: the filters.
PART = {
    name: PLAN[name] for name in ("backend", "implementation", "case_patterns", "flag", "dtype", "mode", "quantity")
}


def filter_options(function: Function) -> Function:
    """The filters of a run, for a run that was made: the command gets `filters`, of which no mode is all modes."""
    return listed(PART.values(), gathering("filters", _filters, *PART)(function))


def _filters(*, case_patterns: tuple[str, ...], **patterns: tuple[str, ...]) -> Filters:
    return Filters(case=case_patterns, **patterns)


def fail_options(function: Function) -> Function:
    """Options on what counts as a regression; the command gets `limits`."""
    options = (
        click.option(
            "--fail-on",
            multiple=True,
            metavar="WHAT",
            help="Also fail on behaviour, conforming or drift:NUMBERulp (repeatable).",
        ),
        click.option("--allow-missing", is_flag=True, help="Checks that only the old run has are no regression."),
    )
    return listed(options, gathering("limits", _limits, "fail_on", "allow_missing")(function))


def _limits(*, fail_on: tuple[str, ...], allow_missing: bool) -> FailOn:
    return FailOn.parse(fail_on, allow_missing)
