/**
 * `npm run bench:pipebench [-- --policy FILE.mjs…] [--against NAME…] [--only WORD…] [--seeds N] [--workers N] [--limit-s N]
 * [--quick] [--report]`:
 * compares policies on one simulator. Finished runs are kept and not run again. Complete results of the built-in policies
 * are written next to this file, others to .equipoise/pipebench. `--report` runs nothing and judges the published runs again.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { madeOn } from '../literature/machine.js';
import { type BenchQuestion, readQuestion, UsageError } from './bench-question.js';
import type { RunOutcome } from './cell-process.js';
import { type BenchRun, benchRuns, cellText } from './cells.js';
import { type CellResult, cellResults } from './judgment.js';
import { FOLDER, inputsDigest, KeptRuns } from './kept-runs.js';
import { benchPolicies, OURS } from './policies.js';
import { type BenchOutcome, benchReport, tookText } from './report.js';
import { nameOfPolicy, runAll } from './run-all.js';

/** Names of foreign policies by path. Throws if two policies have one name. */
async function foreignNames({ policies: paths, limitMs }: BenchQuestion): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const path of paths) {
    const name = await nameOfPolicy(path, limitMs);
    const taken = benchPolicies.some((each) => each.name === name) || [...names.values()].includes(name);
    if (taken) throw new UsageError(`${path}: another policy is named "${name}". Choose another name.`);
    names.set(path, name);
  }
  return names;
}

const outcomeText = (outcome: RunOutcome): string => {
  if (outcome.kind === 'no-plan') return 'no plan';
  const { attainmentFraction, accuracy, cpuCores } = outcome.figures;
  return `${(100 * attainmentFraction).toFixed(2)} % within SLO, accuracy ${accuracy.toFixed(3)}, ${cpuCores.toFixed(2)} cores`;
};

/** Time left after a run. Foreign policies run first, and say nothing about the time of the others. */
function timeLeft(waiting: readonly BenchRun[]): (run: BenchRun, elapsedMs: number) => string {
  const partOf = (foreign: boolean) => ({
    ...{ done: 0, startedAtMs: Number.POSITIVE_INFINITY },
    all: waiting.filter((run) => run.foreign === foreign).length,
  });
  const [own, others] = [partOf(true), partOf(false)];
  return ({ foreign }, elapsedMs) => {
    const part = foreign ? own : others;
    const nowMs = performance.now();
    part.startedAtMs = Math.min(part.startedAtMs, nowMs - elapsedMs);
    part.done += 1;
    const leftS = ((nowMs - part.startedAtMs) / part.done / 1000) * (part.all - part.done);
    return `about ${leftS.toFixed(0)} s left${foreign && others.all > 0 ? ' for your policies' : ''}`;
  };
}

async function outcomesOf(asked: BenchQuestion, nameOf: (policy: string) => string) {
  const { cells, policies, against, seeds, referenceDir, workers, limitMs } = asked;
  const all = benchRuns(cells, { seeds: Array.from({ length: seeds }, (_, i) => i + 1), foreign: policies, against });
  const kept = new KeptRuns(inputsDigest(referenceDir));
  const outcomes = new Map<BenchRun, RunOutcome>();
  for (const run of all) {
    const outcome = kept.find(run);
    if (outcome !== undefined) outcomes.set(run, outcome);
  }
  const waiting = all.filter((run) => !outcomes.has(run));
  if (waiting.length < all.length)
    process.stderr.write(`${all.length - waiting.length} of ${all.length} runs are kept from before\n`);
  const startedAtMs = performance.now();
  const leftAfter = timeLeft(waiting);
  await runAll(waiting, {
    workers,
    limitMs,
    onRun: (run, outcome, elapsedMs) => {
      outcomes.set(run, outcome);
      kept.keep(run, outcome);
      const name = `${cellText(run)}: ${nameOf(run.policy)}, seed ${run.seed}`;
      const times = `${(elapsedMs / 1000).toFixed(1)} s; ${leftAfter(run, elapsedMs)}`;
      process.stderr.write(`${outcomes.size}/${all.length} ${name}: ${outcomeText(outcome)}; ${times}\n`);
    },
  });
  const tookS = (performance.now() - startedAtMs) / 1000;
  return { outcomes: all.map((run) => [run, outcomes.get(run) as RunOutcome] as const), tookS, waiting };
}

const PUBLISHED_FOLDER = fileURLToPath(new URL('.', import.meta.url));

async function bench(asked: BenchQuestion): Promise<void> {
  const made = madeOn();
  const names = await foreignNames(asked);
  const nameOf = (policy: string): string => names.get(policy) ?? policy;
  const { outcomes, tookS, waiting } = await outcomesOf(asked, nameOf);
  const results = cellResults(outcomes, nameOf);
  const took = tookText(waiting.length, outcomes.length, { s: tookS, workers: asked.workers });
  const outcome = { made, took, seeds: asked.seeds, results, skipped: asked.skipped };
  written(outcome, asked.isComplete ? PUBLISHED_FOLDER : FOLDER);
}

/** The runs of the published results. */
function publishedOutcome(): BenchOutcome {
  const text = readFileSync(join(PUBLISHED_FOLDER, 'results.json'), 'utf8');
  const { made, took, results } = JSON.parse(text) as Pick<BenchOutcome, 'made' | 'took'> & {
    readonly results: readonly CellResult[];
  };
  const seeds = Math.max(...results.flatMap(({ policies }) => policies.map(({ runs }) => runs.length)));
  return { made, took, seeds, results, skipped: [] };
}

function written(outcome: BenchOutcome, folder: string): void {
  const { text, html, judged } = benchReport(outcome);
  const { made, took, results } = outcome;
  const file = (ending: string): string => join(folder, `results.${ending}`);
  writeFileSync(file('md'), text);
  writeFileSync(file('html'), html);
  writeFileSync(file('json'), `${JSON.stringify({ made, took, ours: OURS, judged, results }, null, 1)}\n`);
  const shown = text.slice(0, text.search(/^## (Policies|How it is measured)$/m));
  process.stdout.write(`${shown}${file('md')}\n${file('html')}\n${file('json')}\n`);
}

try {
  const asked = readQuestion(process.argv.slice(2), process.env);
  if (asked.report) written(publishedOutcome(), PUBLISHED_FOLDER);
  else await bench(asked);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
