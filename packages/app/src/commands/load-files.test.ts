import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadRecord } from '@equipoise/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { resultsFile } from './load-files.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const record: LoadRecord = {
  attack: '',
  seq: 0,
  status: 200,
  sentAtEpochMs: 1_700_000_000_000,
  latencyMs: 5,
  bytesOut: 1,
  bytesIn: 2,
  error: '',
  method: 'POST',
  url: 'http://127.0.0.1:8080/',
};

describe('resultsFile', () => {
  it('fails before the load if the file cannot be opened', async () => {
    const path = join(folder.path, 'no-such-folder', 'results.csv');
    await expect(resultsFile(path)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/results\.csv: ENOENT/),
    });
  });

  it('has written all records once it is closed', async () => {
    const path = join(folder.path, 'results.json');
    const file = await resultsFile(path);
    file.add(record);
    file.add({ ...record, seq: 1 });
    await file.close();
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2);
  });
});
