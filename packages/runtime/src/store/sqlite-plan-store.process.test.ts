import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRng } from '@equipoise/core/model';
import { afterAll, describe, expect, it } from 'vitest';
import { killedAndRead } from './killed-writer.test-support.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-store-'));
const path = join(folder, '.equipoise', 'state.db');

afterAll(() => rmSync(folder, { recursive: true }));

describe('SqlitePlanStore', () => {
  it('survives kill -9: consistent, with everything acknowledged', { timeout: 120_000 }, async () => {
    const rng = new SeededRng(11);
    let next = 0;
    for (let kill = 0; kill < 5; kill++)
      next = await killedAndRead(path, next, { writes: 3 + (kill % 5), afterMs: rng.next() * 9 });
    expect(next).toBeGreaterThan(5 * 3);
  });
});
