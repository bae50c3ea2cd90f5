/** The admin port of a served pipeline, over restarts. */
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { askAdmin } from '../compose/admin-client.js';
import { type Serving, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder, serve } = serveTests({
  'pipeline.yaml': syntheticPipeline({
    ...{ spec: 'control: { intervalMs: 1000, fastIntervalMs: 250, minDwellMs: 0, canary: false }', cpuCores: 4 },
  }),
  token: 'sesame\n',
});

interface Administered extends Serving {
  readonly admin: string;
}

async function administered(...args: string[]): Promise<Administered> {
  const started = await serve(...args);
  const [, url = ''] = await started.command.said(/admin port (http:\S+?)\/admin/);
  const [, name = ''] = await started.command.said(/serves pipeline (\S+)/);
  return { ...started, admin: `${url}/admin/pipelines/${name}` };
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, which the assertions check
const jsonOf = async (response: Response): Promise<any> => await response.json();
const get = async ({ admin }: Administered, path = '') => jsonOf(await fetch(`${admin}${path}`));
async function post({ admin }: Administered, action: string, body: object = {}) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${admin}/${action}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: await jsonOf(response) };
}

async function killed({ command }: Serving): Promise<void> {
  command.signal('SIGKILL');
  await command.ended;
}

describe('the admin port of serve', () => {
  it('keeps mode and pins over a kill, and counts decisions on', async () => {
    const first = await administered('pipeline.yaml');
    expect(await get(first)).toMatchObject({ name: 'synthetic', mode: 'auto', ready: true, faults: [] });
    expect(await post(first, 'pause', { reason: 'a look' })).toMatchObject({ status: 200, json: { mode: 'off' } });
    const pinned = await post(first, 'pin', { stageId: 'detect', variantId: 'small' });
    expect(pinned.json.id).toBeGreaterThan(1);
    await killed(first);

    const second = await administered('pipeline.yaml');
    expect(second.command.stderr).toContain('restored pins of detect');
    expect(await get(second)).toMatchObject({ mode: 'off', pins: { detect: { variantId: 'small' } } });
    const { decisions } = await get(second, '/decisions?limit=3');
    expect(decisions.map(({ manual, trigger }: never) => manual?.['action'] ?? trigger)).toEqual([
      'start',
      'pin',
      'pause',
    ]);
    expect(decisions[0].id).toBe(pinned.json.id + 1);
    await killed(second);

    const third = await administered('pipeline.yaml', '--mode', 'advise');
    expect(await get(third)).toMatchObject({ mode: 'advise' });
    folder.write('moved.yaml', syntheticPipeline({ cpuCores: 4 }).replaceAll('name: small', 'name: tiny'));
    await killed(third);
    const fourth = await administered('moved.yaml');
    expect(fourth.command.stderr).toContain('not restored: a pin: detect has no variant small');
    expect(await get(fourth)).toMatchObject({ pins: {} });
  }, 90_000);

  it('advises without acting, puts a decision in force that a person chooses, and goes back', async () => {
    // A separate name, because pins of other tests would still be in force.
    folder.write(
      'advised.yaml',
      syntheticPipeline({ name: 'advised', cpuCores: 4, spec: 'control: { intervalMs: 1000, canary: false }' }),
    );
    const server = await administered('advised.yaml', '--mode', 'advise', '--arrival-rps', '1');
    const before = await get(server, '/running-plan');
    let advised: { readonly id: number } | undefined;
    while (advised === undefined) {
      const run = () => fetch(`${server.url}/v1/pipelines/advised/run`, { method: 'POST', body: 'hi' });
      await Promise.all(Array.from({ length: 40 }, run));
      await setTimeout(300);
      const { decisions } = await get(server, '/decisions');
      advised = decisions.find(({ kind, trigger }: never) => kind === 'apply' && trigger !== 'start');
    }
    expect(await get(server, '/running-plan')).toMatchObject(withoutQueues(before));
    const applied = await post(server, 'apply', { decisionId: advised.id, reason: 'as advised' });
    expect(applied).toMatchObject({
      status: 200,
      json: { manual: { action: 'apply', decisionId: advised.id }, outcome: { kind: 'applied' } },
    });
    expect(withoutQueues(await get(server, '/running-plan'))).not.toEqual(withoutQueues(before));
    expect(await post(server, 'roll-back')).toMatchObject({ status: 200, json: { outcome: { kind: 'applied' } } });
    const after = await get(server, '/running-plan');
    type Running = {
      readonly stages: Record<string, { readonly replicas: readonly { readonly variantId: string }[] }>;
    };
    const kindsOf = ({ stages }: Running) =>
      Object.values(stages).map(({ replicas }) => replicas.map(({ variantId }) => variantId));
    expect(kindsOf(after)).toEqual(kindsOf(before));
  }, 90_000);

  it('estimates a plan that is given by hand, and goes on with the estimate', async () => {
    folder.write('given.yaml', syntheticPipeline({ name: 'given', cpuCores: 4 }));
    const part = (variantId: string, replicas: number) => ({
      ...{ variantId, resources: { cpuCores: 1 }, maxBatchSize: 1, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
    });
    const server = await administered('given.yaml', '--arrival-rps', '1');
    const stages = { detect: [part('small', 2)], classify: [part('only', 1)] };
    const applied = async () => {
      const { status, json } = await post(server, 'apply', { stages });
      expect(status).toBe(200);
      return json.decision.plan.predicted.capacityRps;
    };
    // If the estimate takes more than half a second, the plan is applied without it.
    let capacityRps = await applied();
    while (capacityRps === 0) capacityRps = await applied();
    expect(capacityRps).toBeCloseTo(250, 6);
    const page = await (await fetch(new URL('/metrics', server.admin))).text();
    expect(page).toMatch(/^equipoise_plan_capacity_rps\{[^}]*\} 2(50|49\.9)/m);
    expect(page).toMatch(/^equipoise_plan_latency_seconds\{[^}]*\} 0\.0[1-3]/m);
    server.command.signal('SIGTERM');
    await server.command.ended;
    const again = await administered('given.yaml');
    expect(again.command.stderr).toMatch(
      /planned for 250\.0[\s\S]* capacity 250\.0 rps\nlatency p99 estimated 1\d\.?\d* ms/,
    );
  }, 90_000);

  it('asks for its token, and has the metrics', async () => {
    const { command, admin } = await administered('pipeline.yaml', '--admin-token-file', 'token');
    expect((await fetch(admin)).status).toBe(401);
    const headers = { authorization: 'Bearer sesame' };
    expect((await fetch(admin, { headers })).status).toBe(200);
    const metrics = await fetch(new URL('/metrics', admin), { headers });
    expect(await metrics.text()).toContain('equipoise_decisions_total');
    const refused = askAdmin({ admin: new URL(admin).origin }, '/admin/pipelines');
    await expect(refused).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('shows no token'),
    });
    command.signal('SIGTERM');
    expect(await command.ended).toMatchObject({ exitCode: 0 });
  });

  it('is not there where none is wanted, and one that is taken is an error', async () => {
    const none = await serve('pipeline.yaml', '--no-admin-port');
    expect(none.command.stderr).not.toContain('admin port');
    none.command.signal('SIGTERM');
    await none.command.ended;
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { readonly port: number };
    const ended = await equipoise('serve', 'pipeline.yaml', '--port', '0', '--admin-port', `${port}`);
    holder.close();
    expect(ended).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/PORT_IN_USE.*\n.*--admin-port/) });
  });

  it('is refused beyond this machine without a token, before anything starts', async () => {
    const ended = await equipoise('serve', 'pipeline.yaml', '--admin-host', '0.0.0.0');
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--admin-token-file FILE') });
    expect(ended.stderr).not.toContain('first plan');
  });

  it('reads its token before anything starts', async () => {
    const ended = await equipoise('serve', 'pipeline.yaml', '--port', '0', '--admin-token-file', 'none');
    expect(ended).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('There is no token file none') });
    expect(ended.stderr).not.toContain('listening');
  });
});

describe('the mode of serve', () => {
  it('stands in the line that says that it is ready', async () => {
    const readyLine = async (...args: string[]) => {
      const { command } = await serve('pipeline.yaml', ...args);
      return (await command.said(/ready http.*/))[0];
    };
    expect(await readyLine('--mode', 'advise')).toMatch(/, mode advise;/);
    expect(await readyLine('--fixed')).toMatch(/, plan fixed;/);
  }, 60_000);

  it.each(['auto', 'advise'])('%s contradicts a plan that is kept', async (mode) => {
    const ended = await equipoise('serve', 'pipeline.yaml', '--port', '0', '--fixed', '--mode', mode);
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`--mode ${mode} would not`) });
  });
});

function withoutQueues({ stages }: { readonly stages: Record<string, { readonly queueLength: number }> }) {
  return {
    stages: Object.fromEntries(Object.entries(stages).map(([id, { queueLength: _, ...stage }]) => [id, stage])),
  };
}
