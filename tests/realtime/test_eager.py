"""A coroutine is run at once as far as it goes without waiting."""

import asyncio

import pytest

from realtime import eager


async def test_coroutine_that_never_waits_ends_at_once():
    done = []

    async def work():
        done.append(1)

    assert eager.start(work()) is None
    assert done == [1]


async def test_coroutine_that_waits_continues_in_a_task():
    done, gate = [], asyncio.Event()

    async def work():
        done.append("before")
        await gate.wait()
        done.append("after")

    task = eager.start(work())
    assert done == ["before"]
    gate.set()
    await task

    assert done == ["before", "after"]


@pytest.mark.parametrize("pauses", [1, 2, 5])
async def test_task_continues_after_every_kind_of_wait(pauses):
    async def work():
        for _ in range(pauses):
            await asyncio.sleep(0)  # a bare yield
            await asyncio.sleep(0.001)  # a future
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))  # tasks

    await asyncio.wait_for(eager.start(work()), 2)


async def test_error_before_the_first_wait_is_raised_at_once():
    async def work():
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        eager.start(work())


async def test_error_after_the_first_wait_is_raised_by_the_task():
    async def work():
        await asyncio.sleep(0)
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        await eager.start(work())


async def test_error_of_an_awaited_future_reaches_the_coroutine():
    future = asyncio.get_running_loop().create_future()
    caught = []

    async def work():
        try:
            await future
        except OSError as error:
            caught.append(error)
            await asyncio.sleep(0)

    task = eager.start(work())
    future.set_exception(OSError("gone"))
    await task

    assert [str(error) for error in caught] == ["gone"]


async def test_cancelled_task_cancels_the_coroutine():
    ended = []

    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        finally:
            ended.append("cleaned")

    task = eager.start(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == ["cancelled", "cleaned"]


async def test_task_cancelled_before_its_first_step_still_cleans_up():
    ended = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned")

    task = eager.start(work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == ["cleaned"]


async def test_coroutine_that_ignores_the_cancellation_continues():
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    task = eager.start(work())
    await asyncio.sleep(0)
    task.cancel()

    assert await task is None
