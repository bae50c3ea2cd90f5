import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importModule } from './import-module.js';

describe('importModule', () => {
  let baseDir: string;

  beforeAll(() => {
    baseDir = mkdtempSync(join(tmpdir(), 'equipoise-import-'));
    writeFileSync(join(baseDir, 'part.ts'), 'export const part: number = 2;');
    writeFileSync(join(baseDir, 'typed.ts'), 'import { part } from "./part.js"; export const double = part * 2;');
    writeFileSync(join(baseDir, 'plain.mjs'), 'export const one = 1;');
    writeFileSync(join(baseDir, 'throws.mjs'), 'throw new Error("no license");');
    writeFileSync(join(baseDir, 'broken.ts'), 'export const = 1;');
  });

  afterAll(() => rmSync(baseDir, { recursive: true }));

  it('imports JavaScript as it is and TypeScript compiled', async () => {
    expect(await importModule('./plain.mjs', baseDir)).toMatchObject({ one: 1 });
    expect(await importModule('typed.ts', baseDir)).toMatchObject({ double: 4 });
  });

  it('finds the packages of Equipoise for a JavaScript module outside of its repository', async () => {
    const text = "import { AppError } from '@equipoise/core'; export const name = AppError.name;";
    writeFileSync(join(baseDir, 'own.mjs'), text);
    expect(await importModule('./own.mjs', baseDir)).toMatchObject({ name: 'AppError' });
  });

  it.each([
    ['./missing.ts', 'FILE_NOT_FOUND', /^The module .\/missing.ts is not there: no file .*missing.ts\.$/],
    ['./throws.mjs', 'MODULE_INVALID', /throws.mjs cannot be imported: no license$/],
    ['./broken.ts', 'MODULE_INVALID', /broken.ts:1:14: /],
    ['npm:scores', 'MODULE_INVALID', /^Expected a file, found npm:scores/],
  ])('says what is wrong with %s', async (module, code, message) => {
    await expect(importModule(module, baseDir)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
