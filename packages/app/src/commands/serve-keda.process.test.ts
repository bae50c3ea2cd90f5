import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder, serve } = serveTests({ 'pipeline.yaml': syntheticPipeline() });
const example = readFileSync(new URL('../../../../deploy/kubernetes/keda/scaled-object.yaml', import.meta.url), 'utf8');

/** Length-delimited protobuf field: number and bytes. */
const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);

/** GetMetrics message with this trigger metadata. */
function asking(metadata: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(metadata).map(([key, value]) =>
    field(3, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))])),
  );
  return field(1, Buffer.concat(entries));
}

async function metric(address: string, message: Buffer): Promise<{ readonly status: string; readonly value: number }> {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ...{ ':method': 'POST', ':path': '/externalscaler.ExternalScaler/GetMetrics' },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [trailers] = await once(stream, 'trailers');
  session.close();
  // The message ends with the value as a double.
  return { status: trailers['grpc-status'], value: Buffer.concat(chunks).subarray(-8).readDoubleLE() };
}

describe('the port for KEDA', () => {
  it('tells the replicas of the plan for the ScaledObject of the example', async () => {
    const metadata = Object.fromEntries(
      [...example.matchAll(/^ {8}(scalerAddress|stage|variant): (\S+)$/gm)].map(([, key = '', value = '']) => [
        key,
        value,
      ]),
    );
    expect(Object.keys(metadata)).toEqual(['scalerAddress', 'stage', 'variant']);
    const { command, url } = await serve('pipeline.yaml', '--arrival-rps', '5', '--keda-port', '0');
    const [, address = ''] = await command.said(/KEDA scaler on (\S+):/);
    expect(address).toMatch(/^127\.0\.0\.1:/);
    const page = await (await fetch(`${url}/metrics`)).text();
    const [, desired] = /equipoise_desired_replicas\{stage="detect",variant="large",.*\} (\d+)/.exec(page) ?? [];
    expect(Number(desired)).toBeGreaterThan(0);
    expect(await metric(address, asking(metadata))).toEqual({ status: '0', value: Number(desired) });
    command.signal('SIGTERM');
    expect(await command.ended).toMatchObject({ exitCode: 0 });
  });

  it('tells them without metrics, too, whose paths are then unknown', async () => {
    const { command, url } = await serve('pipeline.yaml', '--arrival-rps', '5', '--keda-port', '0', '--no-metrics');
    const [, address = ''] = await command.said(/KEDA scaler on (\S+):/);
    const [, admin = ''] = await command.said(/admin port (http:\S+?)\/admin/);
    expect((await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi' })).status).toBe(200);
    const statuses = await Promise.all([url, admin].map(async (port) => (await fetch(`${port}/metrics`)).status));
    expect(statuses).toEqual([404, 404]);
    const { stages } = (await (await fetch(`${admin}/admin/pipelines/synthetic/running-plan`)).json()) as {
      readonly stages: Readonly<Record<string, { readonly replicas: readonly object[] }>>;
    };
    const value = stages['detect']?.replicas.length;
    expect(await metric(address, asking({ stage: 'detect', variant: 'large' }))).toEqual({ status: '0', value });
  });

  it('is refused a port that is taken', async () => {
    const { url } = await serve('pipeline.yaml');
    const { port } = new URL(url);
    folder.write('other.yaml', syntheticPipeline({ name: 'other' }));
    const flags = ['--port', '0', '--no-admin-port', '--keda-port', port];
    const ended = await equipoise('serve', 'other.yaml', ...flags);
    expect(ended.exitCode).toBe(3);
    expect(ended.stderr).toContain(`already listens on 127.0.0.1:${port}.`);
  });
});
