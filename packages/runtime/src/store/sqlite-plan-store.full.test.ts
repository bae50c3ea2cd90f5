import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRng } from '@equipoise/core/model';
import { afterAll, describe, expect, it } from 'vitest';
import { killedAndRead } from './killed-writer.test-support.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a store whose writer is killed', () => {
  it('has everything acknowledged and nothing by halves, 60 times over', async () => {
    const rng = new SeededRng(23);
    const path = join(folder, 'state.db');
    let next = 0;
    for (let kill = 0; kill < 60; kill++) {
      // One process in four is killed while opening the file, the others between or during writes.
      const writes = rng.next() < 0.25 ? 0 : 1 + Math.floor(20 * rng.next());
      next = await killedAndRead(path, next, { writes, afterMs: (writes === 0 ? 1200 : 12) * rng.next() });
    }
    expect(next).toBeGreaterThan(180);
  });
});
