"""Resources of jobs, and mistakes as the error of whoever plans."""

import inspect

import pytest

from uad.base.errors import InputError
from uad.plan.requests import Raising, Requests, raising


def test_resources_grow_with_each_attempt():
    asked = Requests({"accelerator": "auto", "local_gpus": 2}).growing(mem_mb=(16, 32), runtime=5)
    assert [asked["mem_mb"](None, attempt) for attempt in (1, 2, 3)] == [16, 32, 48]
    assert [asked["runtime"](None, attempt) for attempt in (1, 2)] == [5, 10]


def test_a_cpu_may_need_more_and_asks_for_no_gpu():
    requests = Requests({"accelerator": "cpu", "local_gpus": 2})
    assert requests.growing(mem_mb=(16, 32))["mem_mb"](None, 1) == 32
    assert requests.gpus(None) == 0 and requests.local_gpus(None, threads=1) == 2
    assert Requests({"accelerator": "auto", "local_gpus": 1}).gpus(None) == 1


def test_an_amount_may_depend_on_the_job():
    requests = Requests({"accelerator": "cpu", "local_gpus": 2})
    asked = requests.growing(runtime=lambda model: {"ae": 720, "atlas": (60, 120)}[model])
    assert asked["runtime"]("ae", 2) == 1440 and asked["runtime"]("atlas", 1) == 120


class Planner:
    """Something that is asked while jobs are planned."""

    answer = 42

    def fails(self, wildcards):
        raise InputError("data/x: no such folder")

    def of(self, kind):
        return lambda wildcards, threads: self.fails(wildcards)


def test_mistakes_become_the_error_of_the_caller():
    planner = Raising(Planner(), ValueError)
    assert planner.answer == 42
    with pytest.raises(ValueError, match="^data/x: no such folder$"):
        planner.fails(None)
    with pytest.raises(ValueError, match="no such folder"):  # later, when the rule asks
        planner.of("image")(None, threads=1)


def test_snakemake_still_sees_what_a_function_takes():
    asked = inspect.signature(raising(Planner().of("image"), ValueError)).parameters
    assert list(asked) == ["wildcards", "threads"]
