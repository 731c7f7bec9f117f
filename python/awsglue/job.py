"""A job and its bookmark: what the job has already worked through."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from awsglue._service import Service, ServiceError
from awsglue.utils import BOOKMARK_DISABLE, BOOKMARK_ENABLE, BOOKMARK_PAUSE

if TYPE_CHECKING:
    from awsglue.context import GlueContext

STATE_BYTES_MAX = 1024 * 1024

_OPTIONS = (BOOKMARK_ENABLE, BOOKMARK_PAUSE, BOOKMARK_DISABLE)


class Job:
    """A run of a job: `init` at the beginning, `commit` when its work is done.

    The bookmark is a state per `transformation_ctx`. Sources that are read through `glue_context` keep theirs by
    themselves; a script without Spark makes a `Job(None)` and uses `get_state` and `set_state`.
    """

    def __init__(self, glue_context: GlueContext | None = None) -> None:
        self._glue_context = glue_context
        self._service: Service | None = None
        self._initialized = False
        self._job_name = ""
        self._run_id = ""
        self._option = BOOKMARK_DISABLE
        self._version = 0
        self._run_number = 0
        self._attempt_number = 0
        self._states: dict[str, Any] = {}

    @property
    def bookmark_option(self) -> str:
        """How the run treats the bookmark: `job-bookmark-enable`, `-pause` or `-disable`."""
        return self._option

    @property
    def reads_bookmark(self) -> bool:
        """Whether the run begins where the last commit ended."""
        return self._option != BOOKMARK_DISABLE

    def isInitialized(self) -> bool:  # noqa: N802 - the name that scripts call
        """Says whether `init` has been called."""
        return self._initialized

    def init(self, job_name: str, args: Mapping[str, Any] | None = None) -> None:
        """Begins the run; `args` is what `getResolvedOptions` gave.

        Reads the job's bookmark unless it is disabled, which is the default. Raises `RuntimeError` when the bookmark
        cannot be used as asked, and `ServiceError` when the server refuses to show it.
        """
        options = dict(args or {})
        self._job_name = job_name
        self._option = options.get("job_bookmark_option") or BOOKMARK_DISABLE
        if self._option not in _OPTIONS:
            raise RuntimeError(f"unknown job bookmark option {self._option!r}; it is one of {', '.join(_OPTIONS)}")
        if options.get("job_bookmark_from") or options.get("job_bookmark_to"):
            raise NotImplementedError("Treenail keeps a bookmark's latest state only: --job-bookmark-from and -to")
        self._run_id = options.get("JOB_RUN_ID") or os.environ.get("AWS_GLUE_JOB_RUN_ID") or ""
        self._states = {}
        if self.reads_bookmark:
            self._service = Service.from_environment()
            self._read_bookmark(self._service)
        self._initialized = True
        if self._glue_context is not None:
            self._glue_context.attach_job(self)

    def get_state(self, transformation_ctx: str) -> dict[str, Any]:
        """Gives the state that was last set under a name; empty when there is none."""
        return dict(self._states.get(transformation_ctx, {}))

    def set_state(self, transformation_ctx: str, state: Mapping[str, Any]) -> None:
        """Sets the state under a name; the next run sees it once this one has committed."""
        self._states[transformation_ctx] = dict(state)

    def commit(self) -> None:
        """Writes the bookmark, when it is enabled; otherwise does nothing.

        May be called again: each commit follows from the one before it. Raises `ServiceError` with the code
        `VersionMismatchException` when another run of the job has committed in the meantime.
        """
        if not self._initialized:
            raise RuntimeError("Job.commit was called before Job.init")
        if self._option != BOOKMARK_ENABLE:
            return
        if not self._run_id:
            raise RuntimeError("a bookmark is committed by a job run: AWS_GLUE_JOB_RUN_ID is not set")
        bookmark = json.dumps(self._bookmark(), sort_keys=True)
        if len(bookmark.encode()) > STATE_BYTES_MAX:
            raise RuntimeError(f"the bookmark is larger than {STATE_BYTES_MAX} bytes")
        service = self._service or Service.from_environment()
        answer = service.call(
            "Treenail.PutJobBookmark",
            {
                "JobName": self._job_name,
                "RunId": self._run_id,
                "ExpectedVersion": self._version,
                "JobBookmark": bookmark,
            },
        )
        self._version = int(answer.get("JobBookmarkEntry", {}).get("Version", self._version + 1))

    def _read_bookmark(self, service: Service) -> None:
        try:
            entry = service.call("AWSGlue.GetJobBookmark", {"JobName": self._job_name}).get("JobBookmarkEntry", {})
        except ServiceError as error:
            if error.code != "EntityNotFoundException":
                raise
            entry = {}
        self._version = int(entry.get("Version", 0))
        self._run_number = int(entry.get("Run", 0)) + 1
        self._attempt_number = int(entry.get("Attempt", 0))
        states = json.loads(entry.get("JobBookmark") or "{}").get("states", {})
        self._states = states if isinstance(states, dict) else {}

    def _bookmark(self) -> dict[str, Any]:
        return {
            "job_name": self._job_name,
            "run_id": self._run_id,
            "run_number": self._run_number,
            "attempt_number": self._attempt_number,
            "states": self._states,
        }
