"""The command line's way to batches: those of all local keys, through the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import httpx
import orjson

from codexia.batches import Batch, BatchOfFile, BatchPage, ItemResult, StoredFile
from codexia.control_client import ControlClient, NoSupervisor
from codexia.dialects.messages_batches import individual_response
from codexia.dialects.openai_batches import output_line
from codexia.errors import BadRequest, SupervisorUnavailable
from codexia.ndjson import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.batch_input import BatchInput

PAGE: Final = 100
STREAM_TIMEOUT: Final = httpx.Timeout(120.0, connect=5.0)


class BatchClient(ControlClient):
    """Calls the supervisor for batches."""

    def batches(self) -> Iterator[Batch]:
        """Yield every batch, the newest first."""
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            page = BatchPage.model_validate(self.call("GET", f"/batches?{urlencode(query)}"))
            yield from page.batches
            if not page.has_more or not page.batches:
                return
            query["after"] = page.batches[-1].id

    def batch(self, batch_id: str) -> Batch:
        """Return one batch."""
        return Batch.model_validate(self.call("GET", _path(batch_id)))

    def cancel(self, batch_id: str) -> Batch:
        """Return a batch whose requests that have not begun will not be run."""
        return Batch.model_validate(self.call("POST", _path(batch_id, "/cancel")))

    def delete(self, batch_id: str) -> None:
        """Forget a batch that has ended."""
        self.call("DELETE", _path(batch_id))

    def submit(self, requests: BatchInput, key_name: str) -> Batch:
        """Return a new batch.

        Raises:
            BadRequest: the supervisor refuses the requests.
            SupervisorUnavailable: it does not answer, or can store nothing.
        """
        key = {"key": key_name}
        if requests.kind != "openai_lines":
            return Batch.model_validate(self._upload(f"/batches?{urlencode(key)}", requests))
        name = urlencode({**key, "name": requests.path.name})
        file = StoredFile.model_validate(self._upload(f"/files?{name}", requests))
        wanted = BatchOfFile.model_validate(
            {"input_file_id": file.id, "endpoint": requests.endpoint}
        )
        path = f"/batches/from_file?{urlencode(key)}"
        return Batch.model_validate(self.call("POST", path, wanted))

    def result_lines(self, batch_id: str) -> Iterator[bytes]:
        """Yield the results of a batch, as lines of its own dialect.

        Raises:
            BadRequest: it has not ended.
            SupervisorUnavailable: the supervisor does not answer, or stopped in the middle.
        """
        batch = self.batch(batch_id)
        splitter = LineSplitter()
        try:
            with (
                self._connected() as http,
                http.stream("GET", _path(batch_id, "/results")) as reply,
            ):
                if reply.is_error:
                    reply.read()
                    raise _refusal(reply)
                for chunk in reply.iter_bytes():
                    for line in splitter.feed(chunk):
                        yield _wire(batch, ItemResult.model_validate(orjson.loads(line)))
        except httpx.TransportError as error:
            raise SupervisorUnavailable(
                "the supervisor stopped in the middle; try again"
            ) from error

    def _connected(self) -> httpx.Client:
        return httpx.Client(
            transport=httpx.HTTPTransport(uds=self._socket_path),
            base_url="http://supervisor",
            timeout=STREAM_TIMEOUT,
        )

    def _upload(self, path: str, requests: BatchInput) -> dict[str, Any]:
        try:
            with self._connected() as http:
                reply = http.post(path, content=requests.content())
        except httpx.ConnectError as error:
            raise NoSupervisor("no supervisor answers; start one with `codexia serve`") from error
        except httpx.TransportError as error:
            raise SupervisorUnavailable(
                "the supervisor stopped taking the file; try again"
            ) from error
        if reply.is_error:
            raise _refusal(reply)
        return orjson.loads(reply.content)


def _path(batch_id: str, rest: str = "") -> str:
    return f"/batches/{quote(batch_id, safe='')}{rest}"


def _wire(batch: Batch, result: ItemResult) -> bytes:
    if batch.dialect == "messages":
        return orjson.dumps(individual_response(result)) + b"\n"
    return orjson.dumps(output_line(result, batch.id)) + b"\n"


def _refusal(reply: httpx.Response) -> BadRequest | SupervisorUnavailable:
    message: str = orjson.loads(reply.content)["error"]["message"]
    return (BadRequest if reply.status_code < 500 else SupervisorUnavailable)(message)
