import { once } from 'node:events';
import { copyFileSync, existsSync, linkSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, TestFolder } from '../equipoise.test-support.js';
import type { SavedRun } from '../report/run/saved-run.js';
import { sampleDecision, sampleRun } from '../report/sample-run.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const fixture = (name: string) => fileURLToPath(new URL(`../../../runtime/src/loop/fixtures/${name}`, import.meta.url));
const report = (...args: string[]) => equipoiseHere(folder.path, 'report', ...args);
const written = (name: string) => readFileSync(join(folder.path, name), 'utf8');

const run = sampleRun({ pipeline: 'shelf', stages: ['detect', 'classify'], seconds: 900 });
/** As a server answers it: a stage has its arrival rate, too. */
const points = run.points.map(({ stages, ...point }) => ({
  ...point,
  stages: Object.fromEntries(Object.entries(stages).map(([id, stage]) => [id, { ...stage, arrivalRps: 20 }])),
}));
const summaries = run.decisions.map(({ id, atEpochMs, trigger, decision, outcome }) => ({
  ...{ id, atEpochMs, trigger, outcome, kind: decision?.kind, reason: decision?.reason },
}));

/** The clock of the server is not the clock here. */
const SERVER_NOW = Date.parse('2026-03-01T12:15:00Z');

/** Admin port with one pipeline, whose decisions come in pages of two. */
function answerOf(path: string): object {
  const { pathname, searchParams } = new URL(path, 'http://x');
  if (pathname === '/admin/pipelines') return { pipelines: [{ name: 'shelf' }] };
  if (pathname.endsWith('/counts')) return { atEpochMs: SERVER_NOW };
  if (pathname.endsWith('/history')) return { stepMs: 1000, points, latencies: run.latencies };
  const id = Number(/\/decisions\/(\d+)$/.exec(pathname)?.[1]);
  if (id > 0) return run.decisions.find((each) => each.id === id) ?? {};
  if (!pathname.endsWith('/decisions')) return { name: 'shelf', slo: run.slo };
  const before = Number(searchParams.get('before') ?? 1e9);
  const decisions = summaries
    .filter((each) => each.id < before)
    .toReversed()
    .slice(0, 2);
  const last = decisions.at(-1)?.id ?? 0;
  return { decisions, ...(last > 1 && { nextBefore: last }) };
}

let server: Server;
let admin = '';
const asked: string[] = [];

