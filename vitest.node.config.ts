/** The node tier: suites that run pods on a real Kubernetes node, one node per run. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

export default defineConfig({
  ...quick,
  test: {
    ...quick.test,
    isolate: true,
    include: ['packages/*/src/**/*.node.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: [],
    globalSetup: ['packages/app/src/kube-node/node-setup.test-support.ts'],
    // Threads end with the process. A forked worker could outlive it and work on the next run's node.
    pool: 'threads',
    // The pods of two suites would share two cores.
    fileParallelism: false,
    teardownTimeout: 120_000,
    testTimeout: 600_000,
    hookTimeout: 900_000,
  },
});
