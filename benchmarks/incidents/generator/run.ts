/**
 * `npm run generate:incidents -- FOLDER TEXT [--healthy N]`: writes twelve incidents of the eight causes, or N healthy
 * runs, with their pipelines. `bench:incidents` and `bench:incidents-served` read the folder. Equal texts give equal
 * folders; use one that nobody could choose, such as the digest of a commit.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError, SeededRng } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { stringify } from 'yaml';
import type { Incident } from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';
import {
  type DrawnCause,
  doesTheHarm,
  drawHealthy,
  drawIncident,
  drawnCauses,
  missedOfAllowed,
} from './drawn-incident.js';
import { drawPipeline } from './drawn-pipeline.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { healthy: { type: 'string' } } });
const [folder, text] = positionals;
if (folder === undefined || text === undefined)
  throw new Error('Usage: npm run generate:incidents -- FOLDER TEXT [--healthy N]');
mkdirSync(join(folder, 'pipelines'), { recursive: true });

const MOST_TRIES = 400;
const INCIDENTS = 12;
const tries = new Map<string, number>();

function rngOf(label: string): SeededRng {
  return new SeededRng(createHash('sha256').update(`${text} ${label}`).digest().readUInt32BE(0));
}

/** First draw that `attempt` keeps; pipelines of other draws are removed. */
async function firstKept(
  label: string,
  attempt: (parts: Parameters<typeof drawHealthy>[0], path: string) => Promise<Incident | undefined>,
): Promise<Incident> {
  for (let attemptCount = 1; attemptCount <= MOST_TRIES; attemptCount++) {
    const rng = rngOf(`${label} ${attemptCount}`);
    const pipeline = drawPipeline(rng, label);
    const file = join('pipelines', `${label}.yaml`);
    const path = resolve(folder as string, file);
    writeFileSync(path, stringify(pipeline.file));
    const kept = await attempt({ rng, pipeline, file }, path);
    if (kept !== undefined) {
      tries.set(label, attemptCount);
      return kept;
    }
    rmSync(path);
  }
  throw new Error(`no draw of ${label} was kept in ${MOST_TRIES} tries`);
}

async function specOf(path: string) {
  const read = await loadPipelineFile(path);
  if (read.kind === 'invalid') throw new Error(read.problems.map(({ message }) => message).join('; '));
  return read.spec;
}

/** Undefined if no plan meets the SLO of such a pipeline, or the draw shows nothing. */
async function incidentOf(label: string, cause: DrawnCause): Promise<Incident> {
  return firstKept(label, async (parts, path) => {
    const pair = drawIncident({ ...parts, cause });
    if (pair === undefined) return undefined;
    const spec = await specOf(path);
    return withPlan(() => (doesTheHarm(pair, spec) ? pair.incident : undefined));
  });
}

async function healthyOf(label: string): Promise<Incident> {
  return firstKept(label, async (parts, path) => {
    const incident = drawHealthy(parts);
    const spec = await specOf(path);
    return withPlan(() => (missedOfAllowed(incident, spec) <= 1 ? incident : undefined));
  });
}

function withPlan(ask: () => Incident | undefined): Incident | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** Each cause once, and then the first of a shuffle. */
function causes(): readonly DrawnCause[] {
  const rng = rngOf('causes');
  const shuffled = drawnCauses.map((cause) => ({ cause, at: rng.next() })).sort((a, b) => a.at - b.at);
  return [...drawnCauses, ...shuffled.map(({ cause }) => cause)].slice(0, INCIDENTS);
}

const kept: Incident[] = [];
if (values.healthy === undefined)
  for (const [i, cause] of causes().entries()) kept.push(await incidentOf(`${cause}-${i + 1}`, cause));
else for (let i = 1; i <= Number(values.healthy); i++) kept.push(await healthyOf(`healthy-${i}`));
writeFileSync(join(folder, 'incidents.json'), `${JSON.stringify(kept, null, 2)}\n`);
const drawn = [...tries].map(([label, count]) => `${label} ${count}`).join(', ');
process.stdout.write(`${kept.length} written to ${folder}; draws: ${drawn}\n`);
