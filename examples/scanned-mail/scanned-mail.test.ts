import type { TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { load as loadRoute } from './stages/route.js';

const text = (value: string) => ({ datatype: 'BYTES', shape: [1], data: [value] }) as const;

describe('route', () => {
  it.each([
    ['spam is junk, whatever the scan says', 0.5, 'it', 'junk'],
    ['the language of the scan comes first', 0.1, 'it', 'it'],
    ['a scan without text does not count', 0.1, '', 'nl'],
    ['a mail without a scan', 0.1, undefined, 'nl'],
  ])('%s', async (_, spam, scanLanguage, route) => {
    const item: TensorMap = {
      spam: { datatype: 'FP32', shape: [], data: Float32Array.of(spam) },
      language: text('nl'),
      ...(scanLanguage !== undefined && { scanLanguage: text(scanLanguage) }),
    };
    const [answer] = await loadRoute().run([item]);
    expect(answer?.['route']?.data).toEqual([route]);
  });

  it.each([
    ['the whole scan comes before its widest line', 'it', 'es', 'it'],
    ['the widest line is enough', undefined, 'es', 'es'],
    ['nothing was read', undefined, undefined, ''],
  ])('without the language of the letter: %s', async (_, scanLanguage, skimLanguage, route) => {
    const item: TensorMap = {
      spam: { datatype: 'FP32', shape: [], data: Float32Array.of(0.1) },
      ...(scanLanguage !== undefined && { scanLanguage: text(scanLanguage) }),
      ...(skimLanguage !== undefined && { skimLanguage: text(skimLanguage) }),
    };
    const [answer] = await loadRoute().run([item]);
    expect(answer?.['route']?.data).toEqual([route]);
  });
});
