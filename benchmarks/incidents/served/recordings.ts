/** Served incidents as files. A changed diagnosis is tried on them in seconds. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { DiagnosisInput } from '@equipoise/core/diagnose';
import type { Incident } from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';

export interface Recording {
  readonly incident: Incident;
  readonly input: DiagnosisInput;
}

export function record(folder: string, recording: Recording): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${recording.incident.name}.bin`), serialize(recording));
}

export const recordings = (folder: string): readonly Recording[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .sort()
    .map((name) => deserialize(readFileSync(join(folder, name))) as Recording);
