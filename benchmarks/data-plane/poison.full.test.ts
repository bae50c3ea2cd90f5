import { expect, it } from 'vitest';
import { unmet } from './bar.js';
import { measureBombs, measureHangs } from './poison.js';
import { bombBars, hangBars } from './sections.js';

it('loses no request but those on which a stage hangs', async () => {
  const bars = hangBars(await measureHangs(20_000));
  expect(unmet(bars)).toEqual([]);
}, 120_000);

it('answers good images while image bombs arrive', async () => {
  const bars = bombBars(await measureBombs(10_000));
  expect(unmet(bars)).toEqual([]);
}, 120_000);
