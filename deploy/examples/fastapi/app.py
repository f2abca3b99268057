"""A server as people have them: FastAPI under uvicorn, which knows nothing of capacity. `neutrino-pod --upstream` beside it makes a task
pod of it. Its own OpenAPI document says what each operation needs:

    uvicorn app:app --port 8000 &
    curl -s localhost:8000/openapi.json > openapi.json
    neutrino-pod --port 8081 --upstream http://127.0.0.1:8000 --upstream-ready /health --openapi openapi.json --cpus 8 --gpus 1 --memory-gb 32
    neutrino-gateway serve --static-backends http://127.0.0.1:8081 --openapi-spec-path openapi.json
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

NAME = os.environ.get("POD_NAME", "example")


def needs(cpus: float = 1, gpus: float = 0, memory_gb: float = 1, **more: object) -> dict:
    """What goes into the document of an operation. Further extensions by name: hold_timeout, retry, …"""
    extensions = {"x-neutrino-resources": {"num_cpus": cpus, "num_gpus": gpus, "memory_gb": memory_gb}}
    return extensions | {f"x-neutrino-{name.replace('_', '-')}": value for name, value in more.items()}


class Prompt(BaseModel):
    text: str
    milliseconds: float = Field(default=50, ge=0, le=60_000)


class Answer(BaseModel):
    pod: str
    text: str
    #: What the gateway said that this request needs.
    needs: str
    #: How many of these ran here at once, this one included.
    at_once: int


app = FastAPI(title="Example task pod", version="1")
running: dict[str, int] = {}


@app.get("/health", include_in_schema=False)
async def health() -> dict:
    return {"status": "ok"}


async def work(kind: str, text: str, milliseconds: float, request: Request) -> Answer:
    running[kind] = running.get(kind, 0) + 1
    at_once = running[kind]
    try:
        await asyncio.sleep(milliseconds / 1000)
    finally:
        running[kind] -= 1
    return Answer(pod=NAME, text=text, needs=request.headers.get("neutrino-resources", ""), at_once=at_once)


@app.post("/v1/generate", openapi_extra=needs(cpus=1, gpus=1, memory_gb=8, hold_timeout=60))
async def generate(prompt: Prompt, request: Request) -> Answer:
    return await work("generate", prompt.text.upper(), prompt.milliseconds, request)


@app.post("/v1/embed", openapi_extra=needs(cpus=2, memory_gb=2, retry="always"))
async def embed(prompt: Prompt, request: Request) -> Answer:
    return await work("embed", prompt.text.upper(), prompt.milliseconds, request)


@app.post("/v1/transcribe", openapi_extra=needs(cpus=1, gpus=1, memory_gb=8))
async def transcribe(request: Request, milliseconds: float = 50) -> Answer:
    """Whatever is in the body: its length is the answer."""
    return await work("transcribe", f"{len(await request.body())} bytes", milliseconds, request)


@app.post("/v1/resize", openapi_extra=needs(cpus=1, memory_gb=0.5))
async def resize(request: Request, milliseconds: float = 10) -> Answer:
    return await work("resize", f"{len(await request.body())} bytes", milliseconds, request)


@app.get("/v1/models/{model}", openapi_extra=needs(cpus=0.5, memory_gb=0.5))
async def model(model: str) -> dict:
    return {"model": model, "pod": NAME}


@app.get("/v1/stream", openapi_extra=needs(cpus=0.5, memory_gb=0.5))
async def stream(events: int = 10, interval_ms: float = 50) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(events):
            yield f"id: {number}\ndata: {json.dumps({'n': number, 'of': events, 'sent': time.time()})}\n\n"
            await asyncio.sleep(interval_ms / 1000)

    return StreamingResponse(lines(), media_type="text/event-stream")
