"""What schemathesis cannot know: the ids of what there is. Half of the cases that are meant to succeed get one."""

from __future__ import annotations

import itertools
import json
import os
from urllib.parse import quote

import schemathesis
from schemathesis.generation import GenerationMode

#: By the first part of a path behind /admin/api: requests, replays, pods, routes.
SUBJECTS = {kind: itertools.cycle(ids) for kind, ids in json.loads(os.environ["NEUTRINO_SUBJECTS"]).items() if ids}
TURNS = itertools.cycle([True, False])


@schemathesis.hook
def before_call(context, case, kwargs):
    kind = case.operation.path.removeprefix("/admin/api/").split("/")[0]
    if kind in SUBJECTS and case.path_parameters and "id" in case.path_parameters and is_meant_well(case) and next(TURNS):
        case.path_parameters = {**case.path_parameters, "id": quote(next(SUBJECTS[kind]), safe="")}


def is_meant_well(case) -> bool:
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
