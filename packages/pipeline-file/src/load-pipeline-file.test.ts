import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadAccuracyTable, loadPipelineFile } from './load-pipeline-file.js';
import { validDocument } from './pipeline.test-support.js';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-file-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function writePipeline(name: string, accuracyTable?: string): string {
  const document = validDocument();
  const spec = accuracyTable === undefined ? document.spec : { ...document.spec, accuracyTable };
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ ...document, spec }));
  return path;
}

test('a file is read with its folder as the base of paths', async () => {
  const result = await loadPipelineFile(writePipeline('plain.yaml'));
  expect(result).toMatchObject({ kind: 'valid', spec: { name: 'shelf', baseDir: folder } });
});

test('a table in its own file is read along', async () => {
  mkdirSync(join(folder, 'tables'));
  const table = { combinations: [{ variants: { detect: 'small' }, accuracy: 0.5 }] };
  writeFileSync(join(folder, 'tables', 'accuracy.json'), JSON.stringify(table));
  const result = await loadPipelineFile(writePipeline('with-table.yaml', './tables/accuracy.json'));
  expect(result).toMatchObject({ kind: 'valid', spec: { accuracyTable: table } });
});

test('problems of the table are told where the file names it', async () => {
  writeFileSync(
    join(folder, 'wrong.json'),
    '{"combinations": [\n  {"variants": {"detect": "smal"}, "accuracy": 50}\n]}',
  );
  const result = await loadPipelineFile(writePipeline('wrong-table.yaml', 'wrong.json'));
  expect(result).toEqual({
    kind: 'invalid',
    problems: [
      {
        path: 'spec.accuracyTable',
        line: 1,
        column: expect.any(Number),
        message:
          'wrong.json:2:27 combinations[0].variants.detect: unknown variant "smal", expected one of small, large',
        suggestion: 'small',
      },
      {
        path: 'spec.accuracyTable',
        line: 1,
        column: expect.any(Number),
        message:
          'wrong.json:2:48 combinations[0].accuracy: expected a number from 0 to 1, found 50 (fractions are 0…1)',
        suggestion: '0.5',
      },
    ],
  });
});

test('a file that is not there is named by the path tried', async () => {
  const path = join(folder, 'none.yaml');
  await expect(loadPipelineFile(path)).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: `pipeline file not found: ${path}`,
    details: { path },
  });
});

test('a table that is not there is named by the path tried', async () => {
  await expect(loadPipelineFile(writePipeline('no-table.yaml', 'none.json'))).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: `accuracy table not found: ${join(folder, 'none.json')}`,
  });
});

test('a folder is not a file', async () => {
  await expect(loadPipelineFile(folder)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: `${folder} is a folder; expected a file that is the pipeline file`,
  });
});

async function specOf(path: string) {
  const result = await loadPipelineFile(path);
  if (result.kind === 'invalid') throw new Error('the file is valid');
  return result.spec;
}

test('a table is read for stages that are known, as evaluate prints it', async () => {
  const combinations = [{ variants: { detect: 'small' }, accuracy: 0.5, confidence95: [0.4, 0.6], samples: 9 }];
  const printed = { combinations, leftOut: { combinations: 3, reason: 'of 4 combinations the 1 most alike' } };
  const path = join(folder, 'printed.json');
  writeFileSync(path, JSON.stringify(printed));
  const spec = await specOf(writePipeline('known.yaml'));
  expect(await loadAccuracyTable(path, spec)).toEqual({ kind: 'valid', table: { combinations } });
});

test('a table that is read alone is told its problems by its own lines', async () => {
  const path = join(folder, 'alone.json');
  writeFileSync(path, '{"combinations": [\n  {"variants": {"detect": "smal"}, "accuracy": 0.5}\n]}');
  const spec = await specOf(writePipeline('alone.yaml'));
  expect(await loadAccuracyTable(path, spec)).toMatchObject({
    kind: 'invalid',
    problems: [{ path: 'combinations[0].variants.detect', line: 2, suggestion: 'small' }],
  });
});
