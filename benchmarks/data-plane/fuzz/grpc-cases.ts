/** gRPC calls with wrong messages, frames or headers. */
import { gzipSync } from 'node:zlib';
import { writeGrpcRequest } from '@equipoise/open-inference-codec';
import type { Chance } from './chance.js';
import { FUZZED_PIPELINE } from './http-cases.js';

/** A call: its headers in addition to the usual ones, and the bytes of its frames. */
export interface GrpcCase {
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

const oddPaths = [
  ...['/inference.GRPCInferenceService/ModelMetadata', '/inference.GRPCInferenceService/RepositoryIndex', '/', '/x/y'],
  ...['/grpc.health.v1.Health/Check', '/inference.GRPCInferenceService/ServerLive', `/${'x'.repeat(3000)}`],
];
const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
const good = (raw: boolean): Buffer =>
  Buffer.from(
    writeGrpcRequest(
      FUZZED_PIPELINE,
      {
        inputs: {
          x: { datatype: 'FP32', shape: [3], data: Float32Array.of(1, 2, 3) },
          n: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(-5n) },
          s: { datatype: 'BYTES', shape: [2], data: ['a', 'bc'] },
          b: { datatype: 'BOOL', shape: [1, 2], data: Uint8Array.of(1, 0) },
        },
      },
      raw,
    ),
  );
const goods = [good(true), good(false)];

/** Draws one call. */
export function grpcCase(chance: Chance): GrpcCase {
  const message = chance.one(goods);
  const kind = chance.one(['message', 'message', 'message', 'prefix', 'headers', 'gzip', 'good']);
  switch (kind) {
    case 'message':
      return {
        kind,
        headers: {},
        bytes: framed(chance.happens(0.1) ? chance.bytes(chance.below(200)) : chance.damaged(message)),
      };
    case 'prefix':
      return { kind, headers: {}, bytes: badPrefix(chance, message) };
    case 'headers':
      return { kind, headers: oddHeaders(chance), bytes: framed(message) };
    case 'gzip':
      return { kind, ...compressed(chance, message) };
    default:
      return { kind, headers: {}, bytes: framed(message) };
  }
}

function framed(message: Uint8Array, { length = message.length, flag = 0 } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag);
  prefix.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([prefix, message]);
}

function badPrefix(chance: Chance, message: Buffer): Buffer {
  switch (chance.below(5)) {
    case 0:
      return framed(message, { length: message.length + chance.one([-5, -1, 1, 100, 2 ** 24, 2 ** 31]) });
    case 1:
      return framed(message, { flag: chance.one([1, 2, 255]) });
    case 2:
      return Buffer.concat([framed(message), framed(message)]);
    case 3:
      return framed(message).subarray(0, chance.below(8));
    default:
      return chance.damaged(framed(message));
  }
}

function oddHeaders(chance: Chance): Readonly<Record<string, string>> {
  const [name, values] = chance.one([
    [':path', oddPaths],
    ['grpc-timeout', ['1n', '0S', '-1S', 'x', '99999999H', '1', '']],
    ['content-type', ['application/grpc+json', 'application/json', 'x', 'application/grpc-web']],
    ['grpc-encoding', ['gzip', 'x', '', 'identity,gzip']],
    ['x-request-id', ['', 'x'.repeat(500)]],
    ['authorization', ['', 'Bearer']],
    [':method', ['GET', 'PUT']],
  ] as const);
  return { [name]: chance.one(values) };
}

function compressed(chance: Chance, message: Buffer): { headers: Readonly<Record<string, string>>; bytes: Buffer } {
  const headers = { 'grpc-encoding': chance.one(['gzip', 'gzip', 'deflate', 'x']) };
  if (chance.happens(0.1)) return { headers, bytes: framed(bomb, { flag: 1 }) };
  const zipped = gzipSync(message);
  return { headers, bytes: framed(chance.happens(0.5) ? chance.damaged(zipped) : zipped, { flag: 1 }) };
}
