import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportedFunctions, importModule } from './import-module.js';

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

  it.each([
    "import { AppError } from '@equipoise/core'; export const name = AppError.name;",
    "import '@equipoise/core'; export const name = 'AppError';",
    "const { AppError } = await import('@equipoise/core'); export const name = AppError.name;",
    "export { name } from './helper.mjs';",
  ])('finds the packages of Equipoise for a JavaScript module outside of its repository: %s', async (text) => {
    writeFileSync(join(baseDir, 'helper.mjs'), "export { name } from './own-part.mjs'; import './helper.mjs';");
    writeFileSync(
      join(baseDir, 'own-part.mjs'),
      "import { AppError as a } from '@equipoise/core'; export const { name } = a;",
    );
    writeFileSync(join(baseDir, 'own.mjs'), text);
    expect(await importModule('./own.mjs', baseDir)).toMatchObject({ name: 'AppError' });
  });

  it('leaves CommonJS as it is', async () => {
    writeFileSync(join(baseDir, 'own.cjs'), "/* from '@equipoise/core' */ exports.folder = __dirname;");
    expect(await importModule('./own.cjs', baseDir)).toMatchObject({ folder: realpathSync(baseDir) });
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

describe('exportedFunctions', () => {
  let baseDir: string;
  const look = (text: string, timeoutMs = 30_000) => {
    writeFileSync(join(baseDir, 'look.mjs'), `${text}; export const score = () => 1; export const version = 1;`);
    return exportedFunctions('./look.mjs', baseDir, { timeoutMs });
  };

  beforeAll(() => {
    baseDir = mkdtempSync(join(tmpdir(), 'equipoise-look-'));
  });

  afterAll(() => rmSync(baseDir, { recursive: true }));

  it.each(['setInterval(() => {}, 1000)', "console.log('hello'); process.exitCode = 5"])(
    'lists them, in spite of: %s',
    async (text) => {
      const { exitCode } = process;
      expect(await look(text)).toEqual(['score']);
      expect(process.exitCode).toBe(exitCode);
    },
  );

  it.each([
    ['process.exit(0)', /the module exits/],
    ['await new Promise(() => {})', /awaits something that never happens/],
    ['throw null', /cannot be imported: null$/],
  ])('says what is wrong with: %s', async (text, message) => {
    await expect(look(text)).rejects.toMatchObject({ code: 'MODULE_INVALID', message: expect.stringMatching(message) });
  });

  it('ends after the time limit, also in an endless loop', async () => {
    const message = expect.stringMatching(/cannot be imported: the import takes longer than 0\.02 s$/);
    await expect(look('for (;;)', 20)).rejects.toMatchObject({ code: 'MODULE_INVALID', message });
  });
});
