"""Starts the steps of a plan as soon as each may, restarts what dies, stops all in order."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar

from cli.run.errors import RunError
from cli.run.logs import Log
from cli.run.parts import STOP_ORDER
from cli.run.plan import Step
from cli.run.process import Child, spawn, tail
from cli.run.restarts import PAUSES, Restarts
from cli.run.watchdog import Watchdog

T = TypeVar("T")

READY_SECONDS = 60.0
PROBE_INTERVAL = 0.02

Report = Callable[[str, float | None], None]
DeathReport = Callable[[str, float], None]


class Supervisor:
    """The running children of one platform.

    Args:
        steps: what to start.
        watchdog: the guard that ends the children if we cannot.
        report: told the name of each step that is ready and the seconds it took;
            None where nothing shows more than that it was started.
        report_death: called for each death with how it came and the seconds until the restart.
        report_problem: called with what is wrong and does not keep anything from running.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        watchdog: Watchdog,
        report: Report = lambda name, seconds: None,
        report_death: DeathReport = lambda reason, seconds: None,
        report_problem: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.children: dict[str, Child] = {}
        self._steps = {step.name: step for step in steps}
        self._up = {name: asyncio.Event() for name in self._steps}
        self._watchdog = watchdog
        self._report = report
        self._report_death = report_death
        self._report_problem = report_problem
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._keeping = False
        self._deaths: asyncio.Queue[tuple[str, Child]] = asyncio.Queue()
        self._restarts: defaultdict[str, Restarts] = defaultdict(Restarts)
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, *names: str) -> None:
        """Starts the named steps, or all, each when what it needs is ready.

        Raises:
            RunError: if one of them cannot be started, dies or is not ready in time.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for name in names or self._steps:
                    group.create_task(self._bring_up(self._steps[name]))
        except BaseExceptionGroup as errors:
            # What a start that is called off breaks beside it, is not the reason.
            reason = errors.subgroup(RunError)
            if reason is None:
                raise
            raise first(reason) from None

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Does `work`, unless a child dies before it is done.

        Raises:
            RunError: if a child dies.
        """
        task = asyncio.ensure_future(work)
        either: set[asyncio.Future[Any]] = {task, self._failure}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Whatever happens nothing of the work goes on behind our back.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._failure.done():
            self._failure.result()
        return task.result()

    async def keep(self) -> NoReturn:
        """Starts again what dies from now on; ends only if a child dies too often.

        Raises:
            RunError: if it does.
        """
        self._keeping = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    name, child = await self._deaths.get()
                    group.create_task(self._revive(name, child))
        except BaseExceptionGroup as errors:
            reason = errors.subgroup(RunError)
            if reason is None:
                raise
            raise first(reason) from None

    async def stop(self, *names: str) -> None:
        """Stops the named children, or all: stage by stage, each stage at once."""
        for stage in STOP_ORDER:
            wanted = [name for name in stage if name in (names or self.children)]
            await asyncio.gather(*(self._stop_one(name) for name in wanted))

    async def kill(self, *names: str) -> None:
        """Ends the named children, or all, without asking."""
        children = [self._forget(name) for name in names or tuple(self.children)]
        await asyncio.gather(*(child.kill() for child in children if child))

    def logs(self) -> list[Log]:
        """The open log of each child."""
        return [child.log for child in self.children.values()]

    async def _bring_up(self, step: Step, *, again: bool = False) -> None:
        for name in self._needs(step) if again else step.after:
            if name in self._up:
                await self._up[name].wait()
        began = time.monotonic()
        if step.prepare:
            await step.prepare()
        child = await spawn(step.command(), self._watchdog, fresh_log=not again)
        if child.log.error:
            self._report_problem(f"{child.log.path} cannot be written ({child.log.error})")
        if step.once:
            await finish(child)
        else:
            self._keep(step.name, child)
            if not await self._settle(step, child):
                return
        visible = step.once or step.ready
        self._report(step.name, time.monotonic() - began if visible else None)
        self._up[step.name].set()

    async def _settle(self, step: Step, child: Child) -> bool:
        """Waits until the child is ready.

        Returns:
            False if it died before, which is a death like any other while children are kept.
        """
        if not self._keeping:
            await self.guard(become_ready(step, child))
            return True
        ready = asyncio.ensure_future(become_ready(step, child))
        watcher = self._watchers[step.name]
        try:
            await asyncio.wait({ready, watcher}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            [outcome] = await asyncio.gather(ready, return_exceptions=True)
        if isinstance(outcome, RunError):
            child.sweep()
        return outcome is None and not watcher.done()

    def _keep(self, name: str, child: Child) -> None:
        self.children[name] = child
        self._watchers[name] = asyncio.create_task(self._watch(name, child))

    async def _watch(self, name: str, child: Child) -> None:
        await child.wait()
        child.sweep()
        if self._keeping:
            self._up[name].clear()
            self._deaths.put_nowait((name, child))
        elif not self._failure.done():
            self._failure.set_exception(child.death())

    async def _revive(self, name: str, child: Child) -> None:
        """Starts a child again after its death, unless it has died too often."""
        reason = f"{name} ended with {child.end}"
        while (pause := self._restarts[name].pause()) is not None:
            self._report_death(reason, pause)
            await asyncio.sleep(pause)
            try:
                await self._bring_up(self._steps[name], again=True)
            except (RunError, OSError) as error:
                reason = str(error)
            else:
                return
        raise RunError(
            f"{reason}, after {len(PAUSES)} restarts within a minute: see {child.command.log}",
            tail(child.command.log),
        )

    def _needs(self, step: Step) -> list[str]:
        """What must be up before a step, at whatever remove."""
        steps = [self._steps[name] for name in step.after if name in self._steps]
        return [need for each in steps for need in (*self._needs(each), each.name)]

    def _forget(self, name: str) -> Child | None:
        """From now on the child's end is no failure."""
        self._up[name].clear()
        if watcher := self._watchers.pop(name, None):
            watcher.cancel()
        return self.children.pop(name, None)

    async def _stop_one(self, name: str) -> None:
        if child := self._forget(name):
            await child.stop()


async def become_ready(step: Step, child: Child) -> None:
    """Waits until a step's probe says yes."""
    if step.ready is None:
        return
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await step.ready():  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(PROBE_INTERVAL)
    except TimeoutError:
        raise child.silence(READY_SECONDS) from None


async def finish(child: Child) -> None:
    """Waits until a child has done its work; a cancelled wait ends the child."""
    try:
        if await child.wait() != 0:
            raise child.death()
    except asyncio.CancelledError:
        await child.kill()
        raise


def first(errors: BaseExceptionGroup[RunError]) -> RunError:
    """The first error of a group, however deep it lies."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RunError)
    return error
