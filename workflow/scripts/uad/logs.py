"""What a script does around its work: log file, progress bar, and one sentence per user error."""

import logging
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from uad.errors import InputError

log = logging.getLogger("uad")


@contextmanager
def job(path, verbose=False):
    """Run a script's body with its log in `path`.

    An `InputError` ends the script with status 1 and its sentence on standard error, any other
    exception with a traceback; both are in the log.

    Parameters
    ----------
    path : path-like
        Log file, overwritten.
    verbose : bool
        Repeat log lines on standard error.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handlers = [logging.FileHandler(path, mode="w")]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    began = time.monotonic()
    try:
        yield log
        log.info("finished after %.1f s", time.monotonic() - began)
    except InputError as error:
        log.error("Error: %s", error)
        if not verbose:
            print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        log.error(traceback.format_exc())
        raise


def progress(items, description):
    """A progress bar over `items` on a terminal; elsewhere nothing, so that logs stay short."""
    from tqdm import tqdm

    return tqdm(items, desc=description, disable=None, leave=False, dynamic_ncols=True)
