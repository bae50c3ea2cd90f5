import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { featureCount, featuresOf } from './spam/features.js';
import { modelFrom } from './spam/linear-model.js';
import { load as loadRoute } from './stages/route.js';
import { load as loadSpam } from './stages/spam.js';

const mail = (text: string): TensorMap => ({ mail: { datatype: 'BYTES', shape: [1], data: [text] } });
const offer =
  'Dear friend, this is NOT spam! Click here to get your FREE credit card offer, guaranteed 100%! Lose weight fast and make money at home. To be removed from our mailing list click below.';
const question =
  'On Tue, Aug 20, 2002 at 10:12 +0100, I wrote: > the patch fails to apply against cvs. I have attached the output of make; does anyone see what is wrong with the kernel module?';

describe('featuresOf', () => {
  it.each([
    ['words', 'red red fox', 5], // two words, and three pairs with the start of the text
    ['bayes', 'red red fox', 2],
    ['letters', 'red  fox', 4],
  ] as const)('counts the different features of %s', (kind, text, count) => {
    expect(featuresOf(text, kind, 100).size).toBe(count);
  });

  it('reads only the stated number of characters and stays within the feature space', () => {
    expect(featuresOf('abcdef', 'letters', 4).size).toBe(1);
    for (const feature of featuresOf(offer, 'words', 4000)) expect(feature).toBeLessThan(featureCount);
  });
});

describe('spam', () => {
  it.each(['words', 'letters', 'bayes'])('tells an offer from a question by %s', async (kind) => {
    for (const [name, characters] of [
      ['brief', 300],
      ['full', 4000],
    ] as const) {
      const artifactPath = fileURLToPath(new URL(`./models/${kind}-${name}.bin`, import.meta.url));
      const stage = await loadSpam({ name, artifactPath, parameters: { features: kind, characters } });
      const [spam, ham] = await stage.run([mail(offer), mail(question)]);
      expect(spam?.['spam']?.data[0]).toBeGreaterThan(0.5);
      expect(ham?.['spam']?.data[0]).toBeLessThan(0.5);
    }
  });

  it('refuses a file that is no model', async () => {
    const file = await readFile(new URL('./models/words-full.bin', import.meta.url));
    expect(modelFrom(file)).toHaveLength(1 + featureCount);
    expect(() => modelFrom(file.subarray(4))).toThrow('16385 numbers');
  });
});

describe('route', () => {
  it.each([
    [0.5, 'junk'],
    [0.49, 'nl'],
  ])('sends a mail of %f to %s', async (spam, route) => {
    const item: TensorMap = {
      spam: { datatype: 'FP32', shape: [], data: Float32Array.of(spam) },
      language: { datatype: 'BYTES', shape: [1], data: ['nl'] },
    };
    const [answer] = await loadRoute().run([item]);
    expect(answer?.['route']?.data).toEqual([route]);
  });
});
