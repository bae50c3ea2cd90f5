import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const packages = join(import.meta.dirname, '..', '..', 'packages');

it.each([
  ['adapter-embedded', 'src/stage-module/compile-module.ts', 'esbuild'],
  ['adapter-kubernetes', 'src/api/http/kube-connection.ts', '@kubernetes/client-node'],
  ['adapter-onnx', 'src/onnx-model.ts', 'onnxruntime-node'],
])('%s advises the version that its package.json has: %s, %s', (folder, source, name) => {
  const { dependencies } = JSON.parse(readFileSync(join(packages, folder, 'package.json'), 'utf8'));
  expect(readFileSync(join(packages, folder, source), 'utf8')).toContain(`${name}@${dependencies[name]}`);
});
