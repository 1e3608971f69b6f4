"""Work spread over processes: nothing of it may depend on their number."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from dpps.domain.errors import DppsError, InvalidInput

__all__ = ["run_jobs"]


def run_jobs[*Arguments](
    work: Callable[[*Arguments], None],
    jobs: Sequence[tuple[*Arguments]],
    workers: int,
    tell: Callable[[int], object],
) -> None:
    """Do jobs, here or in fresh processes; the first failure ends all.

    Processes end with the one that began them, also when it is killed: who goes on with its work must not
    find them writing.

    Parameters
    ----------
    work : callable
        A function of a module.
    jobs : sequence of tuple
        Its arguments.
    workers : int
        Processes.
    tell : callable
        Is told the number of finished jobs.

    Raises
    ------
    DppsError
        Of the first job that failed; from another process: `InvalidInput` with its words.
    """
    if workers == 1 or len(jobs) < 2:
        for done, job in enumerate(jobs, start=1):
            work(*job)
            tell(done)
        return
    context = get_context("spawn")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(
        max_workers=min(workers, len(jobs)), mp_context=context, initializer=_end_with_parent
    ) as pool:
        waiting = [pool.submit(_plainly, work, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                failure = future.result()
                if failure is not None:
                    raise InvalidInput(
                        str(failure["message"]),
                        code=str(failure["code"]),
                        next_step=str(failure["next_step"]),
                    )
                tell(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """End this process as soon as the one that began it is no more."""
    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def _plainly[*Arguments](
    work: Callable[[*Arguments], None], job: tuple[*Arguments]
) -> dict[str, object] | None:
    """Do a job; give our own errors as plain data, since they do not survive pickling."""
    try:
        work(*job)
    except DppsError as error:
        return error.as_dict()
    return None
