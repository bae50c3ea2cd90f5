/**
 * `npm run bench:incidents-served [-- FOLDER] [--only TEXT] [--at-once N] [--seed-from TEXT] [--record FOLDER]`: serves the
 * incidents of the parent folder in real time, four at once, and asks why. `stale-signals` is left out: a server reads its
 * own metrics, which cannot become stale. `--record` keeps what was measured; `--again FOLDER` diagnoses that once more.
 * Exit code 1 if more than one in twelve is wrong.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { arrivalRng } from '@equipoise/core/control';
import type { IncidentCard } from '@equipoise/core/diagnose';
import { SeededRng } from '@equipoise/core/model';
import { arrivalsOf, loadDurationS } from '@equipoise/core/simulate';
import { diagnose } from '../../../packages/core/src/diagnose/diagnose.js';
import type { Incident } from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';
import { isRight, MOST_WRONG_FRACTION, seeded } from '../answers.js';
import { type ReadIncident, readIncidents } from '../read-incidents.js';
import { record, recordings } from './recordings.js';
import type { FromIncident, ToIncident } from './serve-incident.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    'at-once': { type: 'string' },
    'seed-from': { type: 'string' },
    record: { type: 'string' },
    again: { type: 'string' },
  },
});

type Client = { readonly timeoutMs?: number; readonly leavesAfterMs?: number };

/** Time limit of the client that sends at `atS`, or time after which it leaves. `chance` is drawn, 0…1. */
function clientAt({ injections }: Incident, atS: number, chance: number): Client {
  for (const each of injections) {
    if (each.kind !== 'client-aborts' && each.kind !== 'client-deadlines') continue;
    const { fromS = 0, untilS = Number.POSITIVE_INFINITY } = each;
    if (atS < fromS || atS >= untilS || chance >= each.fraction) continue;
    return each.kind === 'client-aborts' ? { leavesAfterMs: each.afterMs } : { timeoutMs: each.timeoutMs };
  }
  return {};
}

function send(url: string, agent: Agent, { timeoutMs, leavesAfterMs }: Client): void {
  const target = timeoutMs === undefined ? url : `${url}?timeout_ms=${timeoutMs}`;
  const call = httpRequest(target, { agent, method: 'POST', headers: { 'content-type': 'application/json' } });
  call.on('response', (answer) => answer.resume()).on('error', () => {});
  call.end('{}');
  if (leavesAfterMs === undefined) return;
  const timer = setTimeout(() => call.destroy(), leavesAfterMs);
  call.on('close', () => clearTimeout(timer));
}

async function sendLoad(url: string, incident: Incident): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const rng = new SeededRng(incident.seed + 1);
  const arrivals = arrivalsOf(incident.load, arrivalRng(incident.seed));
  const beganAtMs = performance.now();
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
    const waitMs = beganAtMs + atMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    send(url, agent, clientAt(incident, atMs / 1000, rng.next()));
  }
  await sleep(Math.max(0, beganAtMs + 1000 * loadDurationS(incident.load) - performance.now()));
  agent.destroy();
}

async function serveIncident({ incident, spec }: ReadIncident): Promise<boolean> {
  const child = fork(fileURLToPath(new URL('serve-incident.ts', import.meta.url)), {
    serialization: 'advanced',
    // Without the warnings of failing stages.
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  });
  const say = (message: ToIncident) => child.send(message);
  const heard = async () => {
    const [news] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])]);
    if (news === undefined) throw new Error(`the server of "${incident.name}" ended`);
    return news as FromIncident;
  };
  say({ kind: 'serve', incident, spec });
  const ready = await heard();
  if (ready.kind !== 'ready') throw new Error('the server is not ready');
  const epochMs = Date.now();
  say({ kind: 'begin' });
  await sendLoad(ready.url, incident);
  const { fromS, toS } = incident.ask ?? { fromS: 0, toS: loadDurationS(incident.load) };
  say({ kind: 'why', fromEpochMs: epochMs + 1000 * fromS, toEpochMs: epochMs + 1000 * toS });
  const news = await heard();
  if (news.kind !== 'card') throw new Error('there is no card');
  const { card, tookMs, input } = news;
  if (values.record !== undefined) record(values.record, { incident, input });
  return judge(incident, card, tookMs);
}

/** Prints the answer, with its reasons if it is wrong. */
function judge(incident: Incident, card: IncidentCard, tookMs: number): boolean {
  const right = isRight(incident, card);
  const answer = card.verdict === 'incident' ? `${card.cause} ${card.stageId ?? ''}` : card.verdict;
  const { cause, stages = [] } = incident.expect;
  const missed = 'harm' in card ? `${card.harm.missed} of ${card.harm.requests} requests missed; ` : '';
  process.stdout.write(
    `${right ? 'right' : 'WRONG'}  ${incident.name}: ${answer} (expected ${cause} ${stages.join(' or ')}; ${missed}${tookMs.toFixed(0)} ms)\n`,
  );
  if (right || card.verdict !== 'incident') return right;
  process.stdout.write(`       ${card.summary}\n       not ${card.runnerUp?.cause}: ${card.runnerUp?.against}\n`);
  return right;
}

function diagnoseAgain(folder: string): readonly boolean[] {
  return recordings(folder)
    .filter(({ incident }) => incident.name.includes(values.only ?? ''))
    .map(({ incident, input }) => {
      const startedAtMs = performance.now();
      const card = diagnose(input);
      return judge(incident, card, performance.now() - startedAtMs);
    });
}

const isServable = ({ incident }: ReadIncident): boolean =>
  incident.injections.every(({ kind }) => kind !== 'stale-signals') && incident.name.includes(values.only ?? '');

async function serveAll(): Promise<readonly boolean[]> {
  const waiting = (await readIncidents(positionals[0]))
    .filter(({ incident }) => positionals[0] !== undefined || incident.expect.cause !== 'healthy')
    .filter(isServable)
    .map(({ incident, spec }) => ({ incident: seeded(incident, values['seed-from']), spec }));
  const right: boolean[] = [];
  const serveNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) right.push(await serveIncident(next));
  };
  await Promise.all(Array.from({ length: Number(values['at-once'] ?? 4) }, serveNext));
  return right;
}

const answers = values.again === undefined ? await serveAll() : diagnoseAgain(values.again);
const wrong = answers.filter((isRightAnswer) => !isRightAnswer).length;
process.stdout.write(`${answers.length - wrong} of ${answers.length} right\n`);
process.exit(wrong > MOST_WRONG_FRACTION * answers.length ? 1 : 0);
