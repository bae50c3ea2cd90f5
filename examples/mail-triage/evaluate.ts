/** Labelled mails for `equipoise evaluate`; the metric `accuracy` compares the routes. */
import type { TensorMap } from '@equipoise/core';
import { isHeldOut, readMails } from './spam/mails.js';

/** The held-out mails of the packages in `dataDir`. */
export async function loadSamples(dataDir: string): Promise<{ inputs: TensorMap; label: string }[]> {
  const mails = (await readMails(dataDir)).filter(isHeldOut);
  return mails.map(({ text, route }) => ({
    inputs: { mail: { datatype: 'BYTES', shape: [1], data: [text] } },
    label: route,
  }));
}
