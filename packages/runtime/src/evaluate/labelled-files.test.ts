import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pipeline, stage, variant } from '../profiling/profile-pipeline.test-support.js';
import { labelledFiles } from './labelled-files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'equipoise-labels-'));
  for (const name of ['a.txt', 'b, c.txt']) writeFileSync(join(folder, name), name);
});
afterEach(() => rmSync(folder, { recursive: true }));

const spec = {
  ...pipeline([stage('a', [variant('v')])]),
  sources: [
    { name: 'in', to: [], tensors: [{ name: 'text', datatype: 'BYTES' as const, shape: [1], contentTypes: [] }] },
  ],
};
const labelled = async (name: string, content: string, limit?: number) => {
  writeFileSync(join(folder, name), content);
  const samples = await labelledFiles(spec, folder, limit);
  return samples.map(({ inputs, label }) => [inputs['text']?.data[0], label]);
};

describe('labelledFiles', () => {
  it('reads files and labels of any kind from JSON, and prefers it', async () => {
    writeFileSync(join(folder, 'labels.csv'), 'wrong');
    const json = '[{"file": "b, c.txt", "label": {"x": [1]}}, {"file": "a.txt", "label": null, "from": "me"}]';
    expect(await labelled('labels.json', json)).toEqual([
      ['b, c.txt', { x: [1] }],
      ['a.txt', null],
    ]);
    expect(await labelled('labels.json', json, 1)).toHaveLength(1);
  });

  it.each([
    ['lines', 'file,label\na.txt,cat\n"b, c.txt",3', ['cat', '3']],
    [
      'Windows lines, a byte order mark and other columns',
      '\uFEFFlabel,by,file\r\ncat,x,a.txt\r\n3,,"b, c.txt"\r\n',
      ['cat', '3'],
    ],
    ['lines of old Macs', 'file,label\ra.txt,cat\r"b, c.txt",3\r', ['cat', '3']],
    ['quotes, line breaks and empty cells', 'file,label\na.txt,"a ""b"",\nc"\n\n"b, c.txt",', ['a "b",\nc', '']],
  ])('reads CSV with %s', async (_, csv, [first, second]) => {
    expect(await labelled('labels.csv', csv)).toEqual([
      ['a.txt', first],
      ['b, c.txt', second],
    ]);
  });

  it('reads JSON with a byte order mark, and files outside of the folder', async () => {
    const json = `\uFEFF${JSON.stringify([{ file: join(folder, 'a.txt'), label: 1 }])}`;
    expect(await labelled('labels.json', json)).toEqual([['a.txt', 1]]);
  });

  it('reads a long cell', async () => {
    const text = '""'.repeat(1_000_000);
    expect(await labelled('labels.csv', `file,label\na.txt,"${text}"`)).toEqual([['a.txt', '"'.repeat(1_000_000)]]);
  });

  it.each([
    ['labels.json', '[{"file": "a.txt"', /labels\.json: it is no JSON; expected \[\{/],
    ['labels.json', '{"a.txt": 1}', /labels\.json: it is wrong; expected/],
    ['labels.json', '[{"file": "a.txt", "label": 1}, {"label": 1}]', /labels\.json: 1\.file is wrong/],
    ['labels.json', '[{"file": "a.txt"}]', /labels\.json: 0\.label is wrong/],
    ['labels.json', '[{"file": "gone.txt", "label": 1}]', /gone\.txt is no input: it cannot be read \(ENOENT/],
    ['labels.csv', 'a.txt,cat', /labels\.csv: its first line does not name the columns file and label/],
    ['labels.csv', 'file,label\na.txt,cat,3', /line 2 has 3 of 2 cells/],
    ['labels.csv', 'file,label\na.txt,"1\r\n2"\n\nb.txt\n', /line 5 has 1 of 2 cells/],
    ['labels.csv', 'file,label\n,cat', /line 2 .* or no file/],
    ['labels.csv', 'file,label\na.txt,"cat', /line 2 opens a quote that does not end/],
    ['labels.csv', 'file,label\na.txt, "cat, dog"', /line 2 has a space before a quote/],
    ['labels.csv', 'file,label\na.txt,c"at', /line 2 has a quote in or after a cell/],
    ['labels.csv', 'file,label\na.txt,"c"at', /line 2 has a quote in or after a cell/],
  ])('refuses %s with %s', async (name, content, message) => {
    await expect(labelled(name, content)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(message),
    });
  });

  it('needs the tensors of the source', async () => {
    const undeclared = { ...spec, sources: [{ name: 'in', to: [], tensors: [] }] };
    await expect(labelledFiles(undeclared, folder)).rejects.toMatchObject({ code: 'INVALID_PIPELINE' });
  });

  it('says what a folder lacks', async () => {
    await expect(labelledFiles(spec, folder)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringMatching(/neither labels\.json nor labels\.csv.*spec\.evaluation\.module/),
    });
  });
});
