"""`bce-conformance try`: a reader's own numbers on all implementations, through the same plan and judge."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from ruamel.yaml import YAML

from conformance.commands.options import Asked, suite_options
from conformance.errors import InputError
from conformance.known import deviations
from conformance.numbers import literals
from conformance.numbers.formats import FORMATS
from conformance.plan.cases import OPTIONS, Case, Element, Suite
from conformance.plan.plan import Inputs
from conformance.record import record
from conformance.render import narrate
from conformance.render.elements import check_table, print_table
from conformance.run import run as runs

#: More elements than this are judged but not printed one by one.
SHOWN = 8

#: Largest array that is taken from a file.
LARGEST = 1 << 20


@click.command("try")
@click.option("--form", required=True, type=click.Choice(["probabilities", "logits"]), help="What the prediction is.")
@click.option("--prediction", multiple=True, help="A literal (repeatable); write --prediction=-inf.")
@click.option("--label", multiple=True, help="A literal for each prediction.")
@click.option("--option", "settings", multiple=True, metavar="NAME=VALUE", help="weight or pos_weight.")
@click.option("--input", "file", type=click.Path(path_type=Path, dir_okay=False), help="Arrays in a NumPy .npz file.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write a case file that lints.")
@click.option("--reduction", type=click.Choice(["none", "mean", "sum"]), default="none", show_default=True)
@suite_options
def try_(
    form: str,
    prediction: tuple[str, ...],
    label: tuple[str, ...],
    settings: tuple[str, ...],
    file: Path | None,
    save: Path | None,
    reduction: str,
    asked: Asked,
) -> None:
    """Judge your own numbers: what every implementation returns, the ideal, the contract, why there is a NaN."""
    dtypes = asked.options.filters.dtype or ("float32",)
    options = replace(asked.options, filters=replace(asked.options.filters, dtype=()))
    if file is not None and (prediction or label or settings):
        raise InputError("--input holds all numbers: leave --prediction, --label and --option out")
    elements = _from_file(file) if file is not None else _from_words(prediction, label, settings)
    case = Case(
        id="tried/numbers",
        why="numbers that a reader tried",
        form=form,  # type: ignore[arg-type]  # click.Choice allows the members of Form only
        flags=(),
        elements=elements,
        dtypes=dtypes,  # type: ignore[arg-type]  # likewise
        reduction=reduction,  # type: ignore[arg-type]  # likewise
    )
    if save is not None:
        save_case(case, save)
    suite = Suite.of("tried", case)
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        done = runs.execute(pool, backends, plan, deviations.Record(Path(), ()), options)
    for dtype in dtypes:
        _tell_inputs(Inputs(case, dtype))
    for name, opened in done.opened.items():
        if opened.absent is not None or opened.failed is not None:
            click.echo(f"absent {name}: {opened.absent}" if opened.absent else f"failed {name}: {opened.failed}")
    if len(elements) <= SHOWN:
        print_table(check_table(done))
    else:
        _tell_worst(done)


def _from_words(
    predictions: tuple[str, ...], labels: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[Element, ...]:
    if not predictions or len(predictions) != len(labels):
        raise InputError(
            f"as many --label as --prediction are needed (got {len(predictions)} predictions, {len(labels)} labels)"
        )
    values: dict[str, Any] = {}
    for text in settings:
        name, separator, value = text.partition("=")
        if name not in OPTIONS or not separator:
            raise InputError(f"--option must be one of {', '.join(OPTIONS)} with =VALUE (got {text!r})")
        values[name] = value
    for number in (*predictions, *labels, *values.values()):
        try:
            literals.check(number)
        except literals.LiteralError as error:
            raise InputError(str(error)) from None
    return tuple(
        Element(id=f"e{index}", prediction=p, label=y, **values)
        for index, (p, y) in enumerate(zip(predictions, labels, strict=True))
    )


def _from_file(file: Path) -> tuple[Element, ...]:
    """Elements from the arrays `prediction`, `label` and optional `weight`, `pos_weight`; nothing is unpickled."""
    try:
        with np.load(file, allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is no .npz file of plain arrays: {error}") from None
    unknown = sorted(set(arrays) - {"prediction", "label", *OPTIONS})
    if unknown or not {"prediction", "label"} <= set(arrays):
        raise InputError(
            f"{file}: must hold prediction, label and optionally {', '.join(OPTIONS)} (got {list(arrays)})"
        )
    columns = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.size > LARGEST:
            raise InputError(
                f"{file}: {name} must hold at most {LARGEST} real numbers (got {array.size} {array.dtype})"
            )
        columns[name] = [_literal(value) for value in array.astype(np.float64).ravel().tolist()]
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) != 1 or not sizes["prediction"]:
        raise InputError(f"{file}: all arrays must have the same number of elements, at least 1 (got {sizes})")
    return tuple(
        Element(id=f"e{index}", **dict(zip(columns, row, strict=True)))
        for index, row in enumerate(zip(*columns.values(), strict=True))
    )


def _literal(value: float) -> str:
    return value.hex() if np.isfinite(value) else str(value)


def save_case(case: Case, file: Path) -> None:
    """A case file with these numbers; refuses to overwrite."""
    if file.exists():
        raise InputError(f"{file}: exists already", "name another file")
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower()).strip("-") or "numbers"
    slug = slug if slug[0].isalpha() else f"t{slug}"
    content: dict[str, Any] = {"id": f"tried/{slug}", "why": case.why, "form": case.form, "flags": []}
    content["dtypes"] = list(case.dtypes)
    if case.reduction != "none":
        content["reduction"] = case.reduction
    content["elements"] = [
        {key: value for key in ("id", "prediction", "label", *OPTIONS) if (value := getattr(one, key)) is not None}
        for one in case.elements
    ]
    text = io.StringIO()
    YAML().dump({"family": "tried", "title": "numbers that a reader tried", "cases": [content]}, text)
    record.write_lines([text.getvalue().rstrip().encode()], file)
    click.echo(f"wrote {file}: put it into a folder of cases")


def _tell_inputs(inputs: Inputs) -> None:
    if len(inputs.elements) > SHOWN:
        click.echo(f"{inputs.dtype}: {len(inputs.elements)} elements")
        return
    form = inputs.case.form
    told = zip(narrate.derivations(inputs), narrate.floors(inputs), narrate.why_nans(inputs), strict=True)
    for index, (derivation, *rest) in enumerate(told):
        click.echo(f"{inputs.dtype} {inputs.elements[index].id}: {narrate.exact_inputs(inputs, index)}")
        click.echo(f"    {narrate.FORMULA[form]}; {derivation}")
        for line in filter(None, rest):
            click.echo(f"    {line}")


def _tell_worst(done: runs.Run) -> None:
    """For each implementation and quantity the first non-finite and the worst element."""
    for check in done.checks:
        if not check.bits:
            if check.verdict not in ("conforms", "rejects"):
                click.echo(f"{check.id}: {check.verdict} {'; '.join(check.details)}")
            continue
        fmt = FORMATS.get(check.result_dtype)
        shown = [literals.text_of(int(bits, 16), fmt) if bits and fmt else "" for bits in check.bits]
        first = next((i for i, text in enumerate(shown) if text in ("nan", "inf", "-inf")), None)
        errors = [(error, i) for i, error in enumerate(check.scaled) if error == error]
        worst = max(errors, default=None)
        parts = [f"{check.id}: {check.verdict}"]
        if first is not None:
            parts.append(f"first non-finite {shown[first]} at {check.elements[first]}")
        if worst is not None:
            parts.append(f"worst {worst[0]:.3g} ULP at {check.elements[worst[1]]} (got {shown[worst[1]]})")
        parts += check.details
        click.echo(", ".join(parts))
        for index in {i for i in (first, worst[1] if worst else None) if i is not None}:
            values = {
                name: float(array[min(index, len(array) - 1)]) for name, array in check.request.inputs.values.items()
            }
            click.echo(f"    {check.elements[index]}: prediction={values['prediction']!r} label={values['label']!r}")
