/** Modules that a command imports statically. They are most of the time of a short command. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PACKAGES = fileURLToPath(new URL('../../..', import.meta.url));
const STATIC_IMPORT = /^(?:import|export)\s(?:[^'";]+?\sfrom\s)?['"]([^'"\n]+)['"];/gm;

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/** Built file behind `./file.js` or `@equipoise/PACKAGE/ENTRY`; undefined for other packages. */
function builtFile(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  const [, name = '', entry = ''] = /^@equipoise\/([^/]+)(.*)$/.exec(specifier) ?? [];
  if (name === '') return undefined;
  const manifest: Manifest = JSON.parse(readFileSync(join(PACKAGES, name, 'package.json'), 'utf8'));
  const target = manifest.exports[`.${entry}`] ?? '';
  return join(PACKAGES, name, typeof target === 'string' ? target : target.default);
}

/** Built files of this repository that a command loads, from `core/dist/…` on. */
function loadedFiles(command: string): readonly string[] {
  const found = new Set([join(PACKAGES, `app/dist/commands/${command}.js`)]);
  for (const file of found)
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(STATIC_IMPORT)) {
      const imported = builtFile(specifier, file);
      if (imported !== undefined) found.add(imported);
    }
  return [...found].map((file) => file.slice(PACKAGES.length)).sort();
}

it('plan loads no simulator, control loop or request policy, apart from the graph of the pipeline', () => {
  const apart = /^core\/dist\/(?:control|diagnose|forecast|history|serve|simulate)\//;
  const loaded = loadedFiles('plan');
  expect(loaded).toContain('core/dist/optimize/optimize.js');
  expect(loaded.filter((file) => apart.test(file))).toEqual([
    'core/dist/serve/discardable-work.js',
    'core/dist/serve/serving-graph.js',
  ]);
});

it('plan draws a frontier only on request', () => {
  expect(loadedFiles('plan').filter((file) => file.includes('/report/plot/'))).toEqual([]);
});
