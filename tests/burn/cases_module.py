"""Cases for Burn's module operations."""

from tests.burn.cases_module_conv import CASES as CONV
from tests.burn.cases_module_dense import CASES as DENSE
from tests.burn.cases_module_pool import CASES as POOL
from tests.burn.cases_module_resample import CASES as RESAMPLE
from tests.burn.cases_module_sequence import CASES as SEQUENCE
from tests.burn.harness import Case

CASES: list[Case] = [*CONV, *DENSE, *POOL, *RESAMPLE, *SEQUENCE]
