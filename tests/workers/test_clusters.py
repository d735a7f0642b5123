"""Clusters: what their processes are like, and messages where there can be none."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from bayes_glmm.errors import SamplingError
from bayes_glmm.workers import cluster


def test_workers_are_processes_of_one_thread_each(client):
    assert [1, 1] == list(client.nthreads().values())
    assert os.getpid() not in client.run(os.getpid).values()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert {"1"} == set(client.run(os.getenv, name).values())


def test_workers_may_start_processes(client):
    assert {False} == set(client.run(lambda: multiprocessing.current_process().daemon).values())


def test_an_address_is_another_way_to_the_same_cluster(client):
    with cluster(client.scheduler.address) as other:
        assert other.nthreads() == client.nthreads()
    assert client.submit(abs, -3, pure=False).result() == 3  # closing the one leaves the other


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "http://x:1"])
def test_where_no_scheduler_answers_a_message_says_so(address, monkeypatch):
    monkeypatch.setattr("bayes_glmm.workers.clusters.PATIENCE", 1.0)
    with pytest.raises(SamplingError, match="No dask scheduler answers") as caught, cluster(address):
        pass
    assert caught.value.where == address


def test_without_dask_a_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr("bayes_glmm.workers.clusters.find_spec", lambda name: None)
    with pytest.raises(SamplingError, match=r"Install bayes-glmm\[dask\]"), cluster():
        pass
