/** The admin port of an operator, over a pipeline with given facts. */
import { CountedHistory } from '@equipoise/core/history';
import { type DecisionRecord, stageId } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controlledSpec } from '../loop/pipeline-control.test-support.js';
import type { ClusterPipeline } from './cluster-endpoints.js';
import { EventFeed } from './event-feed.js';
import { type RunningAdminServer, startAdminServer } from './start-admin-server.js';

const records = [3, 2, 1].map((id) => ({ id, atEpochMs: 10 * id, observation: { atMs: 0 } }) as DecisionRecord);
const asked: unknown[] = [];
const history = new CountedHistory(controlledSpec);
history.append({
  ...{ atEpochMs: 5000, arrived: 4, completed: 3, late: 0, failed: 0, drops: {}, busyCores: 1, staleSignals: 0 },
  ...{ stages: {}, runningPlan: { stages: {} } },
});

const shelf: ClusterPipeline = {
  ...{ name: 'n/shelf', spec: controlledSpec, ready: true, arrivalRps: 4 },
  status: { mode: 'auto', faults: [], specDigest: 'd' },
  signals: [{ source: 'router shelf-1', ageMs: 900 }, { source: 'decision' }],
  counts: {
    requests: { arrived: 12, completed: 8, withinSlo: 7, failed: 1, dropped: { 'queue-full': 1 } },
    stages: { a: { items: 9, batches: 3, busyMs: 90, dropped: 1 } },
  },
  runningPlan: { stages: { [stageId('a')]: { replicas: [], maxBatchSize: 4, maxBatchWaitMs: 0 } } },
  queueLengths: { a: 5 },
  history: history.history,
  curves: requireCurves(controlledSpec, []),
  decisions: ({ limit, beforeId = 9 }) => records.filter(({ id }) => id < beforeId).slice(0, limit),
  decision: (number) => records.find(({ id }) => id === number),
  whatIf: async (query) => {
    asked.push(query);
    return { result: { kind: 'not-found' } as never, changes: [] };
  },
  frontier: async (arrivalRps = 20) => ({ arrivalRps, front: { kind: 'not-found' } as never, current: undefined }),
};

describe('the admin port of an operator', () => {
  const cluster = new Map([['n/shelf', shelf]]);
  let server: RunningAdminServer;
  beforeAll(async () => {
    server = await startAdminServer({ pipelines: { cluster }, feed: new EventFeed(() => 0), port: 0, version: '1' });
  });
  afterAll(() => server.close());
  const P = '/admin/pipelines/n%2Fshelf';
  const get = async (path: string) => {
    const answer = await fetch(`${server.url}${path}`);
    return { status: answer.status, json: (await answer.json()) as Record<string, never> };
  };
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: answer.status, json: (await answer.json()) as { error: string } };
  };

  it('has the documents of served pipelines, with what is elsewhere', async () => {
    const facts = { name: 'n/shelf', mode: 'auto', ready: true, inFlight: 2, arrivalRps: 4, signals: shelf.signals };
    const { json } = await get('/admin/pipelines');
    expect(json).toMatchObject({ pipelines: [facts] });
    expect((await get(P)).json).toMatchObject({ ...facts, elsewhere: { actions: expect.stringContaining('kubectl') } });
    expect((await get(`${P}/graph`)).json).toMatchObject({ stages: [{ stageId: 'a' }] });
    expect((await get(`${P}/running-plan`)).json).toMatchObject({ stages: { a: { queueLength: 5, maxBatchSize: 4 } } });
    expect((await get(`${P}/counts`)).json).toMatchObject({
      ...{ inFlight: 2, stages: { a: { items: 9, queueLength: 5, dropped: { all: 1 } } }, edges: [] },
    });
    expect((await get(`${P}/history`)).json).toMatchObject({ points: [{ atEpochMs: 5000, arrivalRps: 4 }] });
    expect((await get(`${P}/profiles`)).json).toMatchObject({ profiles: [{ stageId: 'a' }, {}] });
    expect((await get(`${P}/frontier`)).json).toEqual({ arrivalRps: 20, result: { kind: 'not-found' } });
  });

  it('reads its decisions in pages, and opens one', async () => {
    const { json } = await get(`${P}/decisions?limit=2`);
    expect(json).toMatchObject({ decisions: [{ id: 3 }, { id: 2 }], nextBefore: 2 });
    expect((await get(`${P}/decisions?limit=2&before=2`)).json).toEqual({ decisions: [{ id: 1, atEpochMs: 10 }] });
    expect((await get(`${P}/decisions/2`)).json).toMatchObject({ id: 2 });
    for (const id of ['7', 'x']) expect((await get(`${P}/decisions/${id}`)).status).toBe(404);
  });

  it('plans for other assumptions', async () => {
    await post(`${P}/plan`, { arrivalRps: 40, budgetCpuCores: 3 });
    expect(asked).toEqual([{ arrivalRps: 40, budgetCpuCores: 3, verify: true, policy: 'equipoise' }]);
  });

  it.each([
    ['roll-back', {}, /kubectl edit inferencepipeline/],
    ['pin', { stageId: 'a', replicas: 1 }, /spec\.stages\[\]\.pins/],
    ['why', {}, /conditions of the pipeline/],
    ['quarantine/clear', {}, /own quarantine/],
  ])('refuses %s with the place where it is done', async (path, body, words) => {
    const { status, json } = await post(`${P}/${path}`, body);
    expect(status).toBe(409);
    expect(json.error).toMatch(words);
  });

  it('refuses requests of other pipelines and of sources that it does not see', async () => {
    expect((await get('/admin/pipelines/n%2Fother')).status).toBe(404);
    expect((await get(`${P}/requests`)).status).toBe(409);
    expect((await get(`${P}/sources`)).status).toBe(409);
    expect((await fetch(`${server.url}/admin/events?pipeline=n%2Fother`)).status).toBe(404);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });
});
