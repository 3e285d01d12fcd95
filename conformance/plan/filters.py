"""Which cases, implementations, dtypes and quantities are asked for, by glob patterns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.ids import ImplementationId
from conformance.plan.cases import Located
from conformance.quantities import BEHAVIOUR, PROBE

#: The families of a quick run: those that the question is about, special values, and what contracts promise.
QUICK_FAMILIES = (
    "hard-labels",
    "soft-labels",
    "out-of-range-labels",
    "extreme-predictions",
    "special-values",
    "contracts",
)


#: The quantities of a quick run: what one plain call tells.
QUICK = ("value", *BEHAVIOUR, PROBE)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Glob patterns; an empty tuple lets everything pass.  `preset` only names where the others come from."""

    backend: tuple[str, ...] = ()
    implementation: tuple[str, ...] = ()
    case: tuple[str, ...] = ()
    flag: tuple[str, ...] = ()
    dtype: tuple[str, ...] = ()
    quantity: tuple[str, ...] = ()
    mode: tuple[str, ...] = ()
    without_flag: tuple[str, ...] = ()
    preset: tuple[str, ...] = ()

    def quick(self) -> Filters:
        """These filters, and what they leave open narrowed to what a minute is enough for."""
        return dataclasses.replace(
            self,
            case=self.case or QUICK_FAMILIES,
            mode=self.mode or (BASE_MODE,),
            dtype=self.dtype or ("float32", "float16"),
            quantity=self.quantity or QUICK,
            without_flag=("large",),
            preset=("quick",),
        )

    def takes_case(self, located: Located) -> bool:
        """Whether a case passes by id, family and flags."""
        return self.takes_scenario(located.case.id, located.family, located.case.flags)

    def takes_scenario(self, case: str, family: str, flags: Sequence[str]) -> bool:
        """Whether a case of that id, family and flags passes."""
        by_id = matches(self.case, case) or matches(self.case, family)
        wanted = not self.flag or any(matches(self.flag, flag) for flag in flags)
        unwanted = self.without_flag and any(matches(self.without_flag, flag) for flag in flags)
        return by_id and wanted and not unwanted

    def takes_implementation(self, one: Declaration) -> bool:
        """Whether an implementation passes by id (or the part before its mode), backend and mode."""
        return self.takes_id(one.id)

    def takes_id(self, implementation: str) -> bool:
        """Whether the implementation of that id passes."""
        one = ImplementationId.parse(implementation)
        by_id = matches(self.implementation, implementation) or matches(self.implementation, one.family)
        return by_id and matches(self.backend, one.backend) and matches(self.mode, one.mode)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether `name` matches any of the glob `patterns`, or there is none."""
    return not patterns or any(fnmatchcase(name, pattern) or name == pattern for pattern in patterns)
