"""Runs one replica of an Equipoise stage that is written in Python. Needs only the standard library.

Messages are frames over a Unix socket, descriptor 3. A frame is the length of the header in bytes (32 bits, little-endian), the header
(JSON) and the buffers of the tensors. The header's `bufferBytes` lists their lengths. Descriptor 4 closes when the server exits; then this
process exits.

A stage module imports its types from here: `from equipoise_stage import InvalidInput, Tensor`.
"""

import array
import contextlib
import fcntl
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from urllib.parse import unquote, urlsplit

MESSAGES_FD = 3
PARENT_FD = 4
LENGTH = struct.Struct("<I")
MIB = 1024**2
# Minimum memory, because Python with a numeric library needs this much to start.
LEAST_MEMORY_BYTES = 128 * MIB
# Below this size the parts of a frame are joined, which costs less than one system call per part.
JOIN_BELOW_BYTES = 64 * 1024

# Format of the elements in a memoryview, and name of the numpy type. Without numpy, FP16 elements are raw 16-bit patterns.
FORMATS = {
    "BOOL": ("?", "bool"),
    "UINT8": ("B", "uint8"),
    "UINT16": ("H", "uint16"),
    "UINT32": ("I", "uint32"),
    "UINT64": ("Q", "uint64"),
    "INT8": ("b", "int8"),
    "INT16": ("h", "int16"),
    "INT32": ("i", "int32"),
    "INT64": ("q", "int64"),
    "FP16": ("H", "float16"),
    "FP32": ("f", "float32"),
    "FP64": ("d", "float64"),
}
DATATYPES = {numpy_type: datatype for datatype, (_, numpy_type) in FORMATS.items()}
# Kinds of the formats of buffers in native order. Formats of one kind and size have the same bits.
KINDS = {
    **dict.fromkeys("bhilqn", "signed integer"),
    **dict.fromkeys("?BHILQN", "unsigned integer"),
    **dict.fromkeys("efd", "floating point"),
}


class InvalidInput(Exception):
    """Raised by `run` for an invalid item. Only invalid items fail, and their senders read the message."""

    code = "INVALID_INPUT"


class Tensor:
    """A tensor: `datatype` (as in the Open Inference Protocol), `shape` (list of sizes) and flat row-major `data`.

    `data` is a memoryview of the elements, or for BYTES a list of str or of bytes. The constructor accepts an object with a buffer of
    bytes or of elements of this datatype, or an iterable of numbers.
    """

    __slots__ = ("datatype", "shape", "data")

    def __init__(self, datatype, shape, data):
        self.datatype = datatype
        self.shape = [int(size) for size in shape]
        self.data = list(data) if datatype == "BYTES" else elements(datatype, data)
        self.check()

    def check(self):
        """Raises a ValueError unless the number of elements matches `shape`."""
        expected = element_count(self.shape)
        if len(self.data) != expected:
            raise ValueError(f"expected {expected} elements for the shape {self.shape}, found {len(self.data)}")

    def numpy(self):
        """Returns a numpy array of this shape over the same memory. BYTES become an array of objects."""
        import numpy

        if self.datatype == "BYTES":
            return numpy.array(self.data, dtype=object).reshape(self.shape)
        return numpy.frombuffer(self.data, dtype=FORMATS[self.datatype][1]).reshape(self.shape)

    def __repr__(self):
        return f"Tensor({self.datatype!r}, {self.shape})"


def element_count(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def elements(datatype, data):
    if datatype not in FORMATS:
        raise ValueError(f"expected a datatype of {', '.join([*FORMATS, 'BYTES'])}, found {datatype!r}")
    code = FORMATS[datatype][0]
    try:
        view = memoryview(data)
    except TypeError:
        values = bytes(map(bool, data)) if code == "?" else array.array(code, data)
        return memoryview(values).cast("B").cast(code)
    if view.nbytes == 0:
        return memoryview(bytearray()).cast(code)
    if not has_bits_of(view, datatype):
        raise TypeError(f"expected a buffer of bytes or of {datatype}, found the format {view.format!r}; convert its elements")
    return view.cast("B").cast(code)


def has_bits_of(view, datatype):
    """Returns False if the bits of the elements would be other numbers, such as integers as FP32."""
    code = FORMATS[datatype][0]
    given = view.format.lstrip("@=<")
    if given in ("B", "c") or (datatype == "FP16" and given == "e"):
        return True
    return KINDS.get(given) == KINDS[code] and view.itemsize == struct.calcsize(code)


def tensor_of(value):
    """Converts a result of a stage, a Tensor or a numpy array, to a Tensor."""
    if isinstance(value, Tensor):
        value.check()
        return value
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        given = numpy.asarray(value)
        if given.dtype.kind in "OSU":
            return Tensor("BYTES", given.shape, given.reshape(-1).tolist())
        datatype = DATATYPES.get(given.dtype.name)
        if datatype is None:
            raise TypeError(f"expected an array of {', '.join(DATATYPES)} or of texts, found {given.dtype.name}")
        flat = numpy.ascontiguousarray(given, dtype=given.dtype.newbyteorder("=")).reshape(-1)
        return Tensor(datatype, given.shape, flat.view("uint8"))
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"expected a Tensor or a numpy array, found {name}")


