/** A failing store: traffic and control continue, and the fault is reported until it is cleared. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Database from 'libsql';
import { expect, it } from 'vitest';
import { syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder, serve } = serveTests();
/** State in the first format, with decisions 1 to 3 of a pipeline `shelf`. */
const OLD_STATE = new URL('../../../runtime/src/store/fixtures/state-v1.db', import.meta.url);

it('goes on with the state file of an older version', { timeout: 60_000 }, async () => {
  mkdirSync(join(folder.path, '.equipoise'), { recursive: true });
  copyFileSync(OLD_STATE, join(folder.path, '.equipoise', 'state.db'));
  folder.write('shelf.yaml', syntheticPipeline({ name: 'shelf' }));
  const { command } = await serve('shelf.yaml', '--mode', 'off');
  expect(command.stderr).toContain(
    'the last good plan is not restored: the pipeline file has changed since it was made',
  );
  command.signal('SIGTERM');
  expect(await command.ended).toMatchObject({ exitCode: 0 });
  const explained = async (id: string) => (await equipoise('explain', id, '--pipeline', 'shelf')).stdout;
  expect(await explained('3')).toContain('best plan for up to 5.5 rps');
  expect(await explained('4')).toContain('apply: the first plan');
  rmSync(join(folder.path, '.equipoise'), { recursive: true });
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

it('stops well when the state file cannot take its log, which the next start reads', {
  timeout: 60_000,
  skip: !hasPrlimit,
}, async () => {
  folder.write('full.yaml', syntheticPipeline({ name: 'full' }));
  const { command } = await serve('full.yaml', '--mode', 'off');
  execFileSync('prlimit', ['--pid', String(command.pid), '--fsize=0:unlimited']);
  command.signal('SIGTERM');
  expect(await command.ended).toMatchObject({ exitCode: 0 });
  expect((await equipoise('explain', '1', '--pipeline', 'full')).stdout).toContain('apply: the first plan');
  rmSync(join(folder.path, '.equipoise'), { recursive: true });
});

interface Status {
  readonly faults: readonly { readonly step: string; readonly message: string; readonly count: number }[];
}

it('serves and decides while another process locks the state file', { timeout: 120_000 }, async () => {
  folder.write(
    'pipeline.yaml',
    syntheticPipeline({ spec: 'control: { intervalMs: 500, fastIntervalMs: 250, canary: false }' }),
  );
  const { command, url } = await serve('pipeline.yaml', '--arrival-rps', '5');
  const [, admin = ''] = await command.said(/admin port (\S+)\/pipelines/);
  const run = () => fetch(`${url}/v1/pipelines/synthetic/run?timeout_ms=30000`, { method: 'POST', body: 'hi' });
  const until = async (reached: (status: Status) => boolean): Promise<Status> => {
    for (;;) {
      expect((await run()).status).toBe(200);
      const status = (await (await fetch(`${admin}/pipelines/synthetic`)).json()) as Status;
      if (reached(status)) return status;
      await setTimeout(100);
    }
  };

  const other = new Database(join(folder.path, '.equipoise', 'state.db'));
  other.exec('BEGIN IMMEDIATE');
  const { faults } = await until((status) => status.faults.length > 0);
  expect(faults).toMatchObject([{ step: 'store', message: expect.stringContaining('another process has locked it') }]);
  const decisions = async () => {
    const page = await (await fetch(new URL('/metrics', admin))).text();
    return [...page.matchAll(/equipoise_decisions_total\{[^}]*\} (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  const before = await decisions();
  while ((await decisions()) < before + 2) expect((await run()).status).toBe(200);
  other.exec('ROLLBACK');
  other.close();

  await until((status) => status.faults.length === 0);
  await command.said(/store failed: The state file [\s\S]*store works again/);
  const metrics = await (await fetch(new URL('/metrics', admin))).text();
  expect(metrics).toMatch(/equipoise_loop_failures_total\{step="store"[^}]*\} [1-9]/);
  command.signal('SIGTERM');
  expect(await command.ended).toMatchObject({ exitCode: 0 });
});
