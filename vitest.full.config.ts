/** The full tier: suites that take long or need a tool. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

const { projects: _, ...settings } = quick.test ?? {};

export default defineConfig({
  ...quick,
  test: {
    ...settings,
    include: ['{packages/*/src,examples,benchmarks,scripts}/**/*.{full,seeds}.test.ts'],
    env: { ...settings.env, EQUIPOISE_SEEDS: 'all' },
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: [],
    passWithNoTests: true,
    fileParallelism: false,
    testTimeout: 600_000,
  },
});
