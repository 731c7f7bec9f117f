"""What makes pods of Jobs, notes how they ended, and takes away what has no owner any more."""

from __future__ import annotations

import copy
import secrets
import time
from datetime import datetime, timezone

from .store import Object, Store, now

TRACKING = "batch.kubernetes.io/job-tracking"


class Controllers:
    """The controllers, one step at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def step(self) -> None:
        """Looks at everything once."""
        for job in self._store.all("jobs"):
            self._see_to(job)
        self._collect()

    def _see_to(self, job: Object) -> None:
        pods = [pod for pod in self._store.all("pods", job["metadata"]["namespace"]) if is_owned(pod, job)]
        if "deletionTimestamp" in job["metadata"]:
            for pod in pods:
                self._let_go(pod, TRACKING)
            return None
        if is_finished(job):
            for pod in pods:
                self._let_go(pod, TRACKING)
            return self._end_of_time(job)
        deadline = job["spec"].get("activeDeadlineSeconds")
        if deadline is not None and age_seconds(job) > deadline:
            for pod in pods:
                self._delete(pod)
            return self._finish(job, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
        ended = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Succeeded", "Failed")]
        if any(pod["status"]["phase"] == "Succeeded" for pod in ended):
            return self._finish(job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        if ended or job.get("status", {}).get("wasStarted"):
            if ended or not pods:
                return self._finish(
                    job, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
                )
        elif not pods:
            self._start(job)
        return None

    def _start(self, job: Object) -> None:
        metadata = job["metadata"]
        template = copy.deepcopy(job["spec"]["template"])
        labels = {"batch.kubernetes.io/job-name": metadata["name"], "job-name": metadata["name"]}
        template.setdefault("metadata", {})
        template["metadata"]["name"] = f"{metadata['name']}-{secrets.token_hex(3)}"
        template["metadata"].setdefault("labels", {}).update(labels)
        template["metadata"]["finalizers"] = [TRACKING]
        template["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        template["status"] = {"phase": "Pending"}

        def change(found: Object) -> None:
            found["status"] = {"active": 1, "startTime": now(), "wasStarted": True}

        self._store.change("jobs", metadata["namespace"], metadata["name"], change)
        self._store.create("pods", metadata["namespace"], template)

    def _finish(self, job: Object, kind: str, reason: str, message: str) -> None:
        def change(found: Object) -> None:
            first = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
            count = {"Complete": "succeeded", "Failed": "failed"}[kind]
            told = {"status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
            found["status"] = {
                count: 1,
                "conditions": [{"type": first, **told}, {"type": kind, **told}],
                "completionTime": now(),
            }

        self._store.change("jobs", job["metadata"]["namespace"], job["metadata"]["name"], change)

    def _end_of_time(self, job: Object) -> None:
        kept = job["spec"].get("ttlSecondsAfterFinished")
        ended = datetime.fromisoformat(job["status"]["completionTime"].replace("Z", "+00:00"))
        if kept is not None and (datetime.now(timezone.utc) - ended).total_seconds() > kept:
            self._delete_job(job)

    def _delete_job(self, job: Object) -> None:
        self._store.remove("jobs", job["metadata"]["namespace"], job["metadata"]["name"])

    def _delete(self, pod: Object) -> None:
        def change(found: Object) -> None:
            found["metadata"].setdefault("deletionTimestamp", now())
            held = found["metadata"].setdefault("finalizers", [])
            if "kubelet" not in held:
                held.append("kubelet")

        if "deletionTimestamp" not in pod["metadata"]:
            self._store.change("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], change)

    def _let_go(self, found: Object, finalizer: str, resource: str = "pods") -> None:
        def change(one: Object) -> None:
            held = one["metadata"].get("finalizers", [])
            one["metadata"]["finalizers"] = [name for name in held if name != finalizer]

        if finalizer in found["metadata"].get("finalizers", []):
            self._store.change(resource, found["metadata"]["namespace"], found["metadata"]["name"], change)

    def _collect(self) -> None:
        """The garbage collector."""
        jobs = {job["metadata"]["uid"]: job for job in self._store.all("jobs")}
        held_up = set()
        for resource in ("pods", "secrets"):
            for found in self._store.all(resource):
                for owner in found["metadata"].get("ownerReferences", []):
                    job = jobs.get(owner["uid"])
                    if job is not None and "deletionTimestamp" not in job["metadata"]:
                        continue
                    if owner.get("blockOwnerDeletion"):
                        held_up.add(owner["uid"])
                    if resource == "secrets":
                        self._store.remove(resource, found["metadata"]["namespace"], found["metadata"]["name"])
                    else:
                        self._delete(found)
                    if job is None:
                        self._let_go(found, TRACKING)
        for uid, job in jobs.items():
            if uid not in held_up:
                self._let_go(job, "foregroundDeletion", "jobs")


def is_owned(found: Object, owner: Object) -> bool:
    """Whether an object is another's."""
    owners = found["metadata"].get("ownerReferences", [])
    return any(one["uid"] == owner["metadata"]["uid"] for one in owners)


def is_finished(job: Object) -> bool:
    """Whether a Job has ended."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(one["type"] in ("Complete", "Failed") for one in conditions)


def age_seconds(job: Object) -> float:
    """How long a Job has been active."""
    started = job.get("status", {}).get("startTime")
    if started is None:
        return 0
    return time.time() - datetime.fromisoformat(started.replace("Z", "+00:00")).timestamp()
