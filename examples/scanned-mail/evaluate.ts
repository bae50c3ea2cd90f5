/**
 * Labelled mails for `equipoise evaluate`; the metric `accuracy` compares the routes. Half of the mails have a scan. Mails
 * and pages are the held-out ones of the two examples, so no model was trained on them.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core';
import { isHeldOut, type LabeledMail, readMails } from '../mail-triage/spam/mails.js';

interface Sample {
  readonly inputs: TensorMap;
  readonly label: string;
}

/** One mail with each labelled page of `dataDir`, and as many without. */
export async function loadSamples(dataDir: string): Promise<Sample[]> {
  const mails = (await readMails(join(dataDir, '../../mail-triage/node_modules'))).filter(isHeldOut);
  const pages = JSON.parse(await readFile(join(dataDir, 'labels.json'), 'utf8')) as {
    file: string;
    label: { language: string };
  }[];
  const letters = spread(mails, 2 * pages.length);
  return Promise.all(
    letters.map(async ({ text, route }, index) => {
      const mail = { datatype: 'BYTES', shape: [1], data: [text] } as const;
      const page = index % 2 === 0 ? pages[index / 2] : undefined;
      if (page === undefined) return { inputs: { mail }, label: route };
      const bytes = new Uint8Array(await readFile(join(dataDir, page.file)));
      const image = { datatype: 'UINT8', shape: [bytes.length], data: bytes } as const;
      return { inputs: { mail, image }, label: route === 'junk' ? route : page.label.language };
    }),
  );
}

/** `count` mails, evenly spread over all of them. */
export function spread(mails: readonly LabeledMail[], count: number): LabeledMail[] {
  return mails.filter(
    (_, index) => Math.floor((index * count) / mails.length) !== Math.floor(((index - 1) * count) / mails.length),
  );
}