beforeAll(async () => {
  for (const name of ['decisions-0.1.0.jsonl', 'state-0.1.0.db']) copyFileSync(fixture(name), join(folder.path, name));
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(JSON.stringify(answerOf(request.url ?? '')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  return folder.remove();
});

describe('equipoise report', () => {
  it.each([
    { file: 'decisions-0.1.0.jsonl', pipeline: 'played', decisions: 10, points: 10 },
    // The requests after its last decision were observed.
    { file: 'state-0.1.0.db', pipeline: 'shelf', decisions: 13, points: 14 },
  ])('reads the decisions of $file', async ({ file, pipeline, decisions, points: count }) => {
    const ended = await report(file, '--json', '--plots', `plots-${pipeline}`);
    expect(documentOf(ended)).toMatchObject({
      pipeline,
      decisions,
      points: count,
      report: join(folder.path, 'report.html'),
    });
    expect(written('report.html')).toContain(`<h1>${pipeline}</h1>`);
    const plots = readdirSync(join(folder.path, `plots-${pipeline}`));
    expect(plots).toContain('01-load-and-changes-of-the-plan.svg');
    expect(written(`plots-${pipeline}/${plots[0]}`)).toMatch(/^<svg .*<\/svg>\n$/s);
  });

  it('reads the history of a server, saves it, and makes the same page from the saved run', async () => {
    const served = await report('--admin', admin, '--out', 'served.html', '--save', 'run.json', '--json');
    expect(documentOf(served)).toMatchObject({ pipeline: 'shelf', points: 900, decisions: 3 });
    const pages = [written('served.html')];
    expect(pages[0]).toContain('id="d1"');
    expect(pages[0]).toContain('Latency distribution');
    expect(asked.filter((path) => /decisions\/\d/.test(path))).toHaveLength(2);
    await report('run.json', '--out', 'saved.html');
    pages.push(written('saved.html'));
    const [first, second] = pages.map((page) => page.replace(/<p class="lead">[^<]*<\/p>/, ''));
    expect(second).toBe(first);
  });

  it('takes a window', async () => {
    const [first, last] = ['2026-03-01T12:05:00Z', '2026-03-01T12:10:00Z'];
    asked.length = 0;
    await report('--admin', admin, '--from', first, '--to', last, '--out', 'window.html');
    expect(asked.find((path) => path.includes('history'))).toMatch(
      `fromEpochMs=${Date.parse(first)}&toEpochMs=${Date.parse(last)}`,
    );
    const part = documentOf(await report('run.json', '--from', first, '--to', last, '--json'));
    expect(part).toMatchObject({ points: 300, decisions: 1 });
  });

  it('counts --last back by the clock of the server', async () => {
    asked.length = 0;
    const { exitCode } = await report('--admin', admin, '--last', '5m', '--out', 'last.html');
    expect(exitCode).toBe(0);
    expect(asked.find((path) => path.includes('history'))).toMatch(
      `fromEpochMs=${SERVER_NOW - 300_000}&toEpochMs=${SERVER_NOW}`,
    );
  });

  it.each([
    [['nothing.db'], 'There is no log nothing.db'],
    [['missing.json'], 'There is no saved run missing.json. Save one with report --admin URL --save FILE'],
    [['broken.json'], 'broken.json is not a saved run: it is not JSON'],
    [['plan.json'], 'plan.json is neither a decision log nor a saved run. A report draws the state file of a server'],
    [['wrong.json'], 'wrong.json is not a saved run: history.stepMs'],
    [['run.json', '--pipeline', 'other'], 'run.json is of the pipeline shelf'],
    [['state-0.1.0.db', '--pipeline', 'other'], 'state-0.1.0.db has no decisions of a pipeline other'],
    [['run.json', '--save', 'x.json'], '--save saves the run of a server'],
    [['run.json', '--last', '1m', '--from', '2026-03-01T12:05:00Z'], '--last and --from exclude each other'],
    [
      ['run.json', '--from', '2026-03-01T12:05:00Z', '--to', '2026-03-01T12:00:00Z'],
      'The window ends before it begins',
    ],
    [['--admin', 'http://127.0.0.1:1'], 'No admin port answers'],
    [['run.json', '--last', '10m'], 'add --to 2026-03-01T12:15:00Z, or omit --last'],
    [['decisions-0.1.0.jsonl', '--last', '10m'], 'It has 10 points and 10 decisions from'],
    [['state-0.1.0.db', '--to', '2001-02-03T00:00:00Z'], 'It has 14 points and 13 decisions from'],
    [['state-0.1.0.db', '--from', '2101-02-03T00:00:00Z'], 'state-0.1.0.db has nothing after 2101-02-03T00:00:00Z'],
    [['nothing.json'], 'nothing.json is of a run in which nothing was recorded'],
    [['never.json'], 'never.json is not a saved run: 1e+300 is no time'],
    [['empty.jsonl'], 'empty.jsonl has no decisions; the log is empty'],
  ])('refuses %j', async (args, message) => {
    folder.write('broken.json', '{"kind": "run", "pipeline": ');
    folder.write(
      'wrong.json',
      JSON.stringify({ kind: 'run', pipeline: 'p', slo: run.slo, history: {}, decisions: [] }),
    );
    const savedWith = (recorded: readonly object[]) => {
      const history = { stepMs: 1000, points: recorded, latencies: [] };
      return JSON.stringify({ kind: 'run', pipeline: 'p', slo: run.slo, history, decisions: [] });
    };
    folder.write('nothing.json', savedWith([]));
    folder.write('never.json', savedWith([{ ...points[0], atEpochMs: 1e300 }]));
    folder.write('empty.jsonl', '');
    folder.write('plan.json', JSON.stringify({ kind: 'feasible', plan: {} }, null, 2));
    const { exitCode, stderr } = await report(...args, '--out', 'refused.html');
    expect(exitCode).toBeGreaterThan(0);
    expect(stderr).toContain(message);
    expect(existsSync(join(folder.path, 'refused.html'))).toBe(false);
  });
});

it.each([
  ['run.json', 'run.json'],
  ['decisions-0.1.0.jsonl', './decisions-0.1.0.jsonl'],
  ['decisions-0.1.0.jsonl', 'link.jsonl'],
])('equipoise report does not replace its source %s by --out %s', async (source, out) => {
  const before = written(source);
  if (out === 'link.jsonl') linkSync(join(folder.path, source), join(folder.path, out));
  const { exitCode, stderr } = await report(source, '--out', out);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(`--out would replace ${source}`)]);
  expect(written(source)).toBe(before);
});

