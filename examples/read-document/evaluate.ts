/**
 * End-to-end quality of read-document: the fraction of characters that are read right, on pages whose language is found.
 * An edit (insertion, deletion, substitution) costs one character; a page with a wrong language costs all of its characters.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core';

/** Text of a page and its language. */
export interface PageLabel {
  readonly text: string;
  readonly language: string;
}

/** Labelled pages of `dataDir`: JPEG bytes as input. */
export async function loadSamples(dataDir: string): Promise<{ inputs: TensorMap; label: PageLabel }[]> {
  const pages = JSON.parse(await readFile(join(dataDir, 'labels.json'), 'utf8')) as {
    file: string;
    label: PageLabel;
  }[];
  return Promise.all(
    pages.map(async ({ file, label }) => {
      const data = new Uint8Array(await readFile(join(dataDir, file)));
      return { inputs: { image: { datatype: 'UINT8', shape: [data.length], data } }, label };
    }),
  );
}

/** Fraction of the characters of all pages, 0…1. */
export function score(samples: readonly { outputs: TensorMap; label: unknown }[]): number {
  let wrong = 0;
  let characters = 0;
  for (const { outputs, label } of samples) {
    const { text, language } = label as PageLabel;
    const found = outputs['language']?.data[0] === language;
    wrong += found ? Math.min(text.length, editDistance(text, String(outputs['text']?.data[0] ?? ''))) : text.length;
    characters += text.length;
  }
  return 1 - wrong / characters;
}

/** Fewest insertions, deletions and substitutions of characters that turn one text into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (let at = 0; at < to.length; at++) {
      const substituted = (row[at] ?? 0) + (to[at] === character ? 0 : 1);
      next.push(Math.min(substituted, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
