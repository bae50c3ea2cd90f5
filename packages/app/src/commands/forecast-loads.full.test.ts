import { afterAll, describe, expect, it } from 'vitest';
import { shippedLoadNames } from '../compose/resolve-load.js';
import { equipoise, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

describe('equipoise forecast', () => {
  it.each(shippedLoadNames())('takes the shipped load %s with no flag at all', async (name) => {
    const ended = await equipoise(folder.path, 'forecast', name, '--svg', `${name}.svg`);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('counts × 1,');
  });
});
