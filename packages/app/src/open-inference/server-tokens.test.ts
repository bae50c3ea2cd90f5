/** Replicas on servers that require a token. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteReplicaLauncher } from '@equipoise/adapter-open-inference';
import type { InferenceServerSpec } from '@equipoise/core/model';
import { parseTenantFile, type RunningServer, Tenants } from '@equipoise/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { orderItem, remoteRequest, startObeyingServer } from './obeying-server.test-support.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-token-'));
const launcher = new RemoteReplicaLauncher();
const VARIABLE = 'EQUIPOISE_TEST_TOKEN';
let server: RunningServer;

beforeAll(async () => {
  const tenants = new Tenants(parseTenantFile('north open-sesame', 'tokens'));
  server = await startObeyingServer({ tenants });
  writeFileSync(join(folder, 'token'), 'open-sesame\n');
  writeFileSync(join(folder, 'other'), 'shut-sesame');
  writeFileSync(join(folder, 'two'), 'open-sesame and more');
});

afterAll(async () => {
  await server.close({ timeoutMs: 100 });
  rmSync(folder, { recursive: true });
});

function launch(
  transport: 'rest' | 'grpc',
  token?: InferenceServerSpec['token'],
  headers?: Readonly<Record<string, string>>,
) {
  const url = transport === 'rest' ? server.url : `grpc://${server.grpcAddress}`;
  const asked = { urls: [url], ...(token && { token }), ...(headers && { headers }) };
  return launcher.launch({ ...remoteRequest(asked), baseDir: folder });
}

describe.each(['rest', 'grpc'] as const)('a server that asks for a token over %s', (transport) => {
  it.each([{ env: VARIABLE }, { file: 'token' }])('gets the one of %j', async (place) => {
    process.env[VARIABLE] = 'open-sesame';
    const { runner } = await launch(transport, place);
    delete process.env[VARIABLE];
    expect((await runner.run([orderItem(1)])).items).toMatchObject([{ kind: 'ok' }]);
    await runner.close();
  });

  it('gets the headers of the pipeline file with every request', async () => {
    const { runner } = await launch(transport, undefined, { authorization: 'Bearer open-sesame' });
    expect((await runner.run([orderItem(1)])).items).toMatchObject([{ kind: 'ok' }]);
    await runner.close();
  });

  it.each([
    [undefined, /./],
    [{ file: 'other' }, /./],
    [{ file: 'none' }, /none, which holds the token of its server, is not there/],
    [{ file: 'two' }, /does not hold one token without spaces/],
    [{ env: VARIABLE }, /EQUIPOISE_TEST_TOKEN, which holds the token of its server, is not there/],
  ] as const)('is no replica with %j, and no message shows a token', async (place, words) => {
    const error = await launch(transport, place).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'MODEL_LOAD_FAILED', message: expect.stringMatching(words) });
    expect(String((error as Error).message)).not.toContain('sesame');
  });
});
