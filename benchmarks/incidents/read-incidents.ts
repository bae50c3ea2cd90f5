/** Incidents of this folder: each JSON file is one incident or a list of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineSpec } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import type { Incident } from '../../packages/core/src/diagnose/simulated-incident.test-support.js';

export interface ReadIncident {
  readonly incident: Incident;
  readonly spec: PipelineSpec;
}

const FOLDER = dirname(fileURLToPath(import.meta.url));

export async function readIncidents(folder = FOLDER): Promise<readonly ReadIncident[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'results.json');
  const incidents = files
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Incident | Incident[]);
  return Promise.all(
    incidents.map(async (incident) => ({ incident, spec: await specOf(join(folder, incident.pipeline)) })),
  );
}

async function specOf(path: string): Promise<PipelineSpec> {
  const result = await loadPipelineFile(path);
  if (result.kind === 'invalid')
    throw new Error(`${path}: ${result.problems.map(({ message }) => message).join('; ')}`);
  return result.spec;
}
