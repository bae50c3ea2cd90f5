/** State file of version 0.1.0: everything in it is restored. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineSpec } from '@equipoise/core/model';
import { SqlitePlanStore } from '@equipoise/runtime';
import { afterAll, expect, it } from 'vitest';
import { readSavedState } from './saved-state.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-recorded-'));
afterAll(() => rmSync(folder, { recursive: true }));
const WRITTEN = fileURLToPath(new URL('../../../runtime/src/loop/fixtures/state-0.1.0.db', import.meta.url));
const SETUP = 'a54a1502589de55faa406463063fc80031399d6fe82c2ab9fbb10451a4b8bf70';
/** Half a minute after the server ended. */
const NOW = { atMs: 1000, atEpochMs: 1_795_863_530_000 };

it('a state file of version 0.1.0 loads whole', async () => {
  const path = join(folder, 'state.db');
  copyFileSync(WRITTEN, path);
  const store = new SqlitePlanStore(path);
  const { spec } = (await store.setup(SETUP)) as { readonly spec: PipelineSpec };
  const kept = await readSavedState(store, spec, { profiles: [], resumes: true, now: NOW });
  await store.close();
  expect(kept).toMatchObject({
    lastDecisionId: 37,
    good: { plan: { stages: { detect: [{ variantId: 'small', replicas: 1 }] } } },
    wishes: { mode: 'auto', pins: { detect: { replicas: 2 } } },
    passedOver: [],
  });
  const { service, edges, guardrails } = kept.controller;
  expect(service?.measured.length).toBeGreaterThan(0);
  expect(service?.corrections.length).toBeGreaterThan(0);
  expect(edges?.memories[0]?.blocks.length).toBeGreaterThan(0);
  expect(guardrails?.appliedAtMs).toHaveLength(5);
  expect(guardrails?.switches.map(({ stageId }) => stageId)).toEqual(['detect', 'detect', 'detect']);
});
