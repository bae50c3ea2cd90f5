/**
 * End-to-end quality of voice-desk: the fraction of calls with a right ticket. It names the right desk, and its summary
 * has at least half of the words of the caller's request.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core';

/** Desk of a call, and its sentence that says what the caller wants. */
interface CallLabel {
  readonly desk: string;
  readonly request: string;
}

/** Labelled calls of `dataDir`: Ogg files as input. */
export async function loadSamples(dataDir: string): Promise<{ inputs: TensorMap; label: CallLabel }[]> {
  const calls = JSON.parse(await readFile(join(dataDir, 'labels.json'), 'utf8')) as {
    file: string;
    label: CallLabel;
  }[];
  return Promise.all(
    calls.map(async ({ file, label }) => {
      const data = new Uint8Array(await readFile(join(dataDir, file)));
      return { inputs: { audio: { datatype: 'UINT8', shape: [data.length], data } }, label };
    }),
  );
}

/** Fraction of right tickets, 0…1. */
export function score(samples: readonly { outputs: TensorMap; label: unknown }[]): number {
  const right = samples.filter(({ outputs, label }) => {
    const { desk, request } = label as CallLabel;
    const wanted = wordsOf(request);
    const found = wordsOf(String(outputs['summary']?.data[0] ?? ''));
    const shared = [...wanted].filter((word) => found.has(word));
    return outputs['desk']?.data[0] === desk && 2 * shared.length >= wanted.size;
  });
  return right.length / samples.length;
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[a-z']+/g));
}
