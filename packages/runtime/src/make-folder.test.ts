import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('makeFolder', () => {
  it('makes the parents, and leaves an existing folder as it is', () => {
    const path = join(folder, 'a', 'b', 'c');
    makeFolder(path);
    writeFileSync(join(path, 'file'), '');
    makeFolder(path);
    expect(existsSync(join(path, 'file'))).toBe(true);
    symlinkSync(path, join(folder, 'link'));
    makeFolder(join(folder, 'link', 'd'));
    expect(statSync(join(path, 'd')).isDirectory()).toBe(true);
  });

  it('throws where a file is in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => makeFolder(join(folder, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(folder, 'file', 'below', 'it'))).toThrow('EEXIST');
  });

  it.runIf(process.platform === 'linux')('throws, and ends, on a file system without new folders', () => {
    expect(() => makeFolder('/proc/equipoise/results')).toThrow("ENOENT: no such file or directory, mkdir '/proc/");
  });
});
