import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parsePipelineFile } from './parse-pipeline-file.js';

const page = readFileSync(new URL('../../../docs/guide/coming-from.md', import.meta.url), 'utf8');
const files = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

it('shows four pipelines', () => expect(files).toHaveLength(4));

it.each(files)('shows a valid pipeline: %#', (text) => {
  const result = parsePipelineFile(text, { fileName: 'pipeline.yaml', baseDir: import.meta.dirname });
  expect(result).toMatchObject({ kind: 'valid' });
});
