"""Camera trigger on the traces, array trigger on the telescopes."""

from collections.abc import Mapping

import numpy as np

from dpps_simpipe.compiled import FloatArray, IntArray, compiled
from dpps_simpipe.instrument import Array

__all__ = ["array_trigger", "exceeds", "majority_trigger", "may_trigger", "sum_trigger"]


@compiled
def may_trigger(image: IntArray, group_start: IntArray, group_pixels: IntArray, least: float) -> bool:
    """Tell whether some trigger group holds enough photoelectrons for a closer look.

    Parameters
    ----------
    image : array
        Photoelectrons per pixel. Shape (n_pixels,).
    group_start, group_pixels : array
        Groups; where group i are the neighbours of pixel i, the pixel itself counts as well.
    least : float
        Photoelectrons that a group needs.

    Returns
    -------
    bool
        True if a group has as many.
    """
    is_around_pixels = len(group_start) - 1 == len(image)
    for group in range(len(group_start) - 1):
        total = image[group] if is_around_pixels else 0
        for place in range(group_start[group], group_start[group + 1]):
            total += image[group_pixels[place]]
        if total >= least:
            return True
    return False


@compiled
def exceeds(signal: FloatArray, limit: float) -> bool:
    """Tell whether some sample of a signal is above a limit.

    All samples are counted: the processor looks at several at a time, where leaving at the first would
    make it look at them one by one.
    """
    above = 0
    for sample in range(len(signal)):
        above += signal[sample] > limit
    return above > 0


@compiled
def sum_trigger(trace: FloatArray, group_start: IntArray, group_pixels: IntArray, threshold: float) -> int:
    """Find the first sample at which the sum of a pixel group exceeds the threshold.

    Parameters
    ----------
    trace : array
        Traces in peaks of one photoelectron. Shape (n_pixels, n_samples).
    group_start, group_pixels : array
        Groups, see `dpps_simpipe.camera.tables.Camera`.
    threshold : float
        Threshold in peaks of one photoelectron.

    Returns
    -------
    int
        Sample, or -1.
    """
    n_samples = trace.shape[1]
    best = n_samples
    total = np.empty(n_samples)
    for group in range(len(group_start) - 1):
        total[:best] = 0.0
        for place in range(group_start[group], group_start[group + 1]):
            row = trace[group_pixels[place]]
            for sample in range(best):
                total[sample] += row[sample]
        for sample in range(best):
            if total[sample] > threshold:
                best = sample
                break
    return best if best < n_samples else -1


@compiled
def majority_trigger(
    trace: FloatArray, group_start: IntArray, group_pixels: IntArray, threshold: float
) -> int:
    """Find the first sample at which a pixel and two neighbours of it exceed the threshold together.

    Parameters
    ----------
    trace : array
        Traces in peaks of one photoelectron. Shape (n_pixels, n_samples).
    group_start, group_pixels : array
        Neighbours of each pixel.
    threshold : float
        Threshold in peaks of one photoelectron.

    Returns
    -------
    int
        Sample, or -1.
    """
    n_samples = trace.shape[1]
    best = n_samples
    for pixel in range(len(group_start) - 1):
        if not exceeds(trace[pixel, :best], threshold):
            continue
        for sample in range(best):
            if trace[pixel, sample] <= threshold:
                continue
            together = 0
            for place in range(group_start[pixel], group_start[pixel + 1]):
                if trace[group_pixels[place], sample] > threshold:
                    together += 1
            if together >= 2:
                best = sample
                break
    return best if best < n_samples else -1


def array_trigger(array: Array, times: Mapping[int, float]) -> tuple[int, ...]:
    """Choose the telescopes of an array event.

    Parameters
    ----------
    array : Array
        The array and its trigger rules.
    times : mapping of int to float
        Trigger times in ns by telescope, with the delay of a plane wave from the pointing taken out.

    Returns
    -------
    tuple of int
        Telescopes in coincidence, or none.
    """
    if not times:
        return ()
    sizes = {telescope.tel_id: telescope.kind.size_type for telescope in array.telescopes}
    best: tuple[int, ...] = ()
    for begin in sorted(times.values()):
        chosen = {tel_id for tel_id, time in times.items() if 0.0 <= time - begin <= array.coincidence_ns}
        large = {tel_id for tel_id in chosen if sizes[tel_id] == "LST"}
        if array.lst_stereo and len(large) == 1:
            chosen -= large
        if len(chosen) > max(len(best), array.least_telescopes - 1):
            best = tuple(sorted(chosen))
    return best