def packed_bytes(values):
    """Returns the elements of a BYTES tensor, each after its length, and True if they are text."""
    text = bool(values) and all(isinstance(value, str) for value in values)
    parts = []
    for value in values:
        raw = value.encode() if text else bytes(memoryview(value))
        parts += [LENGTH.pack(len(raw)), raw]
    return b"".join(parts), text


def unpacked_bytes(buffer, text):
    values = []
    at = 0
    while at < len(buffer):
        start = at + LENGTH.size
        at = start + LENGTH.unpack_from(buffer, start - LENGTH.size)[0]
        values.append(buffer[start:at].decode() if text else bytes(buffer[start:at]))
    return values


def packed(item, buffers):
    """Returns the header of a map of tensors, and appends the buffers of the tensors to `buffers`."""
    header = {}
    for name, tensor in item.items():
        entry = {"datatype": tensor.datatype, "shape": tensor.shape, "buffer": len(buffers)}
        if tensor.datatype == "BYTES":
            buffer, text = packed_bytes(tensor.data)
            if text:
                entry["text"] = True
        else:
            buffer = tensor.data.cast("B") if tensor.data.nbytes > 0 else b""
        buffers.append(buffer)
        header[name] = entry
    return header


def unpacked(header, buffers):
    item = {}
    for name, entry in header.items():
        datatype, buffer = entry["datatype"], buffers[entry["buffer"]]
        data = unpacked_bytes(buffer, entry.get("text", False)) if datatype == "BYTES" else buffer
        item[name] = Tensor(datatype, entry["shape"], data)
    return item


class Connection:
    """Frames over the socket of the server."""

    def __init__(self, connection):
        self.connection = connection

    def receive(self):
        """Returns the next message with its tensors, or None if the server has closed the socket."""
        length = self.read(LENGTH.size)
        if length is None:
            return None
        header = json.loads(self.read(LENGTH.unpack(length)[0]))
        buffers = [self.read(size) for size in header["bufferBytes"]]
        return header, [unpacked(tensors, buffers) for tensors in header["tensors"]]

    def read(self, size):
        """Returns `size` bytes, or None if the socket closes earlier."""
        buffer = bytearray(size)
        view = memoryview(buffer)
        filled = 0
        while filled < size:
            count = self.connection.recv_into(view[filled:])
            if count == 0:
                return None
            filled += count
        return buffer

    def send(self, message, tensors=(), buffers=()):
        """Sends a message with the headers and the buffers of its tensors."""
        sizes = [len(buffer) for buffer in buffers]
        header = json.dumps({**message, "tensors": list(tensors), "bufferBytes": sizes}).encode()
        start = LENGTH.pack(len(header)) + header
        if len(start) + sum(sizes) < JOIN_BELOW_BYTES:
            self.connection.sendall(b"".join([start, *buffers]))
            return
        for part in [start, *buffers]:
            self.connection.sendall(part)


def error_message(error):
    if getattr(error, "code", None) == "INVALID_INPUT":
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip()


class StageError(Exception):
    """Problem of a stage module; `code` is the error code for the server."""

    code = "MODULE_INVALID"


def load_stage(start):
    """Returns the object that runs batches: the result of `load`, or the module if the result is None."""
    path = unquote(urlsplit(start["module"]["url"]).path)
    name = os.path.splitext(os.path.basename(path))[0]
    # The module imports from its own folder, not from the folder of this file.
    sys.path[0] = os.path.dirname(path)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        traceback.print_exc()
        raise StageError(f"The module {path} cannot be imported: {error_message(error)}") from error
    if not callable(getattr(module, "load", None)):
        defined = ", ".join(key for key in vars(module) if not key.startswith("_")) or "nothing"
        raise StageError(f"The stage module {path} does not define a function load; it defines {defined}.")
    loaded = module.load(start["variant"], start["resources"])
    stage = module if loaded is None else loaded
    if not callable(getattr(stage, "run", None)):
        raise StageError("load must return an object with a method run, or the module must define a function run")
    return stage


def checked(results, size):
    """Returns the results of a batch as maps of Tensors. The error names the bad result and the expected one."""
    if not isinstance(results, (list, tuple)):
        raise TypeError(f"run must return a list of {size} results, found {type(results).__name__}")
    if len(results) != size:
        raise ValueError(f"run must return {size} results, found {len(results)}")
    outputs = []
    for index, result in enumerate(results, 1):
        if not isinstance(result, dict):
            raise TypeError(f"result {index}: expected a dict of tensors by name, found {type(result).__name__}")
        output = {}
        for name, value in result.items():
            try:
                output[str(name)] = tensor_of(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"result {index}, tensor {name!r}: {error}") from error
        outputs.append(output)
    return outputs


