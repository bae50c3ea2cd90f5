import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import type { CellOutcome, ExperimentCell } from './experiment-cell.js';
import { KeptCells } from './kept-cells.js';

const folder = new TestFolder();

const cell: ExperimentCell = {
  ...{ pipeline: 'shelf', load: 'bursty', policy: 'ipa', seed: 1, platform: 'simulator', digest: 'abc' },
  ...{ loadSpec: { kind: 'poisson', arrivalRps: 1, durationS: 1 }, forecaster: 'smoothed-rate', excludeFirstS: 0 },
};
const { pipeline, load, policy, seed, platform } = cell;
const outcome: CellOutcome = {
  kind: 'infeasible',
  cell: { pipeline, load, policy, seed, platform, message: 'the budget is too small' },
};

afterAll(() => folder.remove());

describe('kept cells', () => {
  it('are found by what they depend on, under the name that they have now', () => {
    new KeptCells(join(folder.path, 'named')).keep(cell, outcome);
    const kept = new KeptCells(join(folder.path, 'named'));
    expect(kept.find(cell)).toEqual(outcome);
    expect(kept.find({ ...cell, load: 'renamed' })).toMatchObject({ cell: { load: 'renamed' } });
    expect(kept.find({ ...cell, digest: 'abd' })).toBeUndefined();
  });

  it('are not found where their file is damaged, belongs to another cell or is only a part', () => {
    const kept = new KeptCells(join(folder.path, 'damaged'));
    kept.keep(cell, outcome);
    expect(readdirSync(kept.folder)).toEqual(['abc.json']);
    const path = join(kept.folder, 'abc.json');
    const whole = readFileSync(path, 'utf8');
    for (const text of [whole.slice(0, 40), '', whole.replace('"abc"', '"abd"'), whole.replace('small', 'large')]) {
      writeFileSync(path, text);
      expect(kept.find(cell)).toBeUndefined();
    }
    kept.keep(cell, outcome);
    expect(kept.find(cell)).toEqual(outcome);
  });
});