describe('equipoise report of a server without anything in the window', () => {
  let recorded: readonly object[] = [];
  let quiet: Server;
  let url = '';

  function quietAnswer(path: string): object {
    const { pathname, search } = new URL(path, 'http://x');
    if (pathname === '/admin/pipelines') return { pipelines: [{ name: 'shelf' }] };
    const isBounded = search.includes('EpochMs');
    if (pathname.endsWith('/history')) return { stepMs: 1000, points: isBounded ? [] : recorded, latencies: [] };
    return pathname.endsWith('/decisions') ? { decisions: [] } : { name: 'shelf', slo: run.slo };
  }

  beforeAll(async () => {
    quiet = createServer((request, response) => response.end(JSON.stringify(quietAnswer(request.url ?? ''))));
    quiet.listen(0, '127.0.0.1');
    await once(quiet, 'listening');
    url = `http://127.0.0.1:${(quiet.address() as AddressInfo).port}`;
  });

  afterAll(() => quiet.close());

  it.each([
    { known: false, flags: [], code: 1, message: 'has recorded nothing yet' },
    {
      known: true,
      flags: ['--to', '2026-02-01T00:00:00Z'],
      code: 2,
      message: 'It has 900 points from 2026-03-01T12:00:00Z to 2026-03-01T12:15:00Z.',
    },
  ])('writes neither a page nor a run: $message', async ({ known, flags, code, message }) => {
    recorded = known ? points : [];
    const files = ['none.html', 'none.json'] as const;
    const { exitCode, stderr } = await report('--admin', url, ...flags, '--out', files[0], '--save', files[1]);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(files.filter((file) => existsSync(join(folder.path, file)))).toEqual([]);
  });
});

describe('equipoise report of a busy server', () => {
  const end = points.at(-1)?.atEpochMs ?? 0;
  /** A change each five seconds, of which the first 50 are older than the history. Every third is only advised. */
  const decisions = Array.from({ length: 230 }, (_, i) => {
    const { outcome, ...record } = sampleDecision(3 * i + 1, 'busy', 'detect');
    const isAdvised = i % 3 === 0;
    const facts = isAdvised ? { mode: 'advise' as const } : { outcome };
    return { ...record, id: i + 1, atEpochMs: end - 5000 * (229 - i), ...facts };
  });
  const heard: string[] = [];
  let busy: Server;
  let url = '';

  function busyAnswer(path: string): object {
    const { pathname, searchParams } = new URL(path, 'http://x');
    if (pathname.endsWith('/history')) return { stepMs: 1000, points, latencies: run.latencies };
    const id = Number(/\/decisions\/(\d+)$/.exec(pathname)?.[1]);
    if (id > 0) return decisions[id - 1] ?? {};
    if (!pathname.endsWith('/decisions')) return { name: 'busy', slo: run.slo };
    const before = Number(searchParams.get('before') ?? 1e9);
    const page = decisions
      .filter((each) => each.id < before)
      .toReversed()
      .slice(0, Number(searchParams.get('limit')))
      .map(({ id, atEpochMs, mode, decision, outcome }) => ({
        ...{ id, atEpochMs, mode, outcome, kind: decision?.kind, reason: decision?.reason },
      }));
    const last = page.at(-1)?.id ?? 0;
    return { decisions: page, ...(last > 1 && { nextBefore: last }) };
  }

  beforeAll(async () => {
    busy = createServer((request, response) => {
      heard.push(request.url ?? '');
      const isLimited = heard.length % 5 === 0;
      const refusal = { error: 'too many requests', code: 'RATE_LIMITED', details: { retryAfterMs: 1 } };
      response.writeHead(isLimited ? 429 : 200);
      response.end(JSON.stringify(isLimited ? refusal : busyAnswer(request.url ?? '')));
    });
    busy.listen(0, '127.0.0.1');
    await once(busy, 'listening');
    url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
    await report('--admin', url, '--pipeline', 'busy', '--out', 'busy.html', '--save', 'busy.json');
  });

  afterAll(() => busy.close());

  it('lists the decisions of the history it shows, with the kind of each', () => {
    const saved = JSON.parse(written('busy.json')) as SavedRun;
    expect(saved.decisions.map(({ id }) => id)).toEqual(Array.from({ length: 180 }, (_, i) => i + 51));
    expect(saved.decisions.every(({ decision }) => decision?.kind === 'apply')).toBe(true);
    const page = written('busy.html');
    expect(page).toContain('of 180 decisions, 60 of them only advised');
    expect(page.match(/<td>advice<\/td>/g)).toHaveLength(60);
    expect(page.match(/<article class="change"/g)).toHaveLength(80);
    expect(page).toContain('The newest 80 of 120.');
  });

  it('reads a hundred changes in full, and waits as the server asks', () => {
    const full = new Set(heard.filter((path) => /decisions\/\d/.test(path)));
    expect(full.size).toBe(100);
  });
});