def attempt(stage, batch):
    """Returns a tuple per item of a batch: kind (with a message for failures), header and buffers of the output."""
    try:
        answers = []
        # A copy: a stage may take the items out of its list.
        for output in checked(stage.run(list(batch)), len(batch)):
            buffers = []
            answers.append(({"kind": "ok"}, packed(output, buffers), buffers))
        return answers
    except MemoryError:
        raise
    except Exception as error:
        invalid = getattr(error, "code", None) == "INVALID_INPUT"
        if not invalid:
            traceback.print_exc()
        item = {"kind": "invalid-input" if invalid else "stage-failed", "message": error_message(error)}
        return [(item, {}, [])] * len(batch)


def answer(connection, stage, batch, cpu_since):
    """Runs a batch. If the stage rejects an input as invalid, items run one by one, so that only invalid items fail.

    Returns the CPU time of this process in seconds. `cpu_since` is the time that the previous batch returned; None for whole cores, which
    are not charged.
    """
    started_at = time.perf_counter()
    answers = attempt(stage, batch)
    if len(batch) > 1 and answers[0][0]["kind"] == "invalid-input":
        answers = [attempt(stage, [item])[0] for item in batch]
    service_ms = (time.perf_counter() - started_at) * 1000
    times = {"serviceMs": service_ms}
    if cpu_since is not None:
        cpu_time = time.process_time()
        times["cpuMs"] = (cpu_time - cpu_since) * 1000
        cpu_since = cpu_time
    items, tensors, buffers = [], [], []
    for item, header, own in answers:
        for entry in header.values():
            entry["buffer"] += len(buffers)
        items.append(item)
        tensors.append(header)
        buffers += own
    connection.send({"kind": "result", "items": items, **times}, tensors, buffers)
    return cpu_since


def close(connection, stage):
    message = {"kind": "closed"}
    try:
        if stage is not None and callable(getattr(stage, "close", None)):
            stage.close()
    except Exception as error:
        traceback.print_exc()
        message["error"] = {"message": error_message(error)}
    connection.send(message)


def watch_parent():
    """Kills the process group as soon as the server has exited for any reason."""
    # A thread that waits in a read would take the signal of the kernel away.
    watch = select.poll()
    watch.register(PARENT_FD, select.POLLIN)
    watch.poll()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def end_with_parent():
    if sys.platform == "linux":
        # Native code may block all Python threads, but not the kernel, which signals the whole group.
        # Where the kernel lacks this, only the thread remains.
        with contextlib.suppress(OSError):
            fcntl.fcntl(PARENT_FD, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(PARENT_FD, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(PARENT_FD, fcntl.F_SETFL, fcntl.fcntl(PARENT_FD, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=watch_parent, daemon=True).start()


def limit_memory(memory_bytes):
    if memory_bytes > 0 and sys.platform == "linux":
        limit = max(LEAST_MEMORY_BYTES, int(memory_bytes))
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def leave(exit_code):
    sys.stdout.flush()
    sys.stderr.flush()
    # Does not wait for threads that the stage left running.
    os._exit(exit_code)


def load(connection, start):
    """Returns the loaded stage. If loading fails, this process exits."""
    limit_memory(start["resources"]["memoryBytes"])
    try:
        stage = load_stage(start)
    except StageError as error:
        connection.send({"kind": "load-failed", "error": {"code": error.code, "message": str(error)}})
        leave(0)
    except Exception as error:
        traceback.print_exc()
        connection.send({"kind": "load-failed", "error": {"message": error_message(error)}})
        leave(0)
    connection.send({"kind": "ready"})
    return stage


def serve(connection):
    stage, cpu_time = None, None
    while True:
        received = connection.receive()
        if received is None:
            leave(0)
        message, batch = received
        if message["kind"] == "load":
            stage = load(connection, message["start"])
            has_share = message["start"]["resources"]["cpuCores"] < 1
            cpu_time = time.process_time() if has_share else None
        elif message["kind"] == "run":
            cpu_time = answer(connection, stage, batch, cpu_time)
        else:
            close(connection, stage)
            leave(0)


def main():
    sys.modules["equipoise_stage"] = sys.modules["__main__"]
    end_with_parent()
    try:
        serve(Connection(socket.socket(fileno=MESSAGES_FD)))
    except MemoryError:
        # The remaining memory may not suffice to continue.
        print("out of memory", file=sys.stderr)
        leave(1)
    except (BrokenPipeError, ConnectionResetError):
        leave(1)


if __name__ == "__main__":
    main()
