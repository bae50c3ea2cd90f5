import { grpcMethods, grpcPath, writeGrpcRequest } from '@equipoise/open-inference-codec';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { fp32 } from '../../data-plane/serving-bench.test-support.js';
import type { AnsweredCall } from '../../net/call.js';
import { HttpBench, INFER_PATH, inferBody, tenantsOf } from '../http-bench.test-support.js';
import { parseTenantFile } from './tenant-file.js';
import type { Tenants } from './tenants.js';

const bench = new HttpBench();

afterEach(() => bench.end());

const read = (...lines: readonly string[]) => parseTenantFile(lines.join('\n'), 'tokens');

describe('a token file', () => {
  it('has a line for each token, with or without a tenant and a limit', () => {
    expect(read('# ours', '', ' north  n-1  rps=2.5', 'north n-2', 'south s-1 burst=7 rps=5', 'west w== ')).toEqual([
      { name: 'north', tokens: ['n-1', 'n-2'], limit: { rps: 2.5, burst: 3 } },
      { name: 'south', tokens: ['s-1'], limit: { rps: 5, burst: 7 } },
      { name: 'west', tokens: ['w=='], limit: undefined },
    ]);
    expect(read('secret')).toEqual([{ name: 'default', tokens: ['secret'], limit: undefined }]);
    expect(read('secret rps=0.5')).toEqual([{ name: 'default', tokens: ['secret'], limit: { rps: 0.5, burst: 1 } }]);
  });

  it.each([
    [[' '], 'holds no token'],
    [['a secret b'], 'line 1: expected'],
    [['rps=4'], 'line 1: expected'],
    [['a secret', '-x secret-2'], 'line 2: the name of a tenant'],
    [['a secret', 'b secret'], 'line 2: its token stands in line 1 already'],
    [['a secret rps=0'], 'rps= wants'],
    [['a secret burst=3'], 'rps= wants'],
    [['a secret rps=1 burst=0'], 'burst= wants'],
    [['a secret rps=1', 'a secret-2 rps=2'], 'line 2: its tenant has another limit'],
    [Array.from({ length: 101 }, (_, i) => `t${i} secret-${i}`), '100 are the most'],
    [Array.from({ length: 1001 }, (_, i) => `t secret-${i}`), '1000 are the most'],
  ])('is refused where %j', (lines, words) => {
    const problem = () => read(...lines);
    expect(problem).toThrow(expect.objectContaining({ code: 'WRONG_USAGE', message: expect.stringContaining(words) }));
    expect(problem).not.toThrow(/secret/);
  });
});

describe('tenants', () => {
  const shows = (tenants: Tenants, token: string) => tenants.identify(`Bearer ${token}`);

  it('are known by any of their tokens', () => {
    const tenants = tenantsOf('north n-1', 'north n-2', 'south s-1');
    expect(['n-1', 'n-2', 's-1'].map((token) => shows(tenants, token).name)).toEqual(['north', 'north', 'south']);
    expect(() => shows(tenants, 'n-3')).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  });

  it('can be replaced; who stays with the same limit keeps what is left of it', () => {
    const tenants = tenantsOf('north n-1 rps=1 burst=1', 'south s-1');
    const north = shows(tenants, 'n-1');
    expect(north.bucket?.take(0)).toBe(0);
    expect(tenants.replace(read('north n-1 rps=1 burst=1', 'south s-1'))).toBe(false);
    expect(tenants.replace(read('north n-1 rps=1 burst=1', 'north n-2', 'east e-1'))).toBe(true);
    expect(shows(tenants, 'n-2').bucket?.take(0)).toBe(1000);
    expect(() => shows(tenants, 's-1')).toThrow(/shows another token/);
    expect(tenants.replace(read('north n-2 rps=2 burst=1', 'east e-1'))).toBe(true);
    expect(shows(tenants, 'n-2').bucket?.take(0)).toBe(0);
  });
});

describe('a limit', () => {
  const lines = ['north n-1 rps=0.01 burst=2', 'south s-1'];

  it('refuses what is over it with 429 and when to come again, other tenants and other paths not', async () => {
    const calls: AnsweredCall[] = [];
    const { server, runner } = await bench.start({
      tenants: tenantsOf(...lines),
      onAnswer: (call) => calls.push(call),
    });
    const infer = (token: string) =>
      fetch(`${server.url}${INFER_PATH}`, {
        method: 'POST',
        body: inferBody,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      });
    const statuses: number[] = [];
    for (const token of ['n-1', 'n-1', 'n-1', 's-1']) statuses.push((await infer(token)).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
    const refused = await infer('n-1');
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED', reason: 'rate-limited' });
    expect(runner.statistics.total.arrived).toBe(3);
    const metadata = await fetch(`${server.url}/v2/models/bench`, { headers: { authorization: 'Bearer n-1' } });
    expect(metadata.status).toBe(200);
    await infer('nobody');
    await expect.poll(() => calls.at(-1)).toEqual({ protocol: 'rest', code: 'UNAUTHENTICATED' });
    expect(calls.filter(({ tenant }) => tenant === 'north').map(({ code }) => code)).toEqual([
      'OK',
      'OK',
      'RATE_LIMITED',
      'RATE_LIMITED',
      'OK',
    ]);
  });

  it('holds over gRPC, too', async () => {
    const calls: AnsweredCall[] = [];
    const tenants = tenantsOf(...lines);
    const { server } = await bench.start({ tenants, grpcPort: 0, onAnswer: (call) => calls.push(call) });
    const client = new Client(server.grpcAddress ?? '', credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer n-1');
    const message = Buffer.from(writeGrpcRequest('bench', { inputs: { x: fp32([1], 1) } }, true));
    const infer = () =>
      new Promise<ServiceError | null>((resolve) =>
        client.makeUnaryRequest(grpcPath(grpcMethods.modelInfer), same, same, message, metadata, (error) =>
          resolve(error),
        ),
      );
    expect([await infer(), await infer()]).toEqual([null, null]);
    const error = await infer();
    client.close();
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error?.metadata.get('grpc-retry-pushback-ms')).toEqual(['30000']);
    await expect.poll(() => calls.at(-1)).toEqual({ protocol: 'grpc', code: 'RATE_LIMITED', tenant: 'north' });
  });
});
