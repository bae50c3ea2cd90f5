import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { planWith } from '../loop/pipeline-control.test-support.js';
import { AdminAccess } from './admin-access.js';
import { adminRoutes } from './admin-routes.js';
import { AdminBench } from './admin-server.test-support.js';
import { type AdminServerOptions, startAdminServer } from './start-admin-server.js';

const opened: AdminBench[] = [];
async function open(over: Partial<AdminServerOptions> = {}): Promise<AdminBench> {
  const bench = new AdminBench();
  opened.push(bench);
  return bench.start(over);
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((bench) => bench.close()));
});

const P = '/admin/pipelines/p';

describe('the admin port', () => {
  it('escapes what could forge a line of the log or steer a terminal in a reason', async () => {
    const bench = await open();
    await bench.post(`${P}/pause`, { reason: 'a\n[9] apply: \u001b[31mb\u202e' });
    const { json } = await bench.get(`${P}/decisions`);
    expect(JSON.stringify(json)).toContain(String.raw`a\\n[9] apply: \\u001b[31mb\\u202e`);
  });

  it('tells how its pipelines stand', async () => {
    const bench = await open();
    const pipeline = {
      ...{ name: 'p', mode: 'auto', fixed: false, ready: true, pins: {}, faults: [], inFlight: 2, arrivalRps: 2 },
      ...{ slo: { latencyMs: 300, percentile: 99 }, budget: { cpuCores: 6 }, objective: { kind: 'max-accuracy' } },
      requests: { arrived: 12, completed: 10, withinSlo: 9, failed: 1, dropped: { 'queue-full': 1 } },
      specDigest: 'd',
      signals: ['arrivals', 'answers', 'batches of a', 'decision'].map((source) => ({ source })),
    };
    expect((await bench.get('/admin/pipelines')).json).toEqual({ pipelines: [pipeline] });
    expect((await bench.get(P)).json).toEqual(pipeline);
    const { json } = await bench.get(`${P}/running-plan`);
    expect(json).toMatchObject({ stages: { a: { queueLength: 3, replicas: [{ variantId: 'small' }] } } });
  });

  it('describes the graph, and counts what passed through it', async () => {
    const bench = await open();
    expect((await bench.get(`${P}/graph`)).json).toMatchObject({
      slo: { latencyMs: 300, percentile: 99 },
      sources: [{ name: 'input', to: ['a'] }],
      stages: [
        {
          stageId: 'a',
          variants: [
            { variantId: 'small', accuracy: { value: 0.6 }, cpuCores: [1, 2] },
            { variantId: 'large', accuracy: { value: 0.8 } },
          ],
          bounds: { minReplicas: 1, maxReplicas: 4 },
        },
      ],
      ...{ combines: [], edges: [], outputs: [{ from: 'a' }] },
    });
    const { json } = await bench.get(`${P}/counts`);
    expect(json).toEqual({
      atEpochMs: expect.any(Number),
      inFlight: 2,
      requests: { arrived: 12, completed: 10, withinSlo: 9, failed: 1, dropped: { 'queue-full': 1 } },
      latencyMs: { p50: expect.closeTo(20, 0), atPercentile: expect.closeTo(90, 0) },
      stages: { a: { queueLength: 3 } },
      edges: [{ offered: 4, taken: 1, fanOuts: 0, items: 0 }],
    });
  });

  it('makes a frontier at the current load or a given rate, with the running plan', async () => {
    const bench = await open();
    bench.played.arrivalsPerSecond = [];
    const { json } = await bench.get(`${P}/frontier`);
    expect(json).toMatchObject({
      ...{ arrivalRps: 1, complete: true, omittedPoints: 0 },
      points: [{ pas: 0.6, costPerHour: 1, plan: { stages: { a: [{ variantId: 'large' }] } } }],
      current: { pas: 0.6, costPerHour: 1, cpuCores: 1 },
    });
    expect((await bench.get(`${P}/frontier?arrivalRps=12`)).json).toMatchObject({ arrivalRps: 12 });
    expect(bench.played.frontiers).toEqual([1, 12]);
    expect((await bench.get(`${P}/frontier?arrivalRps=0`)).status).toBe(422);
  });

  it('shows profiles with the fitted curve', async () => {
    const { json } = await (await open()).get(`${P}/profiles`);
    const points = [1, 2].map((size) => ({
      batchSize: size,
      meanMs: 10 * size,
      p99Ms: 12 * size,
      fittedMs: expect.closeTo(10 * size, 6),
    }));
    const curves = [1, 2].map((cpuCores) => ({ cpuCores, points }));
    const profile = { stageId: 'a', loadMs: 0, curves };
    expect(json).toEqual({
      profiles: ['small', 'large'].map((variantId) => ({ ...profile, variantId })),
    });
  });

  it.each(['//', '//livez', '//x:y', '/admin/events/'])(
    'answers %s like any other path that there is not, or whose stream HEAD asks for, and meets no defect',
    async (path) => {
      const defects: unknown[] = [];
      const bench = await open({ onDefect: (error) => defects.push(error) });
      const { status, text, headers } = await bench.send({ method: 'HEAD', path });
      expect([status, text, defects]).toEqual([path.startsWith('//') ? 404 : 200, '', []]);
      if (status === 200) expect(headers['content-type']).toBe('text/event-stream');
    },
  );

  it('refuses a target that is no path and no URL', async () => {
    const bench = await open();
    const { port } = new URL(bench.server?.url ?? '');
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1.1 400 /);
  });

  it('lists requests: the newest traces, or the slowest requests', async () => {
    const none = new AdminBench();
    opened.push(none);
    await none.start();
    expect((await none.get(`${P}/requests`)).json).toEqual({ tracing: false, requests: [] });
    const bench = new AdminBench();
    opened.push(bench);
    const sample = (traceId: string) =>
      ({ traceId, startedEpochMs: 1, latencyMs: 2, outcome: 'completed', spans: [] }) as const;
    bench.tracer = {
      newest: (limit) => [sample(`newest ${limit}`)],
      slowest: (limit, nowMs) => [sample(`slowest ${limit} ${nowMs}`)],
    };
    await bench.start();
    expect((await bench.get(`${P}/requests`)).json).toEqual({ tracing: true, requests: [sample('newest 50')] });
    const { json } = await bench.get(`${P}/requests?slowest=true&limit=7`);
    expect(json).toEqual({ tracing: true, requests: [sample('slowest 7 0')] });
    for (const query of ['limit=0', 'limit=201', 'slowest=yes', 'newest=true'])
      expect((await bench.get(`${P}/requests?${query}`)).status).toBe(422);
  });

  it('shows the parts of sources', async () => {
    const { json } = await (await open()).get(`${P}/sources`);
    expect(json).toMatchObject({
      waiting: 2,
      sources: [
        {
          onMissing: 'fail',
          statedShare: 1,
          parts: { joined: 6, late: 3 },
          fractions: { joined: 0.75, missing: 0.25, unmatched: 0.1, late: 0.3 },
        },
      ],
    });
  });

  it('shows quarantined inputs and frees them', async () => {
    const bench = await open();
    const { json } = await bench.get(`${P}/quarantine`);
    expect(json).toEqual({ inputs: [{ stageId: 'a', tenant: 'north', digest: 'ab12', leftMs: 1000 }] });
    expect((await bench.post(`${P}/quarantine/clear`)).json).toEqual({ freed: 1 });
    expect((await bench.post(`${P}/quarantine/clear`, { stageId: 'a' })).json).toEqual({ freed: 2 });
    const { status, text } = await bench.post(`${P}/quarantine/clear`, { stageId: 'none' });
    expect([status, text]).toEqual([404, expect.stringContaining('The pipeline has no such stage; it has a.')]);
    expect(bench.cleared).toEqual(['a', 'a']);
  });

  it('shows the last hour, in as many points as are asked for', async () => {
    const bench = await open();
    for (const second of [1, 2, 3, 4]) {
      bench.sampled = { ...bench.sampled, arrived: 5 * second };
      bench.history.advance(1000 * second);
    }
    const all = (await bench.get(`${P}/history`)).json as { stepMs: number; points: object[] };
    expect(all).toMatchObject({ stepMs: 1000, points: new Array(4).fill({ arrivalRps: 5, p99Ms: null, drops: {} }) });
    expect(all.points[0]).toMatchObject({
      atEpochMs: 1_001_000,
      stages: { a: { queueLength: 3, replicas: { ready: 1 } } },
    });
    const some = await bench.get(`${P}/history?fromEpochMs=1001000&toEpochMs=1003000&maxPoints=1`);
    expect(some.json).toMatchObject({ stepMs: 2000, points: [{ atEpochMs: 1_003_000, arrivalRps: 5 }] });
    expect((await bench.get(`${P}/history?fromEpochMs=9e12`)).json).toEqual({
      stepMs: 1000,
      points: [],
      latencies: [],
    });
  });

  it.each([
    'maxPoints=0',
    'maxPoints=3601',
    'maxPoints=x',
    'fromEpochMs=-1',
    'toEpochMs=soon',
    'fromEpochMs=1e300',
    'froms=2',
  ])('refuses a history with ?%s, and says what is wrong', async (query) => {
    const bench = await open();
    const { status, text } = await bench.get(`${P}/history?${query}`);
    expect([status, text]).toEqual([422, expect.stringContaining(query.split('=')[0] ?? '')]);
  });

  it('diagnoses a window, by default the last ten minutes', async () => {
    const bench = await open();
    const window = { fromEpochMs: 1_400_000, toEpochMs: 2_000_000 };
    expect((await bench.post(`${P}/why`)).json).toEqual({ verdict: 'no-data', text: 'a fake', ...window });
    expect((await bench.post(`${P}/why`, { fromEpochMs: 5, toEpochMs: 9 })).json).toMatchObject({
      fromEpochMs: 5,
      toEpochMs: 9,
    });
    expect(bench.diagnosed).toHaveLength(2);
    expect(await bench.post(`${P}/why`, { fromEpochMs: 9, toEpochMs: 9 })).toMatchObject({ status: 422 });
    expect(await bench.post(`${P}/why`, { last: '10m' })).toMatchObject({ status: 422 });
    expect(await bench.post(`${P}/why`, { fromEpochMs: 'soon' })).toMatchObject({ status: 422 });
  });

  it('answers what would be', async () => {
    const bench = await open();
    const body = { arrivalRps: 30, budgetCpuCores: 4, objective: { kind: 'min-cost', accuracyFloor: 0.5 } };
    const { status, json } = await bench.post(`${P}/plan`, { ...body, pins: { a: { replicas: 2 } } });
    expect([status, json]).toMatchObject([
      200,
      { result: { kind: 'feasible' }, changes: [{ kind: 'switch-variant' }] },
    ]);
    expect(bench.played.queries).toEqual([
      { ...body, pins: { a: { replicas: 2 } }, policy: 'equipoise', verify: true },
    ]);
  });

  it('shows the log page by page, and each entry whole', async () => {
    const bench = await open();
    for (let each = 0; each < 5; each++) bench.played.advised(planWith('large', 2));
    const page = (await bench.get(`${P}/decisions?limit=2`)).json as Record<string, unknown>;
    expect(page).toEqual({
      decisions: [5, 4].map((id) => ({
        ...{ id, atEpochMs: 1, trigger: 'plan', mode: 'advise', kind: 'apply', reason: 'better' },
      })),
      nextBefore: 4,
    });
    const rest = (await bench.get(`${P}/decisions?limit=200&before=4`)).json as { decisions: { id: number }[] };
    expect(rest.decisions.map(({ id }) => id)).toEqual([3, 2, 1]);
    expect(rest).not.toHaveProperty('nextBefore');
    expect((await bench.get(`${P}/decisions/3`)).json).toMatchObject({
      ...{ id: 3, setupDigest: 's', observation: { atMs: 0 }, decision: { plan: { predicted: { pas: 0.6 } } } },
    });
  });

  it('does what a person may do, and answers with the entry of the log', async () => {
    const bench = await open();
    const id = bench.played.advised(planWith('large', 3));
    bench.played.arrivalsPerSecond = Array.from({ length: 60 }, () => 450);
    const actions: readonly (readonly [string, object | undefined, object])[] = [
      [
        ...(['pause', { reason: 'a test' }] as const),
        {
          ...{ mode: 'off', manual: { action: 'pause', reason: 'a test' } },
          result: 'mode off: the loop neither plans nor changes anything',
        },
      ],
      ['advise', undefined, { mode: 'advise' }],
      ['resume', {}, { mode: 'auto', result: 'mode auto: the loop plans and acts' }],
      [
        ...(['pin', { stageId: 'a', variantId: 'large' }] as const),
        {
          manual: { pins: { a: { variantId: 'large' } } },
          result: 'a is pinned to variantId large; the next plan follows it',
        },
      ],
      [
        ...(['unpin', { stageId: 'a' }] as const),
        { manual: { pins: {} }, result: 'only pins of the pipeline file remain; the next plan follows it' },
      ],
      [
        ...(['apply', { stages: planWith('small', 3).stages, canary: false }] as const),
        { manual: { canary: false }, result: expect.stringContaining('a plan given by hand, without a canary') },
      ],
      [
        ...(['apply', { decisionId: id }] as const),
        {
          ...{ manual: { decisionId: id }, outcome: { kind: 'applied' } },
          result: expect.stringMatching(
            /^in force after \d+ ms: the plan of decision \d+, by hand; mode advise, the loop plans/,
          ),
        },
      ],
      ['apply', { stages: planWith('small', 2).stages }, { outcome: { kind: 'applied' }, mode: 'advise' }],
      [
        ...(['roll-back', undefined] as const),
        {
          ...{ manual: { action: 'roll-back' }, outcome: { kind: 'applied' } },
          ...{ result: expect.stringContaining('at most 300.0 rps'), warning: expect.stringContaining('miss the SLO') },
        },
      ],
    ];
    for (const [action, body, entry] of actions) {
      const { status, json } = await bench.post(`${P}/${action}`, body);
      expect([action, status, json]).toMatchObject([action, 200, { trigger: 'manual', ...entry }]);
      for (const long of ['observation', 'input']) expect(json).not.toHaveProperty(long);
      expect(json).not.toHaveProperty('decision.evidence');
    }
    expect(bench.played.runs).toBe('3 large');
  });

  it.each<[string, string, unknown, number, RegExp]>([
    ['no JSON', 'pause', '{', 400, /not JSON/],
    ['an unknown field', 'pause', { because: 'x' }, 422, /: unknown field "because"\./],
    ['a long reason', 'pause', { reason: 'x'.repeat(501) }, 422, /: reason: expected at most 500 characters\./],
    ['a list', 'pause', [], 422, /expected object, found list/],
    ['a number as a name', 'pin', { stageId: 5 }, 422, /stageId: expected string, found number/],
    ['a missing rate', 'plan', {}, 422, /arrivalRps: missing/],
    ['a rate of nothing', 'plan', { arrivalRps: 0 }, 422, /arrivalRps: expected above 0/],
    ['an unknown objective', 'plan', { arrivalRps: 1, objective: { kind: 'x' } }, 422, /objective/],
    ['nothing to pin', 'pin', { stageId: 'a' }, 422, /something to pin/],
    ['what cannot be pinned', 'pin', { stageId: 'a', replicas: 9 }, 422, /does not allow 9 replicas/],
    ['a threshold without a choice', 'pin', { stageId: 'a', threshold: 0.7 }, 422, /a has no choice of thresholds/],
    ['a quorum without a choice', 'pin', { stageId: 'a', quorum: 2 }, 422, /a has no choice of quorums/],
    ['a quorum of nothing', 'pin', { stageId: 'a', quorum: 0 }, 422, /quorum: /],
    ['a threshold that is no number', 'pin', { stageId: 'a', threshold: 'high' }, 422, /threshold: /],
    ['a wrong type and a negative number', 'pin', { stageId: 1, replicas: -1 }, 422, /stageId: .*; replicas: /],
    ['an unknown stage', 'pin', { stageId: 'b', replicas: 1 }, 404, /There is no stage b/],
    ['neither decision nor plan', 'apply', {}, 422, /decisionId or stages/],
    ['a canary that is no boolean', 'apply', { decisionId: 1, canary: 'no' }, 422, /canary/],
    ['both', 'apply', { decisionId: 1, stages: {} }, 422, /decisionId or stages/],
    ['an unknown decision', 'apply', { decisionId: 77 }, 404, /There is no decision 77/],
    ['a plan that does not fit', 'apply', { stages: planWith('huge', 1).stages }, 422, /no variant huge/],
    ['no plan to go back to', 'roll-back', {}, 409, /no earlier good plan/],
    ['a rate of nothing', 'plan', { arrivalRps: 0 }, 422, /arrivalRps/],
    ['an infinite rate', 'plan', '{"arrivalRps": 1e999}', 422, /arrivalRps/],
    ['an unknown objective', 'plan', { arrivalRps: 1, objective: { kind: 'best' } }, 422, /objective/],
  ])('refuses %s', async (_, action, body, status, words) => {
    const bench = await open();
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const headers = { 'content-type': 'application/json' };
    const got = await bench.send({ method: 'POST', path: `${P}/${action}`, headers, text });
    expect([got.status, got.json]).toMatchObject([status, { error: expect.stringMatching(words) }]);
    expect([bench.played.control.mode, bench.played.control.pins]).toEqual(['auto', {}]);
  });

  it('refuses other paths, methods, media types and sizes', async () => {
    const bench = await open();
    expect(await bench.get('/admin')).toMatchObject({
      status: 404,
      json: { error: expect.stringContaining(P.slice(0, 16)) },
    });
    expect(await bench.get('/admin/pipelines/q')).toMatchObject({
      status: 404,
      json: { error: expect.stringContaining('served: p') },
    });
    expect(await bench.get(`${P}/decisions/first`)).toMatchObject({ status: 404 });
    expect(await bench.get(`${P}/decisions/8`)).toMatchObject({ status: 404 });
    expect(await bench.get(`${P}/decisions?limit=0`)).toMatchObject({ status: 422 });
    expect(await bench.get(`${P}/decisions?page=2`)).toMatchObject({ status: 422 });
    expect(await bench.get(`${P}/pause`)).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect(await bench.post(`${P}/pause`, {}, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
    expect(await bench.post(`${P}/pause`, { reason: 'x'.repeat(70_000) })).toMatchObject({ status: 413 });
    expect(await bench.get('/admin/%')).toMatchObject({ status: 404 });
    expect(await bench.get('/admin/pipelines/%')).toMatchObject({ status: 400 });
    expect(bench.played.control.mode).toBe('auto');
  });

  it('asks for its token, but for probes of health', async () => {
    const bench = await open({ token: 'sesame', host: '127.0.0.1' });
    expect(await bench.get('/livez')).toMatchObject({ status: 200, json: { live: true } });
    expect(await bench.get('/readyz')).toMatchObject({ status: 200, json: { ready: true } });
    for (const headers of [{}, { authorization: 'Bearer other' }])
      expect(await bench.get(P, headers as Record<string, string>)).toMatchObject({ status: 401 });
    expect(await bench.post(`${P}/pause`)).toMatchObject({ status: 401 });
    expect(bench.played.control.mode).toBe('auto');
    // With a token, any host name is allowed.
    const headers = { authorization: 'Bearer sesame', host: 'serving.example' };
    expect(await bench.get(P, headers)).toMatchObject({ status: 200 });
  });

  it('without a token answers only who asks for this machine, and no page of another site', async () => {
    const bench = await open();
    const { host } = new URL(bench.server?.url ?? '');
    for (const headers of [
      { host: 'rebound.example' },
      { host: '10.0.0.1' },
      { origin: 'http://elsewhere.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect(await bench.post(`${P}/pause`, {}, headers as Record<string, string>)).toMatchObject({ status: 403 });
      expect(await bench.get(P, headers as Record<string, string>)).toMatchObject({ status: 403 });
    }
    expect(bench.played.control.mode).toBe('auto');
    for (const headers of [
      { host: 'localhost:1' },
      { host: '[::1]:80' },
      { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ])
      expect(await bench.get(P, headers as Record<string, string>)).toMatchObject({ status: 200 });
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'example.org'])('does not listen on %s without a token', async (host) => {
    await expect(open({ host })).rejects.toEqual(
      expect.objectContaining({ code: 'WRONG_USAGE', message: expect.stringContaining('needs a token') }),
    );
  });

  it('names a port that is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { readonly port: number };
    await expect(startAdminServer({ pipelines: [], feed: new AdminBench().feed, port, version: '1' })).rejects.toEqual(
      expect.objectContaining({
        code: 'PORT_IN_USE',
        message: expect.stringContaining(`listens on 127.0.0.1:${port}.`),
      }),
    );
    holder.close();
  });

  it('bounds how often it is asked, reads apart from what changes something', async () => {
    let nowMs = 0;
    const bench = await open({ nowMs: () => nowMs });
    for (let each = 0; each < 20; each++) expect(await bench.post(`${P}/pause`)).toMatchObject({ status: 200 });
    expect(await bench.post(`${P}/pause`)).toMatchObject({
      ...{ status: 429, headers: { 'retry-after': '1' }, json: { code: 'RATE_LIMITED' } },
    });
    expect(await bench.get(P)).toMatchObject({ status: 200 });
    expect(await bench.get('/livez')).toMatchObject({ status: 200 });
    nowMs = 200;
    expect(await bench.post(`${P}/pause`)).toMatchObject({ status: 200 });
    expect(await bench.post(`${P}/pause`)).toMatchObject({ status: 429 });
  });

  it('bounds the time that its answers take', () => {
    let nowMs = 0;
    const access = new AdminAccess(undefined, () => nowMs);
    const ask = (costMs: number) => {
      access.check('GET', { host: 'localhost' });
      return access.countWork(() => {
        nowMs += costMs;
        return 'answer';
      });
    };
    for (let count = 0; count < 3; count++) expect(ask(1000)).toBe('answer');
    // 3 s of work take 12 s to pay for, of which 3 s are over. A burst may owe 6 s.
    const limited = expect.objectContaining({ code: 'RATE_LIMITED', details: { retryAfterMs: 3000 } });
    expect(() => ask(1)).toThrow(limited);
    nowMs += 3000;
    expect(ask(1)).toBe('answer');
  });

  it.each(['question', 'answer'])('counts the work that follows a wait: the %s of a diagnosis', async (which) => {
    let nowMs = 0;
    const bench = await open({ nowMs: () => nowMs });
    const card = { verdict: 'no-data', text: 'a fake', fromEpochMs: 0, toEpochMs: 0 } as const;
    const work = () => {
      nowMs += 2500;
      return card;
    };
    bench.cardOf = which === 'question' ? work : () => Object.assign({ toJSON: work }, card);
    expect(await bench.post(`${P}/why`, {})).toMatchObject({ status: 200 });
    // 2.5 s of work take 10 s to pay for, of which 2.5 s are over. A burst may owe 6 s.
    expect(await bench.get(P)).toMatchObject({ status: 429, json: { details: { retryAfterMs: 1500 } } });
    nowMs += 1500;
    expect(await bench.get(P)).toMatchObject({ status: 200 });
  });

  it('has the metrics where there are any, and says whether its pipelines are ready', async () => {
    const bench = await open({ metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' } });
    expect(await bench.get('/metrics')).toMatchObject({ status: 200, text: 'up 1\n' });
    bench.ready = false;
    expect(await bench.get('/readyz')).toMatchObject({ status: 503, json: { ready: false, notReady: ['p'] } });
    const without = await open();
    expect(await without.get('/metrics')).toMatchObject({ status: 404 });
  });

  it('answers HEAD as GET, without a body', async () => {
    const bench = await open();
    expect(await bench.send({ method: 'HEAD', path: P })).toMatchObject({ status: 200, text: '' });
  });

  it('tells a client nothing of a defect', async () => {
    const defects: unknown[] = [];
    const bench = await open({ onDefect: (error) => void defects.push(error) });
    bench.played.change = () => Promise.reject(new Error('a secret'));
    const got = await bench.post(`${P}/apply`, { stages: planWith('large', 2).stages });
    expect(got).toMatchObject({ status: 500, json: { code: 'INTERNAL_ERROR' } });
    expect(got.text).not.toContain('secret');
    expect(defects).toEqual([new Error('a secret')]);
  });

  it('has each of its routes described', () => {
    for (const { method, path, summary, answer, body } of adminRoutes) {
      expect([path, summary.length > 10, answer.length > 5]).toEqual([path, true, true]);
      expect([path, body !== undefined]).toEqual([path, method === 'POST']);
    }
  });
});
