"""Models in pydantic's classes and FastAPI's answers, by the annotation of the guide."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from gitlab_jobs_async import Job, JobStatus, from_json, to_dict

JOB = Job(id=7, status=JobStatus.FAILED, stage="test", name="unit", tag_list=("linux",))


def read_job(given):
    return given if isinstance(given, Job) else from_json(given, Job)


JobField = Annotated[Job, PlainValidator(read_job), PlainSerializer(to_dict)]


class Report(BaseModel):
    title: str
    jobs: list[JobField]


def test_pydantic_field_round_trips():
    report = Report(title="Failed", jobs=[JOB])
    written = report.model_dump_json()
    assert Report.model_validate_json(written) == report
    assert Report.model_validate(report.model_dump()) == report
    assert TypeAdapter(JobField).validate_json(TypeAdapter(JobField).dump_json(JOB)) == JOB


def test_pydantic_reports_an_invalid_job():
    with pytest.raises(ValidationError, match=r"expected a whole number, got a string @ \$\.id"):
        Report.model_validate({"title": "", "jobs": [{**to_dict(JOB), "id": "x"}]})


async def test_fastapi_answers_with_a_job():
    app = FastAPI()

    @app.get("/failed")
    async def failed() -> Report:
        return Report(title="Failed", jobs=[JOB])

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        answer = (await client.get("/failed")).json()
        described = (await client.get("/openapi.json")).json()
    assert answer == {"title": "Failed", "jobs": [to_dict(JOB)]}
    assert "Report" in described["components"]["schemas"]


def test_fastapi_encoder_takes_to_dict():
    encoded = jsonable_encoder({"jobs": [JOB]}, custom_encoder={Job: to_dict})
    assert encoded == {"jobs": [to_dict(JOB)]}
