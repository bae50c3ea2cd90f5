/** Groups of routers over real files, with pipelines that do what they are told at once. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { ownIdentity, RouterFiles, type RouterState, type StateClaim } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { type RoutedPipeline, RouterGroup } from './router-group.js';

const folder = new TestFolder();
const FOLDER = join(folder.path, '.equipoise', 'synthetic.routers');
/** A router may write meanwhile. */
const REMOVED = { recursive: true, force: true, maxRetries: 20 };
let spec: PipelineSpec;

const PLAN = { stages: {}, predicted: {} } as never as Plan;

/** A router whose pipeline holds its share. */
class Router {
  readonly group: RouterGroup;
  limitCores = 0;
  refusals = 0;
  hasEntered = false;
  readonly #ending = new AbortController();

  constructor(routers: number, leads: boolean) {
    this.group = new RouterGroup({ routers, spec, exchangeMs: 5, goneMs: 50, retryMs: 20, reloadMs: 50 });
    const pipeline: RoutedPipeline = {
      runner: { nowMs: 0, statistics: { total: { arrived: 0 } } } as never,
      actuator: { runningPlan: () => ({ stages: {} }), limitCores: 0 } as never,
      loop: { isChanging: false },
      reload: async ({ budget }) => {
        if (this.refusals-- > 0) throw new Error('not now');
        this.limitCores = budget.cpuCores ?? 0;
        return true;
      },
      follow: async () => undefined,
      setSurge: () => undefined,
      takeLead: async () => undefined,
    };
    Object.defineProperty(pipeline.actuator, 'limitCores', { get: () => this.limitCores });
    if (leads) this.group.noteLoop({ kind: 'in-force', plan: PLAN } as never);
    const entry = { pipeline, leads, tryClaim: (): StateClaim | undefined => undefined, signal: this.#ending.signal };
    void this.group.enter(entry).then(
      () => {
        this.hasEntered = true;
        this.group.started();
      },
      () => undefined,
    );
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.group.leave();
  }
}

const started: Router[] = [];
function router({ leads = false, routers = 2 } = {}): Router {
  const made = new Router(routers, leads);
  started.push(made);
  return made;
}

const until = (isTrue: () => boolean) => vi.waitUntil(isTrue, { timeout: 60_000, interval: 5 });
const said = () =>
  vi
    .mocked(process.stderr.write)
    .mock.calls.map(([text]) => String(text))
    .join('');

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline({ cpuCores: 8 }));
  spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  for (const each of started.splice(0)) await each.end();
  rmSync(FOLDER, REMOVED);
  vi.mocked(process.stderr.write).mockClear();
});
afterAll(() => {
  vi.restoreAllMocks();
  return folder.remove();
});

it('gives a waiting router no cores of a router whose file is damaged', async () => {
  const files = new RouterFiles(FOLDER);
  await files.create();
  const other: RouterState = {
    ...{ id: 'other', process: ownIdentity(), startedAtEpochMs: 1, atEpochMs: 1, specDigest: '', version: 0 },
    ...{ planVersion: 0, limitCores: 4, heldCores: 4, usesSurge: false, wantsSurge: false, arrived: 0 },
  };
  await files.tell(other);
  const lead = router({ leads: true });
  await until(() => lead.hasEntered);
  const waits = router();
  await until(() => existsSync(join(FOLDER, `router-${waits.group.id}.json`)));
  writeFileSync(join(FOLDER, 'router-other.json'), 'damaged');
  await setTimeout(300);
  expect([waits.limitCores, lead.limitCores]).toEqual([0, 4]);
  await files.tell({ ...other, atEpochMs: 2, hasLeft: true });
  await until(() => waits.hasEntered);
  expect(waits.limitCores).toBe(4);
});

it('repeats the state of the lead if its file or the folder is gone', async () => {
  const lead = router({ leads: true });
  const path = join(FOLDER, 'lead.json');
  await until(() => existsSync(path));
  rmSync(path);
  await until(() => existsSync(path));
  rmSync(FOLDER, REMOVED);
  await until(() => existsSync(path));
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ leadId: lead.group.id });
});

it('refuses to reload a pipeline that cannot be divided, and keeps its share', async () => {
  const lead = router({ leads: true });
  await until(() => lead.hasEntered);
  await expect(lead.group.reload({ ...spec, budget: {} })).rejects.toThrow(/set spec\.budget\.cpuCores/);
  const [first, ...others] = spec.stages;
  const odd = { ...first, bounds: { ...first?.bounds, minReplicas: 3, maxReplicas: 3 } } as PipelineSpec['stages'][0];
  await expect(lead.group.reload({ ...spec, stages: [odd, ...others] })).rejects.toThrow(/multiple of 2 replicas/);
  expect(lead.group.spec.budget.cpuCores).toBe(4);
});

it('tries a share again that its pipeline refused, and holds the one before meanwhile', async () => {
  const [lead, follower] = [router({ leads: true }), router()];
  await until(() => lead.hasEntered && follower.hasEntered);
  lead.refusals = 2;
  await follower.end();
  started.splice(started.indexOf(follower), 1);
  await until(() => lead.refusals < 2);
  expect(lead.limitCores).toBe(4);
  await until(() => lead.limitCores === 8);
  expect(said()).toMatch(/8 cores are no share for this router: not now/);
});

it('says that the lead has another pipeline file', async () => {
  const lead = router({ leads: true });
  await until(() => lead.hasEntered);
  spec = { ...spec, slo: { ...spec.slo, latencyMs: spec.slo.latencyMs + 1 } };
  const follower = router();
  await until(() => /the lead has read another pipeline file, so this router waits/.test(said()));
  expect(follower.hasEntered).toBe(false);
  await lead.group.reload(spec);
  await until(() => follower.hasEntered);
});
