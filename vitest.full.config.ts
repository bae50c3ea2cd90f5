/** The full tier: suites that take long or need a tool, none of them longer than a minute. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

const { include: _, ...settings } = quick.test ?? {};
const excluded = ['**/node_modules/**', '**/dist/**'];
/** Suites with a control plane of their own. They mostly wait, so two of them run at a time, and nothing else. */
const cluster = ['packages/adapter-kubernetes/**/*.full.test.ts'];
/** Of these, the ones that watch an operator or wait for the server, for minutes. The continuous run leaves them out. */
const longCluster = [
  'packages/adapter-kubernetes/src/test-cluster/{api-server,foreign-objects,istiod,life-cycle,operator*,runaway}.full.test.ts',
  'benchmarks/kubernetes/scale.full.test.ts',
];
/** Suites that measure times or garbage collections, or run pods as processes: nothing else runs meanwhile. */
const alone = [
  'benchmarks/{control/served,data-plane,fidelity,hostile,kubernetes}/**/*.full.test.ts',
  'packages/app/src/{compose,open-inference}/*.full.test.ts',
  'packages/app/src/commands/serve-{collections,routers}.full.test.ts',
  'packages/runtime/src/net/*.full.test.ts',
  'scripts/guide-blocks/quick-start.full.test.ts',
];

export default defineConfig({
  ...quick,
  test: {
    ...settings,
    isolate: true,
    env: { ...settings.env, EQUIPOISE_SEEDS: 'all' },
    exclude: excluded,
    projects: [
      {
        extends: true,
        test: {
          name: 'two at a time',
          include: ['{packages/*/src,examples,benchmarks,scripts}/**/*.{full,seeds}.test.ts'],
          exclude: [...excluded, ...alone, ...cluster, ...longCluster],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'two clusters at a time',
          include: cluster,
          exclude: [...excluded, ...longCluster],
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: { name: 'long clusters', include: longCluster, sequence: { groupOrder: 3 } },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: alone,
          exclude: [...excluded, ...longCluster],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    setupFiles: [],
    passWithNoTests: true,
    testTimeout: 600_000,
  },
});
