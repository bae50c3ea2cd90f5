/**
 * Labelled mails that all have a scan, for cascade.yaml and reads-all.yaml: held-out mails of mail-triage, each labelled
 * page of read-document with two of them. The metric `accuracy` compares the routes.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core';
import { isHeldOut, readMails } from '../mail-triage/spam/mails.js';
import { spread } from './evaluate.js';

const MAILS_PER_PAGE = 2;

export async function loadSamples(dataDir: string): Promise<{ inputs: TensorMap; label: string }[]> {
  const mails = (await readMails(join(dataDir, '../../mail-triage/node_modules'))).filter(isHeldOut);
  const pages = JSON.parse(await readFile(join(dataDir, 'labels.json'), 'utf8')) as {
    file: string;
    label: { language: string };
  }[];
  const letters = spread(mails, MAILS_PER_PAGE * pages.length);
  return Promise.all(
    letters.map(async ({ text, route }, index) => {
      const page = pages[index % pages.length] as (typeof pages)[number];
      const bytes = new Uint8Array(await readFile(join(dataDir, page.file)));
      const inputs: TensorMap = {
        mail: { datatype: 'BYTES', shape: [1], data: [text] },
        image: { datatype: 'UINT8', shape: [bytes.length], data: bytes },
      };
      return { inputs, label: route === 'junk' ? route : page.label.language };
    }),
  );
}
