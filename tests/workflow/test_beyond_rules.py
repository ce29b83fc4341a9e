"""What goes beyond Table 1: planned only where it is asked for, and what it needs."""

from test_dag import ROWS, plan

CONTROLS = 3


def test_nothing_of_it_is_planned_unless_it_is_asked_for(checkout):
    jobs = plan(checkout, configfiles=["config/demo.yaml"])
    assert not {"whom", "locate_lesions", "calibrate", "vary", "rank", "share_numbers"} & set(jobs)


def test_the_page_on_whom_the_rows_fail(checkout):
    overlay = checkout.overlay(table={"strata": 5})
    jobs = plan(checkout, configfiles=["config/demo.yaml", overlay])
    assert jobs["whom"] == 1 and jobs["locate_lesions"] == 4 and "calibrate" not in jobs


def test_pages_that_read_maps(checkout):
    table = {"strata": 5, "calibration": True, "multiverse": {"median": ["residual"]}}
    jobs = plan(checkout, configfiles=["config/demo.yaml", checkout.overlay(table=table)])
    assert jobs["calibrate"] == jobs["vary"] == 2 * (ROWS - CONTROLS)
    assert jobs["whom"] == jobs["rank"] == 1


def test_the_multiverse_alone(checkout):
    overlay = checkout.overlay(table={"multiverse": {}})
    jobs = plan(checkout, "multiverse", configfiles=["config/demo.yaml", overlay])
    assert jobs["rank"] == 1 and "compare" not in jobs and "evaluate" not in jobs
    done = checkout.snakemake("multiverse", "-n", configfiles=["config/demo.yaml"])
    assert done.returncode and "--config 'table={multiverse: {}}'" in done.stdout + done.stderr


def test_sharing_needs_the_tables(checkout):
    jobs = plan(checkout, "share", configfiles=["config/demo.yaml"])
    assert jobs["share_numbers"] == jobs["compare"] == jobs["record_provenance"] == 1
    assert "front_page" not in jobs and "plot_cases" not in jobs
