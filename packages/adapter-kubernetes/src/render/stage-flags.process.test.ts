/** Flags of V8 with which the image's command starts Node in the pod of a stage. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';

const EQUIPOISE = fileURLToPath(new URL('../../../app/bin/equipoise', import.meta.url));
const manifests = readFileSync(new URL('golden/deployment.yaml', import.meta.url), 'utf8');

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}

interface Deployment {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}

const stages = parseAllDocuments(manifests)
  .map((document) => document.toJS() as Deployment)
  .filter(({ kind }) => kind === 'Deployment')
  .flatMap(({ spec }) => spec.template.spec.containers)
  .filter(({ name }) => name === 'stage');

/** Prints the arguments of Node, and NODE_OPTIONS, which Node reads before them. */
const NODE = '#!/bin/sh\nif [ "$1" = --version ]; then echo v24.2.0; else echo "$NODE_OPTIONS $*"; fi\n';

it('marks heaps as seldom as `profile` does, with a small young generation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-flags-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'node'), NODE);
  chmodSync(join(folder, 'node'), 0o755);
  const served = stages.filter(({ args = [] }) => args[0] === 'serve');
  expect(served.length).toBeGreaterThan(0);
  for (const { args, env } of served) {
    const given = Object.fromEntries(env.map(({ name, value = '' }) => [name, value]));
    const PATH = [folder, process.env['PATH']].join(delimiter);
    const started = execFileSync(EQUIPOISE, args, { env: { ...given, PATH }, encoding: 'utf8' });
    expect(started.match(/--\S+/g)?.slice(0, 5)).toEqual([
      '--max-semi-space-size=16',
      '--incremental-marking-soft-trigger=75',
      '--incremental-marking-hard-trigger=90',
      '--invocation-count-for-turbofan=1000',
      '--concurrent-turbofan-max-threads=1',
    ]);
  }
});
