/** HTTP/2 frames, header blocks and gRPC messages by hand, for clients that break the rules. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A SETTINGS frame of pairs of identifier and value. */
export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [identifier, value]] of pairs.entries()) {
    payload.writeUInt16BE(identifier, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FRAME.settings, 0, 0, payload);
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  return frame(FRAME.windowUpdate, 0, stream, uint32(bytes));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block of literals; with `isIndexed` each enters the dynamic table of the receiver. */
export function headerBlock(headers: readonly (readonly [string, string])[], isIndexed = false): Buffer {
  const parts = headers.flatMap(([name, value]) => [Buffer.of(isIndexed ? 0x40 : 0), literal(name), literal(value)]);
  return Buffer.concat(parts);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([prefixed(bytes.length, 7), bytes]);
}

/** An integer of HPACK with a prefix of `bits`. */
function prefixed(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.of(...bytes, rest);
}

export function requestHeaders(
  path: string,
  more: readonly (readonly [string, string])[] = [],
  method = 'POST',
): Buffer {
  return headerBlock([
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** A gRPC message after its prefix; `length` and `flag` may be wrong. */
export function grpcMessage(payload: Uint8Array, length = payload.length, flag = 0): Buffer {
  return Buffer.concat([Buffer.of(flag), uint32(length), payload]);
}

/** A field of protobuf with length and bytes. */
export function field(number: number, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.of(...bytes, rest);
}

/** A ModelInferRequest with one raw tensor and the fields `more`. */
export function inferRequest(content: string | Uint8Array, ...more: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.from(content);
  const shape = varint(bytes.length);
  const input = Buffer.concat([field(1, 'image'), field(2, 'UINT8'), field(3, shape)]);
  return Buffer.concat([field(1, 'hostile'), field(5, input), field(7, bytes), ...more]);
}
