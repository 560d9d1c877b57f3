"""Answers to the questions about many projects, as GitLab writes them."""

AT = "2026-11-26T10:00:00Z"


def job_row(number=71, **changed):
    """Return a job as GraphQL writes it."""
    kind = changed.pop("kind", "Ci::Build")
    row = {
        "id": f"gid://gitlab/{kind}/{number}",
        "status": "RUNNING",
        "name": "build",
        "stage": {"name": "test"},
        "refName": "main",
        "createdByTag": False,
        "allowFailure": False,
        "createdAt": AT,
        "startedAt": "2026-11-26T10:00:05Z",
        "finishedAt": None,
        "erasedAt": None,
    }
    return row | changed


def pipeline_row(number=31, jobs=None, **changed):
    """Return a pipeline as GraphQL writes it; *jobs* are its rows, None if not asked for."""
    row = {"id": f"gid://gitlab/Ci::Pipeline/{number}", "status": "RUNNING", "updatedAt": AT}
    if jobs is not None:
        row |= {
            "iid": "4",
            "sha": "c0ffee",
            "path": f"/group/app/-/pipelines/{number}",
            "createdAt": AT,
            "jobs": {"nodes": jobs},
        }
    return row | changed


def project_row(number=1, pipelines=(), children=()):
    """Return a project as GraphQL writes it; *children* are its child pipelines."""
    return {
        "id": f"gid://gitlab/Project/{number}",
        "pipelines": {"nodes": list(pipelines)},
        "children": {"nodes": list(children)},
    }


def projects(*rows):
    """Return the `data` of an answer with project *rows*."""
    return {"projects": {"nodes": list(rows)}}
