/**
 * Refusals before the method runs: unauthorized callers are refused before their message is read, and every refusal is
 * counted.
 */
import { once } from 'node:events';
import { type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import { grpcMethods, grpcPath } from '@equipoise/open-inference-codec';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { tenantsOf } from '../http-bench.test-support.js';
import { framed } from './grpc-bench.test-support.js';
import { endBenches, requestOf, start, x } from './grpc-calls.test-support.js';

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await endBenches();
});

const infer = grpcPath(grpcMethods.modelInfer);

/** An open call without its message. */
function opened(address: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const session = connect(`http://${address}`, { maxSessionMemory: 1000 });
  session.on('error', () => {});
  ends.push(() => session.destroy());
  const stream = session.request({
    ...{ ':method': 'POST', ':path': infer, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  return stream.on('error', () => {});
}

const statusOf = async (stream: ClientHttp2Stream): Promise<number> =>
  Number((await once(stream, 'response'))[0]['grpc-status']);

const nothing = new Uint8Array(0);

/** An incomplete message; 16 of them fill the inbound bytes. */
const begun = framed(new Uint8Array(1000)).subarray(0, 900);
const token = 't'.repeat(32);

describe('who may not ask', () => {
  it.each<[string, OutgoingHttpHeaders]>([
    ['shows no token', {}],
    ['shows another', { authorization: 'Bearer other' }],
  ])('is told so before his message is read, and keeps no room from others: %s', async (_, headers) => {
    const { address } = await start({ tenants: tenantsOf(`a ${token}`), maxBodyBytes: 1000, maxInboundBytes: 2000 });
    const others = Array.from({ length: 16 }, () => opened(address, headers));
    for (const stream of others) stream.write(begun);
    expect(new Set(await Promise.all(others.map(statusOf)))).toEqual(new Set([status.UNAUTHENTICATED]));
    const served = opened(address, { authorization: `Bearer ${token}` });
    served.end(framed(requestOf(x)));
    expect((await once(served, 'response'))[0]['grpc-status']).toBeUndefined();
  });

  it('is told so while he is sending a large message, and then cut off', async () => {
    const { address } = await start({ tenants: tenantsOf(`a ${token}`) });
    const stream = opened(address);
    const refused = statusOf(stream);
    stream.resume();
    for (let part = 0; part < 16; part++) stream.write(new Uint8Array(2 ** 20));
    expect(await refused).toBe(status.UNAUTHENTICATED);
    await once(stream, 'close');
  });

  it('is told so, too, where he asks too often', async () => {
    const { address } = await start({ tenants: tenantsOf(`a ${token} rps=0.01 burst=1`), maxInboundBytes: 2000 });
    const authorization = `Bearer ${token}`;
    // Two new connections may be accepted in any order.
    const first = opened(address, { authorization });
    first.end(framed(requestOf(x)));
    await once(first.resume(), 'close');
    const often = opened(address, { authorization });
    often.write(begun);
    expect(await statusOf(often)).toBe(status.RESOURCE_EXHAUSTED);
  });
});

describe('a refusal before the method', () => {
  it.each<[string, string, OutgoingHttpHeaders, Uint8Array | undefined]>([
    ['of what is too large', 'BODY_TOO_LARGE', {}, framed(new Uint8Array(2000))],
    ['of a message that ends early', 'MALFORMED_REQUEST', {}, framed(new Uint8Array(9)).subarray(0, 7)],
    ['of no message', 'MALFORMED_REQUEST', {}, new Uint8Array(0)],
    ['of a method that there is not', 'NOT_FOUND', { ':path': '/inference.GRPCInferenceService/No' }, framed(nothing)],
    ['of a time-out that is none', 'MALFORMED_REQUEST', { 'grpc-timeout': 'soon' }, framed(nothing)],
    ['of a call whose deadline passes first', 'DEADLINE_PASSED', { 'grpc-timeout': '50m' }, undefined],
    ['of a message that does not come', 'REQUEST_TIMEOUT', {}, undefined],
    ['of another compression', 'UNSUPPORTED_MEDIA_TYPE', { 'grpc-encoding': 'br' }, framed(nothing, 1)],
    ['of who may not ask', 'UNAUTHENTICATED', { authorization: 'Bearer other' }, framed(nothing)],
  ])('is counted once: %s', async (_, code, headers, message) => {
    const codes: string[] = [];
    const { address } = await start({
      ...{ maxBodyBytes: 1000, requestTimeoutMs: 200, tenants: tenantsOf(`a ${token}`) },
      onAnswer: (call) => codes.push(`${call.protocol} ${call.code}`),
    });
    const stream = opened(address, { authorization: `Bearer ${token}`, ...headers });
    if (message !== undefined) stream.end(message);
    await once(stream, 'response');
    expect(codes).toEqual([`grpc ${code}`]);
  });

  it('of a probe is not counted', async () => {
    const codes: string[] = [];
    const { address } = await start({ onAnswer: ({ code }) => codes.push(code) });
    const stream = opened(address, { ':path': grpcPath(grpcMethods.serverLive) });
    stream.end();
    await once(stream, 'response');
    expect(codes).toEqual([]);
  });
});
