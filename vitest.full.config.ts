/** The full tier: suites that take long or need a tool. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

const { projects: _, ...settings } = quick.test ?? {};

export default defineConfig({
  ...quick,
  test: {
    ...settings,
    include: ['{packages/*/src,examples,benchmarks,scripts}/**/*.full.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: [],
    passWithNoTests: true,
    fileParallelism: false,
    testTimeout: 600_000,
  },
});
